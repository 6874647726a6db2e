/** The catalogue as this dialect lists it. Pure. */
import type { Card, DialectName } from '../../domain/card.ts'
import { no } from './fields.ts'

export interface Listed { card: Card; name: DialectName }

/** Every name of this dialect is a model of its own, as at Google. */
export const modelsOf = (cards: Card[]): Listed[] =>
  cards.flatMap(card => (card.dialects.gemini ?? []).map(name => ({ card, name }))).sort((a, b) => a.name.id < b.name.id ? -1 : 1)

export function writeModel({ id, title, description, kind, output, operations, life, prompt }: Card, name: string) {
  const isFilm = output.kind === 'video'
  return {
    name: `models/${name}`,
    baseModelId: id,
    version: '001',
    displayName: title,
    description: life.state === 'active' && !life.ends ? description : `${description} (${life.state}${life.since ? ` since ${life.since}` : ''}${life.ends && life.state !== 'retired' ? `, ends on ${life.ends}` : ''}${life.replacement ? `; use ${life.replacement}` : ''})`,
    inputTokenLimit: Math.ceil(prompt.charactersMax / 4),
    outputTokenLimit: 32_768,
    supportedGenerationMethods: isFilm ? ['predictLongRunning']
      : [...(operations.includes('generate') || operations.includes('edit') || operations.includes('write') ? ['generateContent', 'batchGenerateContent'] : []), 'countTokens', ...(kind === 'image' && operations.includes('generate') ? ['predict'] : [])],
  }
}

const pageSizeDefault = 50
const pageSizeMax = 1_000

/** One page. The token is where the next one begins. @throws {Problem} `bad_request` */
export function writeModels(cards: Card[], query: URLSearchParams) {
  const all = modelsOf(cards)
  const size = readNumber(query, ['pageSize', 'page_size'], pageSizeDefault)
  const from = readNumber(query, ['pageToken', 'page_token'], 0)
  const pageSize = size === 0 ? pageSizeDefault : Math.min(size, pageSizeMax)
  const until = from + pageSize
  return {
    models: all.slice(from, until).map(({ card, name }) => writeModel(card, name.id)),
    ...(until < all.length ? { nextPageToken: String(until) } : {}),
  }
}

function readNumber(query: URLSearchParams, names: string[], fallback: number): number {
  const given = names.map(name => query.get(name)).find(value => value !== null && value !== '')
  if (given === undefined || given === null) return fallback
  if (!/^\d{1,6}$/.test(given)) throw no(names[0]!, `${names[0]} is not one of ours: "${given.slice(0, 60)}".`, { value: given.slice(0, 60) })
  return Number(given)
}
