/** The catalogue in Anthropic's words. Pure. */
import type { Card } from '../../domain/card.ts'
import { Problem } from '../../domain/problem.ts'

const yes = { supported: true }
const no = { supported: false }

/** Upstream writes the epoch where a day is unknown. */
const unknownDay = '1970-01-01T00:00:00Z'

/** A model is as old as its first price. */
const bornOn = ({ prices }: Card): string => `${prices.reduce((first, { from }) => from < first ? from : first, prices[0]!.from)}T00:00:00Z`

export function writeModel(card: Card, id = card.id): Record<string, unknown> {
  const { state, since, ends } = card.life
  const day = since === undefined ? null : `${since}T00:00:00Z`
  return {
    type: 'model', id, display_name: card.title, created_at: bornOn(card),
    deprecated_at: state === 'active' ? null : day ?? unknownDay, retires_at: state === 'retired' ? day ?? unknownDay : ends === undefined ? null : `${ends}T00:00:00Z`, lifecycle: state, line: null,
    // Four letters a token, as `count_tokens` guesses.
    max_input_tokens: Math.ceil(card.prompt.charactersMax / 4), max_tokens: null,
    capabilities: {
      batch: yes, citations: no, code_execution: no, image_input: card.inputs.max > 0 ? yes : no, pdf_input: no, structured_outputs: no,
      context_management: { supported: false, clear_thinking_20251015: no, clear_tool_uses_20250919: no, compact_20260112: no },
      effort: { supported: false, low: no, medium: no, high: no, xhigh: no, max: no },
      server_tools: { supported: false, code_execution: no, web_search: no },
      thinking: { supported: false, types: { adaptive: no, between_tools: no, disabled: yes, enabled: no } },
    },
  }
}

const lifecycles = ['active', 'deprecated', 'retired']

/** One page. What is retired is shown only to who asks for it. @throws {Problem} `bad_request` */
export function writeModels(cards: Card[], query: URLSearchParams): Record<string, unknown> {
  const wanted = ['lifecycle', 'lifecycle[]'].flatMap(name => query.getAll(name)).flatMap(text => text.split(','))
  for (const one of wanted) if (!lifecycles.includes(one)) throw new Problem('bad_request', `lifecycle: must be one of ${lifecycles.join(', ')}.`, { field: 'lifecycle', allowed: lifecycles })
  const limit = readLimit(query.get('limit'))
  const shown = cards.filter(({ life }) => wanted.length > 0 ? wanted.includes(life.state) : life.state !== 'retired')
  const [after, before] = [query.get('after_id'), query.get('before_id')]
  if (after !== null && before !== null) throw new Problem('bad_request', 'after_id: stands beside before_id. Send one of them.', { field: 'after_id' })
  const at = (id: string, field: string): number => {
    const index = shown.findIndex(card => card.id === id)
    if (index < 0) throw new Problem('bad_request', `${field}: is no model of this list.`, { field, value: id.slice(0, 100) })
    return index
  }
  const from = after === null ? 0 : at(after, 'after_id') + 1
  const rest = before === null ? shown.slice(from) : shown.slice(0, at(before, 'before_id'))
  const page = before === null ? rest.slice(0, limit) : rest.slice(-limit)
  return {
    data: page.map(card => writeModel(card)), has_more: rest.length > page.length,
    first_id: page[0]?.id ?? null, last_id: page.at(-1)?.id ?? null,
  }
}

function readLimit(text: string | null): number {
  if (text === null) return 20
  const limit = /^\d{1,4}$/.test(text) ? Number(text) : 0
  if (limit < 1 || limit > 1_000) throw new Problem('bad_request', 'limit: must be a whole number from 1 to 1000.', { field: 'limit', value: text.slice(0, 20), allowed: { min: 1, max: 1_000 } })
  return limit
}
