/**
 * The desk: what a door may ask of the house, bound to one caller.
 *
 * Everything is asked within the caller's project and mode here, once, so that no door can forget it: a foreign id is simply not
 * found. An order is checked against its card, its inputs, its triggers and its route before anything is written.
 */
import { createHash } from 'node:crypto'
import type { Asset } from './domain/asset.ts'
import { mayUse, type Caller, type Scope } from './domain/caller.ts'
import type { Card, CheckedOrder } from './domain/card.ts'
import type { Order } from './domain/order.ts'
import { Problem } from './domain/problem.ts'
import { hasEnded, type Task } from './domain/task.ts'
import type { Access } from './access/access.ts'
import type { Assets } from './assets/assets.ts'
import type { Batches } from './batches/batches.ts'
import type { RowPlace } from './batches/runner.ts'
import type { Catalog } from './catalog/catalog.ts'
import type { Database } from './db/pool.ts'
import type { Delivery } from './delivery/delivery.ts'
import { checkTarget } from './delivery/target.ts'
import type { Engine } from './engine/engine.ts'
import { creditsRequired } from './engine/submit.ts'
import type { Files } from './files/files.ts'
import type { CallFacts } from './http/server.ts'
import { isId, newId } from './kit/id.ts'
import { readBalance, readLedger, readUsage } from './ledger/books.ts'
import type { Desk, Page, WorkflowDesk } from './protocols/contract.ts'
import { checkTriggers, creditsTrigger } from './providers/sandbox/triggers.ts'
import { stickyKeyOf, type Routing } from './routing.ts'
import type { Workflows } from './workflows/workflows.ts'

export interface DeskTools {
  access: Access
  assets: Assets
  batches(): Batches
  catalog: Catalog
  database: Database
  delivery: Delivery
  engine: Engine
  files: Files
  routing: Routing
  workflows(): Workflows
  publicUrl(): string
  now(): Date
  /** Days an input of this project is kept; null for ever. */
  inputDays: number | null
  /** Whether call backs may go to private addresses. */
  allowPrivate: boolean
}

/** A call, and where it is the making of a row of a batch, that row: it becomes the task of the next order. */
export type DeskCall = CallFacts & { row?: RowPlace }

/** A call that comes from within: nobody's headers, and nobody who would read ours. */
export const plainCall: DeskCall = { stickyKey: null, seen() {} }

