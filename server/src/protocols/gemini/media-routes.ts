/** Imagen's predict, Veo's predictLongRunning and its operations. */
import { Type } from 'typebox'
import { Problem } from '../../domain/problem.ts'
import { hasEnded } from '../../domain/task.ts'
import { isId } from '../../kit/id.ts'
import { jsonResponse } from '../../kit/json-out.ts'
import type { Desk, Route } from '../contract.ts'
import { taskHeaders } from '../toolkit.ts'
import { failureOf, openAll } from './content-routes.ts'
import { readPredict, writePredictions } from './imagen.ts'
import { findModel, orderOf, placeOrder, stillMaking, waitMsOf } from './order.ts'
import { refuseWith } from './refusal.ts'
import { operationName, readPredictLongRunning, writeOperation } from './veo.ts'
import { bodyMax, tag, versions } from './versions.ts'

const Body = Type.Object({ instances: Type.Array(Type.Unknown(), { minItems: 1, maxItems: 1 }), parameters: Type.Optional(Type.Unknown()) }, { title: 'GeminiPredict' })

const predict = (version: string): Route => ({
  method: 'POST', path: `/${version}/models/:model::predict`, body: 'inline', bodyMax, scope: 'tasks:write',
  about: { tag, summary: 'Make pictures with Imagen and wait for them', body: Body },
  async handle(request, desk) {
    const read = readPredict(request.body, await findModel(desk, request.params.model ?? '', 'picture', 'predict'))
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
    const read = readPredictLongRunning(request.body, await findModel(desk, request.params.model ?? '', 'film', 'predictLongRunning'))
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

export const mediaRoutes: Route[] = versions.flatMap(version => [predict(version), predictLongRunning(version), operation(version)])
