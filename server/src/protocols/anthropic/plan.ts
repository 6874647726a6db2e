/** What is to be made of a conversation: the words for the model, and which pictures go in. Pure. */
import type { Card } from '../../domain/card.ts'
import type { Order } from '../../domain/order.ts'
import { Problem } from '../../domain/problem.ts'
import { isWriter, writingOf, type Turn } from '../toolkit/talk.ts'
import { readOptions } from './options.ts'
import type { Draft, Picture } from './read.ts'

export interface Plan {
  order: Omit<Order, 'inputs'>
  pictures: Picture[]
  /** Addresses the latest answer showed; those that are ours go in behind the pictures, as far as there is room. */
  links: { field: string; url: string }[]
  /** What the caller calls the house's fields. */
  names: Record<string, string>
}

/** The tool a client declares when it would rather ask for the picture itself. */
export const toolName = 'generate_image'

/** Whether a model reads a conversation: said by its card, for upstreams that are chat models. */
const readsHistory = (card: Card): boolean => (card.dialects.anthropic ?? []).some(({ fields }) => fields?.history === 'prompt')

/** @throws {Problem} `unsupported_parameter`, `bad_request` */
export function planOrder(draft: Draft, { card, model, suffixes, livemode, callsTool }: { card: Card; model: string; suffixes: string[]; livemode: boolean; callsTool: boolean }): Plan {
  const options = readOptions({ suffixes, image: draft.image?.options ?? null, field: draft.image?.field ?? 'image' }, card)
  const writes = isWriter(card)
  const warnings = [...draft.wordsOnly.filter(name => !(writes && name === 'temperature')).map(name => writes ? `${name} has no effect here, and was not used.` : `${name} means nothing to a model that makes pictures, and was not used.`), ...options.warnings]
  if (!callsTool && draft.forced) throw new Problem('unsupported_parameter', `tool_choice: ${writes ? 'a model that writes calls no tools here' : 'a model that makes pictures calls no tools'}. Leave it out, or send x-image-output: tool and a tool called ${toolName}.`, { field: 'tool_choice' })
  if (!callsTool && draft.tools.length > 0) warnings.push(writes ? 'tools are never called here, and were not used.' : 'tools mean nothing to a model that makes pictures, and were not used.')

  const room = card.inputs.max - draft.pictures.length
  if (room < 0) {
    const most = card.inputs.max === 0 ? 'no pictures' : `at most ${card.inputs.max} ${card.inputs.max === 1 ? 'picture' : 'pictures'}`
    throw new Problem('unsupported_parameter', `messages: ${card.id} takes ${most}, not ${draft.pictures.length}.`, { field: 'messages', value: draft.pictures.length, allowed: { max: card.inputs.max } })
  }
  const latest = draft.latest && 'picture' in draft.latest ? draft.latest.picture : null
  if (latest && room === 0) warnings.push('The picture of the turn before was left out: the model takes no more.')

  if (writes) {
    const turns: Turn[] = [...draft.earlier.map(({ role, text }) => ({ by: role, text })), { by: 'user', text: draft.prompt }]
    const { warnings: read, ...writing } = writingOf(card, { system: draft.system, turns, maxTokens: draft.maxTokens ?? undefined, temperature: draft.temperature ?? undefined })
    const all = [...warnings, ...read]
    return {
      order: {
        model, ...writing, parameters: { ...options.parameters, ...writing.parameters }, wire: { protocol: 'anthropic', body: {} },
        ...(Object.keys(draft.metadata).length > 0 ? { metadata: draft.metadata } : {}), ...(all.length > 0 ? { warnings: all } : {}),
      },
      pictures: latest && room > 0 ? [...draft.pictures, latest] : draft.pictures, links: [], names: options.names,
    }
  }

  const history = readsHistory(card) ? writeHistory(draft) : ''
  const prompt = join([draft.system, history, draft.prompt])
  // A test key is told about a conversation that is too long as a live one would be, although the sandbox never sees it.
  const { charactersMax } = card.prompt
  if (history !== '' && prompt.length > charactersMax && [...prompt].length > charactersMax) {
    throw new Problem('bad_request', `messages: with what was said before, prompt may have at most ${charactersMax} characters for ${card.id}.`, { field: 'messages', value: [...prompt].length, allowed: { charactersMax } })
  }
  const isRead = livemode && history !== ''
  if (!isRead && draft.earlier.length > 0) {
    warnings.push(`What was said before the last turn was not given to the model: ${livemode || !readsHistory(card) ? `${card.id} reads no conversation` : 'the sandbox reads no conversation'}.`)
  }
  return {
    order: {
      model, prompt: isRead ? prompt : join([draft.system, draft.prompt]), parameters: options.parameters, wire: { protocol: 'anthropic', body: {} },
      ...(Object.keys(draft.metadata).length > 0 ? { metadata: draft.metadata } : {}),
      ...(warnings.length > 0 ? { warnings } : {}),
    },
    pictures: latest && room > 0 ? [...draft.pictures, latest] : draft.pictures,
    links: draft.latest && 'links' in draft.latest && room > 0 ? draft.latest.links.slice(-1) : [],
    names: options.names,
  }
}

const names = { user: 'User', assistant: 'Assistant' }

const writeHistory = ({ earlier }: Draft): string =>
  earlier.length === 0 ? '' : `The conversation so far:\n${earlier.map(({ role, text }) => `${names[role]}: ${text}`).join('\n')}`

const join = (parts: string[]): string => parts.filter(part => part.trim() !== '').join('\n\n')
