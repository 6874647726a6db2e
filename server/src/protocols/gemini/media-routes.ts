/** Imagen's predict, Veo's predictLongRunning, its operations, and fetching the films. */
import { Type } from 'typebox'
import { Problem } from '../../domain/problem.ts'
import { hasEnded } from '../../domain/task.ts'
import { isId } from '../../kit/id.ts'
import { jsonResponse } from '../../kit/json-out.ts'
import { respondWithAsset } from '../../kit/respond.ts'
import type { Desk, Incoming, Route } from '../contract.ts'
import { failureOf, openAll } from './content-routes.ts'
import { readPredict, writePredictions } from './imagen.ts'
import { findModel, orderOf, placeOrder, stillMaking, taskHeaders, waitMsOf } from './order.ts'
import { refuseWith } from './refusal.ts'
import { operationName, readPredictLongRunning, writeOperation } from './veo.ts'
import { bodyMax, tag, versions } from './versions.ts'

const Body = Type.Object({ instances: Type.Array(Type.Unknown(), { minItems: 1, maxItems: 1 }), parameters: Type.Optional(Type.Unknown()) }, { title: 'GeminiPredict' })

const predict = (version: string): Route => ({
  method: 'POST', path: `/${version}/models/:model::predict`, body: 'inline', bodyMax, scope: 'tasks:write',
  about: { tag, summary: 'Make pictures with Imagen and wait for them', body: Body },
  async handle(request, desk) {
    const read = readPredict(request.body, findModel(desk, request.params.model ?? '', 'picture', 'predict'))
    const submitted = await placeOrder(await orderOf(read, desk, request), order => desk.make(order, { waitMs: waitMsOf(request.headers), signal: request.signal }))
    const { task } = submitted
    if (!hasEnded(task.state)) return refuseWith(await stillMaking(task.id, desk), request.path, task.id)
    const failure = failureOf(task, request.path)
    if (failure) return failure
    const data = await openAll(task.outputs, desk)
    return jsonResponse(writePredictions(task, read.wire, asset => ({ mimeType: asset.mime, data: data(asset) })), { headers: taskHeaders(submitted) })
  },
})

const predictLongRunning = (version: string): Route => ({
  method: 'POST', path: `/${version}/models/:model::predictLongRunning`, body: 'inline', bodyMax, scope: 'tasks:write',
  about: { tag, summary: 'Make a film; answers with an operation', body: Body },
  async handle(request, desk) {
    const read = readPredictLongRunning(request.body, findModel(desk, request.params.model ?? '', 'film', 'predictLongRunning'))
    const submitted = await placeOrder(await orderOf(read, desk, request), order => desk.submit(order))
    return jsonResponse({ name: operationName(read.wire.model, submitted.task.id) }, { headers: taskHeaders(submitted) })
  },
})

/** Where a film lies: an address of this door, which wants the key. */
export const filmLink = (desk: Desk, path: string, assetId: string): string =>
  `${desk.publicUrl.replace(/\/+$/, '')}/${/^\/(v1(?:beta|alpha)?)\//.exec(path)?.[1] ?? 'v1beta'}/files/${assetId}:download?alt=media`

const operation = (version: string): Route => ({
  method: 'GET', path: `/${version}/models/:model/operations/:id`, scope: 'tasks:read',
  about: { tag, summary: 'How an operation stands' },
  async handle({ params, path }, desk) {
    const id = params.id ?? ''
    const task = isId(id) ? await desk.find(id.replaceAll('-', '')) : null
    if (!task) throw new Problem('not_found', `There is no operation ${id.slice(0, 100)}.`)
    return jsonResponse(writeOperation(task, asset => filmLink(desk, path, asset.id)), { headers: { 'x-task-id': task.id } })
  },
})

async function sendFile(name: string, { headers, method }: Pick<Incoming, 'headers' | 'method'>, desk: Desk): Promise<Response> {
  const asset = isId(name) ? await desk.assets.find(name.replaceAll('-', '')) : null
  if (!asset) throw new Problem('not_found', `There is no file ${name.slice(0, 100)}.`)
  return respondWithAsset(await desk.assets.open(asset), headers, { method, immutable: true })
}

const download = (version: string): Route => ({
  method: 'GET', path: `/${version}/files/:file::download`, scope: 'assets:read',
  about: { tag, summary: 'Fetch a film' },
  handle: (request, desk) => sendFile(request.params.file ?? '', request, desk),
})

/** The official client puts the whole of a plain `http://` link where the name belongs. */
const clumsyDownload = (version: string): Route => ({
  method: 'GET', path: `/${version}/files/*`, scope: 'assets:read',
  about: { tag, summary: 'Fetch a film by its whole link' },
  async handle(request, desk) {
    const name = /(?:^|\/)files\/([0-9a-f]{32}):download/.exec(request.params['*'] ?? '')?.[1]
    if (!name) throw new Problem('not_found', 'There is nothing at this address. Files are taken in at POST /plantain/v1/assets; those that were made are fetched with :download.')
    return sendFile(name, request, desk)
  },
})

export const mediaRoutes: Route[] = versions.flatMap(version => [predict(version), predictLongRunning(version), operation(version), download(version), clumsyDownload(version)])