export const createDesks = (tools: DeskTools) => (caller: Caller, call: DeskCall = plainCall): Desk => {
  const { access, assets, batches, catalog, database, delivery, engine, files, routing, now } = tools
  const { retiredModels: retired = 'refuse' } = caller
  const owner = { projectId: caller.projectId, livemode: caller.livemode }

  /** Tries an order against everything that can be tried without writing. */
  const check = async (order: Order): Promise<{ checked: CheckedOrder; inputs: Asset[] }> => {
    const found = await assets.findMany(owner, order.inputs.map(input => input.assetId).filter(isId))
    const byId = new Map(found.map(asset => [asset.id, asset]))
    const inputs = order.inputs.map(({ assetId }, index) => byId.get(assetId) ?? missingInput(assetId, index))
    if (!caller.livemode) checkTriggers(order.prompt)
    const checked = catalog.check({ ...order, model: modelOf(order.model, order.wire?.protocol) }, inputs, now(), { livemode: caller.livemode, retired })
    checkTerms(order)
    if (order.callbackUrl !== undefined) checkTarget(order.callbackUrl, { allowPrivate: tools.allowPrivate, field: 'callback_url' })
    return { checked, inputs }
  }

  /** What an alias stands for; every other name as it is. The catalogue's own names come first. */
  const modelOf = (name: string, dialect?: string): string => catalog.find(name, dialect) ? name : routing.aliasOf(name) ?? name

  const seen = <T extends Task | null>(task: T): T => {
    if (task !== null) call.seen(task)
    return task
  }

  const guarded = (scope: Scope) => {
    if (!mayUse(caller, scope)) throw new Problem('forbidden', `This key may not do that: it lacks the scope ${scope}.`)
  }

  const changedBy = { accountId: caller.accountId, projectId: caller.projectId, keyId: caller.keyId }
  /** What live work goes by is changed by live keys only. */
  const changing = () => {
    guarded('operator')
    if (!caller.livemode) throw new Problem('forbidden', 'A test key may look at the routes of live work and not change them. Use a live key with the scope operator.')
  }
  const cardOf = (name: string) => found(catalog.find(modelOf(name))?.card ?? null, 'model')
  const viewRoutes = (card: Card) => {
    const { routes, ...more } = routing.routesIn(card)
    return { ...more, routes: routes.map(route => ({ ...route, ...routing.standingOf(route.provider), configured: routing.isConfigured(route.provider) })) }
  }

  const found = <T>(thing: T | null, what: string): T => {
    if (thing === null) throw new Problem('not_found', `There is no such ${what}.`)
    return thing
  }

  /** Reading workflows needs `tasks:read`, which every route asks for; what writes or runs needs `tasks:write`. */
  const workflowDesk = (): WorkflowDesk => {
    const all = tools.workflows().of(caller)
    const write = <A extends unknown[], R>(work: (...given: A) => Promise<R>) => async (...given: A): Promise<R> => { guarded('tasks:write'); return work(...given) }
    return { ...all, create: write(all.create), change: write(all.change), remove: write(all.remove), publish: write(all.publish), begin: write(all.begin), beginTogether: write(all.beginTogether), cancel: write(all.cancel), resume: write(all.resume), answer: write(all.answer),
      setBaseline: write(all.setBaseline), approveBaseline: write(all.approveBaseline), rejectBaseline: write(all.rejectBaseline), removeBaseline: write(all.removeBaseline),
      createTrigger: write(all.createTrigger), changeTrigger: write(all.changeTrigger), removeTrigger: write(all.removeTrigger), rotateTrigger: write(all.rotateTrigger) }
  }

  /** Makes a task of an order. */
  const place = async (asked: Order): Promise<{ taskId: string; replayed: boolean }> => {
    // The row of a batch says itself whether it was ordered before; a key or a body beside it would only disagree.
    const { idempotencyKey: _key, retryCount: _count, ...bare } = asked
    const row = call.row ?? null
    const order: Order = row === null ? asked : { ...bare, priority: 'batch', endWithinS: row.endWithinS }
    const { checked, inputs } = await check(order)
    if (checked.replaces) desk.told.set('x-model-replaced', `${checked.replaces.id}; by=${checked.card.id}`)
    const id = newId(now().getTime())
    const stickyKey = order.stickyKey ?? call.stickyKey
    const route = routing.route(checked.card, caller.livemode, stickyKeyOf({ id, project_id: caller.projectId, sticky_key: stickyKey }))
    if (!caller.livemode && creditsTrigger(order.prompt)) throw creditsRequired(checked.priceMicros, 0)
    const bodyHash = order.idempotencyKey === undefined && order.retryCount === undefined ? null : hashOrder(order, inputs)
    return engine.submit({ id, caller, order, checked, provider: route.provider, upstreamModel: route.model, stickyKey, bodyHash, row })
  }

  const desk: Desk = {
    caller,
    told: new Map(),
    now,
    get publicUrl() { return tools.publicUrl() },

    estimate: async order => (await check(order)).checked,

    async submit(order) {
      const { taskId, replayed } = await place(order)
      return { task: seen(found(await engine.find(owner, taskId), 'task')), replayed }
    },

    async make(order, { waitMs, signal }) {
      const { taskId, replayed } = await place({ retryCount: 0, ...order })
      const task = await desk.settled(taskId, { waitMs, signal })
      if (signal.aborted && !hasEnded(task.state)) await engine.unanswered(task.id)
      return { task, replayed }
    },

    unanswered: taskId => engine.unanswered(taskId),

    async partial({ data: { partial } }) {
      if (partial === undefined || partial === null || typeof partial !== 'object' || Array.isArray(partial)) return null
      const { index, sha256, mime } = partial as { index: number; sha256: string; mime: string }
      return assets.read(sha256).then(bytes => ({ index, bytes, mime }), () => null)
    },

    find: async taskId => isId(taskId) ? seen(await engine.find(owner, taskId)) : null,

    async list(filter) {
      const tasks = await engine.list({ ...owner, after: cursor(filter.after), limit: filter.limit + 1, states: filter.states ?? null, model: filter.model ?? null, operation: filter.operation ?? null,
        createdAfter: filter.createdAfter ?? null, createdBefore: filter.createdBefore ?? null, metadata: filter.metadata ?? null })
      return page(tasks, filter.limit)
    },

    async settled(taskId, { waitMs, signal }) {
      return seen(found(isId(taskId) ? await engine.settled(owner, taskId, waitMs, signal) : null, 'task'))
    },

    async cancel(taskId) {
      guarded('tasks:write')
      return seen(found(isId(taskId) ? await engine.cancel(owner, taskId) : null, 'task'))
    },

    events: ({ taskId, types, after, live = true, signal }) => engine.events(owner, { taskId: taskId ?? null, types: types ?? null, after, live, signal }),

    models: {
      all: () => catalog.all(),
      find: (name, dialect) => catalog.find(modelOf(name, dialect), dialect),
      isConfigured: card => card.life.state !== 'retired' && routing.routesIn(card).routes.some(({ provider, enabled }) => enabled && routing.isConfigured(provider)),
      serving: (name, dialect) => (caller.livemode && retired === 'replace' ? catalog.serving : catalog.find)(modelOf(name, dialect), dialect),
    },

    assets: {
      keep: upload => { guarded('assets:write'); return assets.keep({ ...owner, inputDays: tools.inputDays }, upload) },
      find: async assetId => isId(assetId) ? assets.find(owner, assetId) : null,
      list: filter => { cursor(filter.after); return assets.list(owner, filter) },
      remove: async assetId => {
        guarded('assets:write')
        if (!isId(assetId)) throw new Problem('not_found', 'There is no such asset.')
        await assets.remove(owner, assetId)
      },
      open: asset => assets.open(asset),
      thumbnail: (asset, side) => assets.thumbnail(asset, side),
      link: (asset, options) => assets.link(asset, options),
      resolveLink: url => assets.resolveLink(owner, url),
      openLink: (path, query) => assets.openLink(path, query),
    },

    files: {
      // Nobody's until something comes of it, so the right that counts is the one to what does.
      take: stream => files.take(stream),
      keep: (taken, file) => { guarded('assets:write'); return files.keep(owner, taken, file) },
      find: fileId => files.find(owner, fileId),
      list: filter => files.list(owner, filter),
      remove: fileId => { guarded('assets:write'); return files.remove(owner, fileId) },
      open: file => files.open(file),
      begin: upload => { guarded('assets:write'); return files.begin(owner, upload) },
      progress: uploadId => files.progress(uploadId),
      append: (uploadId, part) => files.append(uploadId, part),
      drop: uploadId => files.drop(uploadId),
      upload: uploadId => files.upload(owner, uploadId),
      addPart: (uploadId, part) => { guarded('assets:write'); return files.addPart(owner, uploadId, part) },
      complete: (uploadId, order) => { guarded('assets:write'); return files.complete(owner, uploadId, order) },
      cancel: uploadId => { guarded('assets:write'); return files.cancel(owner, uploadId) },
    },

    batches: {
      create: batch => { guarded('tasks:write'); checkKey(batch.idempotencyKey); return batches().create(caller, batch) },
      find: (protocol, batchId) => batches().find(owner, protocol, batchId),
      list: filter => batches().list(owner, filter),
      cancel: (protocol, batchId) => { guarded('tasks:write'); return batches().cancel(owner, protocol, batchId) },
      remove: (protocol, batchId) => { guarded('tasks:write'); return batches().remove(owner, protocol, batchId) },
    },

    money: {
      balance: () => readBalance(database, caller),
      usage: filter => readUsage(database, { ...owner, ...filter }),
      async ledger({ after, limit, taskId }) {
        if (after !== undefined && !/^\d{1,15}$/.test(after)) throw new Problem('bad_request', 'after is not a page mark of ours. Use `next` of the page before.', { field: 'after', value: after.slice(0, 100) })
        const rows = await readLedger(database, caller, { after: after === undefined ? null : Number(after), limit: limit + 1, taskId: taskId === undefined ? null : isId(taskId) ? taskId : missingTask() })
        const items = rows.slice(0, limit)
        return { items, next: rows.length > limit ? String(items.at(-1)!.id) : null }
      },
    },

    once: (call, handle) => { checkKey(call.key); return access.replies.once(caller.keyId, call, handle) },

    feedback: said => access.feedback(caller, said),

    project: {
      read: () => access.projects.read(caller),
      change: change => { guarded('admin'); return access.projects.change(caller, change) },
    },

    keys: {
      create: key => { guarded('admin'); return access.keys.create(caller, key) },
      list: () => { guarded('admin'); return access.keys.list(caller) },
      revoke: keyId => { guarded('admin'); return access.keys.revoke(caller, keyId) },
    },

    get workflows() { return workflowDesk() },

    webhooks: delivery.webhooks(caller),

    routing: {
      models: () => { guarded('operator'); return catalog.all().map(card => viewRoutes(card)) },
      model: name => { guarded('operator'); return viewRoutes(cardOf(name)) },
      async setRoutes(name, routes) { changing(); await routing.changes.setRoutes(cardOf(name).id, routes, changedBy); return viewRoutes(cardOf(name)) },
      async resetRoutes(name) { changing(); await routing.changes.resetRoutes(cardOf(name).id, changedBy); return viewRoutes(cardOf(name)) },
      providers: () => { guarded('operator'); return routing.providers() },
      async aliases() { guarded('operator'); return [...(await routing.changes.read()).aliases.values()] },
      async setAlias(name, model) { changing(); return routing.changes.setAlias(name, model, changedBy) },
      async removeAlias(name) { changing(); await routing.changes.removeAlias(name, changedBy) },
    },
  }
  return desk
}

