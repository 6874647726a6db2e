/** Models by this dialect's names, and the list of them. */
import type { Card } from '../../domain/card.ts'
import { Problem } from '../../domain/problem.ts'
import { isKeepable } from '../../kit/json.ts'
import type { Desk, Route } from '../contract.ts'
import { isWriter } from '../toolkit/talk.ts'
import { invalid } from './fields.ts'

/** What an address without a model makes. Upstream has retired its own defaults more than once, so these are ours. */
export const imageModel = 'gpt-image-2'
export const videoModel = 'sora-2'

export interface Model { card: Card; asked: string; /** Whether a template was named: it brings what an address asks for otherwise. */ isTemplate: boolean; warnings: string[] }

const places = { video: 'makes films. Use /v1/videos.', image: 'makes pictures. Use /v1/images/generations.', text: 'writes text. Use /v1/chat/completions or /v1/responses.' }

/** The card a body names, before the rest of it is read: what the rest means hangs on it. */
export async function cardNamedIn(body: unknown, desk: Desk): Promise<Card | undefined> {
  const named = typeof body === 'object' && body !== null ? (body as { model?: unknown }).model : undefined
  return typeof named === 'string' && named !== '' && named.length <= 200 && isKeepable(named) ? (await desk.models.serving(named, 'openai'))?.card : undefined
}

/** @throws {Problem} `unknown_model` with near names; `unsupported_parameter` for a model that makes something else */
export async function findModel(name: unknown, kind: 'image' | 'video' | 'text', desk: Desk): Promise<Model> {
  const asked = name ?? (kind === 'video' ? videoModel : imageModel)
  if (typeof asked !== 'string' || asked === '' || asked.length > 200 || !isKeepable(asked)) throw invalid('model', "'model' must be the name of a model.", { openaiCode: 'invalid_type' })
  const found = await desk.models.serving(asked, 'openai')
  if (!found) {
    // The catalogue knows which names are near.
    await desk.estimate({ model: asked, prompt: '-', parameters: {}, inputs: [], wire: { protocol: 'openai', body: null } })
    throw new Problem('unknown_model', `The model '${asked}' does not exist.`, { param: 'model' })
  }
  const { card } = found
  const makes = isWriter(card) ? 'text' : card.output.kind === 'video' || card.operations.every(operation => operation === 'video') ? 'video' : 'image'
  const fits = kind === 'video' ? card.operations.includes('video') : makes === kind
  if (!fits) throw new Problem('unsupported_parameter', `${card.id} ${places[makes]}`, { param: 'model', value: asked })
  const isTemplate = found.template !== undefined
  return { card, asked, isTemplate, warnings: isTemplate || asked === card.id || asked.startsWith(`${card.id}-`) || asked.toLowerCase().endsWith(card.id) ? [] : [`${asked} is served by ${card.id}.`] }
}

const tag = 'Models'

const seconds = (day: string): number => Math.floor(Date.parse(`${day}T00:00:00Z`) / 1_000)

function writeModel(card: Card, id: string) {
  const shutdown = card.life.state === 'retired' ? card.life.since : card.life.ends
  return {
    id, object: 'model', created: seconds(card.prices.reduce((first, { from }) => from < first ? from : first, card.prices[0]!.from)), owned_by: card.maker,
    ...(shutdown === undefined ? {} : { shutdown_date: shutdown }),
  }
}

const list: Route = {
  method: 'GET', path: '/v1/models', scope: 'tasks:read',
  about: { tag, summary: 'Models' },
  handle: async (_request, desk) => Response.json({ object: 'list', data: desk.models.all().map(card => writeModel(card, card.id)) }),
}

/** Names may have slashes; a client that does not escape them finds its model too. */
const get = (path: '/v1/models/:id' | '/v1/models/*'): Route => ({
  method: 'GET', path, scope: 'tasks:read',
  about: { tag, summary: 'One model, by any of its names' },
  async handle({ params }, desk) {
    const id = params.id ?? params['*'] ?? ''
    const found = isKeepable(id) && id.length <= 200 ? await desk.models.find(id, 'openai') : null
    if (!found) throw new Problem('unknown_model', `The model '${id.slice(0, 100).toWellFormed()}' does not exist.`, { param: 'model' })
    return Response.json(writeModel(found.card, id))
  },
})

export const models: Route[] = [list, get('/v1/models/:id'), get('/v1/models/*')]
