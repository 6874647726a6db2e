/** What doors have in common where a conversation goes to a model that writes: what was said as one order, and a text on its way back. Pure. */
import type { Card } from '../../domain/card.ts'
import type { Order } from '../../domain/order.ts'
import type { Json } from '../../domain/outcome.ts'
import type { Task } from '../../domain/task.ts'

export interface Turn { by: 'user' | 'assistant'; text: string }

export interface Talk {
  system: string
  turns: Turn[]
  /** As the dialect has them; absent where the caller left it to the model. */
  maxTokens?: number | undefined
  temperature?: number | undefined
  effort?: string | undefined
}

/** Does this model answer in words? */
export const isWriter = (card: Pick<Card, 'output'>): boolean => card.output.kind === 'text'

const names = { user: 'User', assistant: 'Assistant' }

/** One prompt of all that was said: a single turn as it is, several with who said what. */
export function promptOf(turns: Turn[]): string {
  const said = turns.filter(({ text }) => text.trim() !== '')
  return said.every(({ by }) => by === 'user') ? said.map(({ text }) => text).join('\n\n') : said.map(({ by, text }) => `${names[by]}: ${text}`).join('\n\n')
}

/** Words of other dialects for how much is thought first. */
const efforts: Record<string, string> = { none: 'minimal', xhigh: 'high', max: 'high' }

/**
 * A conversation as an order to write.
 *
 * An end beyond the model's own is read as its own, and an effort it has no step for as the next one it has; both are said in warnings.
 */
export function writingOf(card: Card, { system, turns, maxTokens, temperature, effort }: Talk): Pick<Order, 'operation' | 'prompt' | 'parameters'> & { warnings: string[] } {
  const known = (card.parameters.properties ?? {}) as Record<string, { maximum?: number; enum?: Json[] }>
  const warnings: string[] = []
  const parameters: Record<string, Json> = {}
  if (system.trim() !== '' && known.system) parameters.system = system
  if (maxTokens !== undefined) {
    const most = known.max_tokens?.maximum ?? Infinity
    parameters.max_tokens = Math.min(maxTokens, most)
    if (maxTokens > most) warnings.push(`The text may have at most ${most} tokens here, not ${maxTokens}.`)
  }
  if (temperature !== undefined) {
    if (known.temperature) parameters.temperature = temperature
    else warnings.push(`temperature has no effect on ${card.id}.`)
  }
  if (effort !== undefined) {
    const steps = (known.effort?.enum ?? []) as string[]
    const wanted = efforts[effort] ?? effort
    const step = steps.includes(wanted) ? wanted : steps[0]
    if (step !== undefined) parameters.effort = step
    if (step !== wanted) warnings.push(step === undefined ? `The effort ${effort} has no effect on ${card.id}.` : `The effort ${effort} was read as ${step}: ${card.id} has ${steps.join(', ')}.`)
  }
  const prompt = promptOf(turns)
  return { operation: 'write', prompt: parameters.system === undefined && system.trim() !== '' ? `${system}\n\n${prompt}` : prompt, parameters, warnings }
}

/** How many tokens a text took, by its maker's count; nothing where it told none. */
export function tokensOf({ details: { tokens } }: Pick<Task, 'details'>): { input: number; output: number } {
  const count = (value: unknown) => typeof value === 'number' && Number.isInteger(value) && value >= 0 ? value : 0
  const told = typeof tokens === 'object' && tokens !== null && !Array.isArray(tokens) ? tokens : {}
  return { input: count(told.input), output: count(told.output) }
}

/** Whether a text ended at the tokens it was allowed. */
export const isCut = ({ details }: Pick<Task, 'details'>): boolean => details.finish === 'length'