const missingInput = (assetId: string, index: number): never => {
  throw new Problem('bad_input_image', `Input ${index + 1} names an asset that is not there. Upload it first (POST /plantain/v1/assets).`, { field: `inputs[${index}]`, value: assetId.slice(0, 100) })
}
const missingTask = (): never => { throw new Problem('not_found', 'There is no such task.') }

/** A page mark is the id of the last item. */
function cursor(after: string | undefined): string | null {
  if (after === undefined) return null
  if (!isId(after)) throw new Problem('bad_request', 'after is not a page mark of ours. Use `next` of the page before.', { field: 'after', value: after.slice(0, 100) })
  return after
}

const page = <T extends { id: string }>(items: T[], limit: number): Page<T> => {
  const shown = items.slice(0, limit)
  return { items: shown, next: items.length > limit ? shown.at(-1)!.id : null }
}

/** What is asked for beside the picture: notes, deadlines, keys. */
function checkTerms(order: Order): void {
  const seconds = (field: 'start_within_s' | 'end_within_s', value: number | undefined) => {
    if (value !== undefined && !(Number.isInteger(value) && value >= 1 && value <= 86_400)) throw new Problem('bad_request', `${field} is whole seconds from 1 to 86400, not ${value}.`, { field, value })
  }
  seconds('start_within_s', order.startWithinS)
  seconds('end_within_s', order.endWithinS)
  const notes = Object.entries(order.metadata ?? {})
  if (notes.length > 16 || notes.some(([key, value]) => key.length < 1 || key.length > 64 || value.length > 512)) {
    throw new Problem('bad_request', 'metadata is at most 16 pairs, keys of 1 to 64 and values of up to 512 characters.', { field: 'metadata' })
  }
  checkKey(order.idempotencyKey)
}

function checkKey(key: string | undefined): void {
  if (key !== undefined && !/^[\x21-\x7e]{1,255}$/.test(key)) throw new Problem('bad_request', 'An Idempotency-Key is 1 to 255 printable ASCII characters without spaces.', { field: 'Idempotency-Key' })
}

/** The same order, whatever ids its uploads were given: inputs count by their bytes. */
function hashOrder(order: Order, inputs: Asset[]): Buffer {
  const { idempotencyKey: _key, warnings: _warnings, retryCount: _count, stickyKey: _sticky, ...asked } = order
  const text = JSON.stringify({ ...asked, inputs: order.inputs.map(({ role }, index) => [inputs[index]!.sha256, role]) }, (_key, value) =>
    value !== null && typeof value === 'object' && !Array.isArray(value) ? Object.fromEntries(Object.entries(value).sort(([a], [b]) => a < b ? -1 : 1)) : value)
  return createHash('sha256').update(text).digest()
}
