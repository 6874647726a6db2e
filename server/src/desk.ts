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
import { checkIdempotencyKey, type Order } from './domain/order.ts'
import { formatDollars } from './domain/money.ts'
import type { Json } from './domain/outcome.ts'
import { Problem } from './domain/problem.ts'
import { withoutHistory, writePrompt, type Brand, type Session, type TurnPlace } from './domain/session.ts'
import { hasEnded, type Task } from './domain/task.ts'
import { fillTemplate, isTemplateName, showStamp, type ResolvedTemplate } from './domain/template.ts'
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
import type { Desk, FoundModel, Page, SessionDesk, TemplateDesk, WorkflowDesk } from './protocols/contract.ts'
import { checkTriggers, creditsTrigger } from './providers/sandbox/triggers.ts'
import { inAHurry, stickyKeyOf, hasPatienceFor, type Routing } from './routing.ts'
import type { Sessions } from './sessions/sessions.ts'
import type { Templates } from './templates/templates.ts'
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
  sessions: Sessions
  templates: Templates
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
  const { access, assets, batches, catalog, database, delivery, engine, files, routing, sessions, templates, now } = tools
  const { retiredModels: retired = 'refuse' } = caller
  const owner = { projectId: caller.projectId, livemode: caller.livemode }

  /** A template as this request means it, from its first mention on: a label that moves in between moves for the next request. */
  const resolved = new Map<string, Promise<ResolvedTemplate>>()
  const resolve = (model: string): Promise<ResolvedTemplate> => {
    const known = resolved.get(model) ?? templates.resolve(owner, model)
    resolved.set(model, known)
    return known
  }

  /** Whether orders of this project have to name a template. Work that goes on without a key of its own asks the project. */
  const takesOnlyTemplates = async (): Promise<boolean> => caller.templatesOnly ?? access.projects.takesOnlyTemplates(caller)

  /** @throws {Problem} `forbidden` for a model by its name where a template has to be named */
  const checkName = async (model: string): Promise<void> => {
    if (isTemplateName(model) || !await takesOnlyTemplates()) return
    throw new Problem('forbidden', 'This project takes orders by template only. Name one as the model (template:<slug>@<label>); GET /plantain/v1/templates lists them.', { field: 'model', value: model.slice(0, 100) })
  }

  const assetsOf = async (references: Order['inputs']): Promise<Asset[]> => {
    const found = await assets.findMany(owner, references.map(input => input.assetId).filter(isId))
    const byId = new Map(found.map(asset => [asset.id, asset]))
    return references.map(({ assetId }, index) => byId.get(assetId) ?? missingInput(assetId, index))
  }

  /** An order of a template as a plain one; every other as it is. */
  const fill = async (order: Order): Promise<{ order: Order; template: ResolvedTemplate | null; values: Record<string, Json> }> => {
    const { variables, ...plain } = order
    if (!isTemplateName(order.model)) {
      if (variables !== undefined) throw new Problem('bad_request', 'variables go with a template: name one as the model (template:<slug>).', { field: 'variables' })
      await checkName(order.model)
      return { order: plain, template: null, values: {} }
    }
    const template = await resolve(order.model)
    const { card } = cardFor(template.body.model)
    const { order: { operation, ...filled }, values } = fillTemplate(template, order, card, caller.livemode)
    const { operation: _asked, ...rest } = plain
    return { order: { ...rest, ...filled, ...(operation === undefined ? {} : { operation }) }, template, values }
  }

  /** The card that makes a template's orders; a model it was made for may have gone since. @throws {Problem} `unknown_model` */
  const cardFor = (model: string): FoundModel => {
    const found = servedBy(model)
    if (!found) throw new Problem('unknown_model', `The model ${model} of this template is not there any more. Publish it with another one.`, { field: 'model', value: model })
    return found
  }

  /** Tries an order against everything that can be tried without writing. `around` is what a session has said of it. */
  const check = async (asked: Order, around?: Around): Promise<{ order: Order; checked: CheckedOrder; inputs: Asset[]; values: Record<string, Json> }> => {
    const { order, template, values } = await fill(asked)
    const inputs = await assetsOf(order.inputs)
    // What stands around it would pass for words.
    if (around && order.prompt.trim() === '') throw new Problem('bad_request', 'prompt is missing: a turn says what to make, or to change.', { field: 'prompt' })
    if (!caller.livemode) checkTriggers(order.prompt)
    const { wire, ...house } = order
    // What a template names is ours, whatever dialect it is asked for in.
    const model = modelOf(template?.body.model ?? order.model, template ? undefined : wire?.protocol)
    const prompt = around ? writePrompt(order.prompt, around.brand, around.history, (template ? cardFor(template.body.model) : servedBy(order.model))?.card.prompt.charactersMax ?? Infinity) : order.prompt
    const checked = catalog.check({ ...house, ...(template || !wire ? {} : { wire }), model, prompt }, inputs, now(), { livemode: caller.livemode, retired })
    checkTerms(order)
    if (order.callbackUrl !== undefined) checkTarget(order.callbackUrl, { allowPrivate: tools.allowPrivate, field: 'callback_url' })
    return { order: { ...order, prompt }, checked: template ? { ...checked, template: template.stamp } : checked, inputs, values }
  }

  /** What an alias stands for; every other name as it is. The catalogue's own names come first. */
  const modelOf = (name: string, dialect?: string): string => catalog.find(name, dialect) ? name : routing.aliasOf(name) ?? name

  /** What would make an order of this model, which is no template. */
  const servedBy = (name: string, dialect?: string): FoundModel | null => (caller.livemode && retired === 'replace' ? catalog.serving : catalog.find)(modelOf(name, dialect), dialect)

  /** The model a template is for; null where there is no such template. */
  const templated = async (name: string, find: (model: string) => FoundModel | null): Promise<FoundModel | null> => {
    const template = await resolve(name).catch(thrown => { if (thrown instanceof Problem && thrown.code === 'unknown_model') return null; throw thrown })
    const found = template && find(template.body.model)
    return found ? { ...found, name: null, template: template.stamp } : null
  }

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

  /** What is done only with `tasks:write`. */
  const write = <A extends unknown[], R>(work: (...given: A) => Promise<R>) => async (...given: A): Promise<R> => { guarded('tasks:write'); return work(...given) }

  /** Reading workflows needs `tasks:read`, which every route asks for; what writes or runs needs `tasks:write`. */
  const workflowDesk = (): WorkflowDesk => {
    const all = tools.workflows().of(caller)
    const checked = <O extends { callbackUrl?: string }>(order: O): O => {
      if (order.callbackUrl !== undefined) checkTarget(order.callbackUrl, { allowPrivate: tools.allowPrivate, field: 'callback_url' })
      return order
    }
    return { ...all, create: write(all.create), change: write(all.change), remove: write(all.remove), publish: write(all.publish), plan: async order => all.plan(checked(order)), begin: write(async order => all.begin(checked(order))), beginTogether: write(async (orders, key) => all.beginTogether(orders.map(checked), key)), cancel: write(all.cancel), resume: write(all.resume), answer: write(all.answer),
      setBaseline: write(all.setBaseline), approveBaseline: write(all.approveBaseline), rejectBaseline: write(all.rejectBaseline), removeBaseline: write(all.removeBaseline),
      createTrigger: write(all.createTrigger), changeTrigger: write(all.changeTrigger), removeTrigger: write(all.removeTrigger), rotateTrigger: write(all.rotateTrigger) }
  }

  /** Reading batches needs `tasks:read`, which every route asks for; what changes them needs `tasks:write`. */
  const guardWrites = (all: Omit<Desk['batches'], 'create'>): Omit<Desk['batches'], 'create'> => {
    const { schedules } = all
    return { ...all, cancel: write(all.cancel), remove: write(all.remove), pause: write(all.pause), resume: write(all.resume), retry: write(all.retry),
      schedules: { ...schedules, create: write(schedules.create), change: write(schedules.change), remove: write(schedules.remove) } }
  }

  /** Drafts are for who makes tasks; what everybody gets from then on is an administrator's act. */
  const templateDesk = (): TemplateDesk => {
    const by = { ...owner, accountId: caller.accountId, keyId: caller.keyId }
    const admin = async <R>(work: () => Promise<R>): Promise<R> => { guarded('admin'); return work() }
    return {
      find: slug => templates.find(owner, slug),
      list: filter => templates.list(owner, filter),
      async create(draft) { guarded('tasks:write'); return templates.create(by, draft) },
      async change(slug, change, revision) { guarded('tasks:write'); return templates.change(by, slug, change, revision) },
      remove: slug => admin(() => templates.remove(by, slug)),
      publish: (slug, options) => admin(() => templates.publish(by, slug, options)),
      versions: slug => templates.versions(owner, slug),
      version: (slug, number) => templates.version(owner, slug, number),
      setLabel: (slug, label, number) => admin(() => templates.setLabel(by, slug, label, number)),
      removeLabel: (slug, label) => admin(() => templates.removeLabel(by, slug, label)),
      async render(order) {
        const { order: filled, checked, values } = await check(order)
        return { order: filled, checked, values }
      },
    }
  }

  const sessionDesk = (): SessionDesk => {
    const the = async (id: string) => found(isId(id) ? await sessions.find(owner, id) : null, 'session')
    /** Whether a session can be had with this model: it has to change pictures. */
    const checkModel = async (model: string) => {
      await checkName(model)
      const serving = await desk.models.serving(model)
      if (!serving) { await check({ model, prompt: '-', parameters: {}, inputs: [] }); throw new Problem('unknown_model', `There is no model ${model}.`, { field: 'model' }) }
      const { card } = serving
      if (card.output.kind !== 'image' || !card.operations.includes('edit')) throw new Problem('unsupported_parameter', `${card.id} cannot change a picture, so there is no session with it. Use a model that can edit.`, { field: 'model', value: model })
    }
    const writing = async <R>(work: () => Promise<R>): Promise<R> => { guarded('tasks:write'); return work() }
    return {
      create: session => writing(async () => { await checkModel(session.model); return sessions.create(owner, session) }),
      find: async id => isId(id) ? sessions.find(owner, id) : null,
      list: filter => sessions.list(owner, filter),
      change: (id, change) => writing(async () => { await the(id); if (change.model !== undefined) await checkModel(change.model); return sessions.change(owner, id, change) }),
      remove: id => writing(async () => sessions.remove(owner, (await the(id)).id)),
      async turns(id) {
        const turns = await sessions.turns((await the(id)).id)
        const tasks = await Promise.all(turns.map(turn => engine.find(owner, turn.id)))
        return turns.flatMap((turn, index) => tasks[index] ? [{ turn: { ...turn, state: tasks[index].state }, task: tasks[index] }] : [])
      },
      turn: (id, asked) => writing(async () => {
        const session = await the(id)
        const { from, ...terms } = asked
        const hashed: Order = { ...terms, model: `session:${session.id}`, ...(from === undefined ? {} : { wire: { protocol: 'session', body: { from } } }) }
        const earlier = await repeated(hashed)
        if (earlier) return { task: earlier, replayed: true }
        const { parent, picture, history } = await placeOf(session, from)
        const parameters = { ...session.parameters, ...asked.parameters }
        const order: Order = { ...terms, model: session.model, parameters, inputs: [...picture, ...asked.inputs, ...session.brand.references] }
        const { taskId, replayed } = await place(order, { around: { brand: session.brand, history }, turn: { sessionId: session.id, parent, expected: from === undefined ? { head: parent } : null, prompt: asked.prompt }, hashed })
        return { task: seen(found(await engine.find(owner, taskId), 'task')), replayed }
      }),
      undo: id => writing(async () => sessions.undo(owner, (await the(id)).id)),
      redo: id => writing(async () => sessions.redo(owner, (await the(id)).id)),
      branch: (id, turn) => writing(async () => sessions.branch(owner, (await the(id)).id, turn)),
      select: (id, turn, output) => writing(async () => sessions.select(owner, (await the(id)).id, turn, output, (await engine.find(owner, turn))?.outputs.length ?? 0)),
    }
  }

  /** The turn of an earlier call that said the same under the same key. The key is looked at again where the turn is written. */
  const repeated = async (hashed: Order): Promise<Task | null> => {
    if (hashed.idempotencyKey === undefined) return null
    checkIdempotencyKey(hashed.idempotencyKey)
    const taskId = await sessions.turnUnder(owner, { key: hashed.idempotencyKey, bodySha256: hashOrder(hashed, await assetsOf(hashed.inputs)) })
    const task = taskId === null ? null : await engine.find(owner, taskId)
    return task ? seen(task) : null
  }

  /** Where a turn goes on from: the picture there, and what was asked for on the way. */
  const placeOf = async (session: Session, from: string | null | undefined): Promise<{ parent: string | null; picture: Order['inputs']; history: string[] }> => {
    const parent = from === undefined ? session.head : from
    if (parent === null) return { parent, picture: [], history: [] }
    const turns = new Map((await sessions.turns(session.id)).map(turn => [turn.id, turn]))
    const at = turns.get(parent)
    if (!at) throw new Problem('not_found', `This session has no turn ${parent}.`, { field: 'from', value: parent })
    const task = await engine.find(owner, at.id)
    if (task?.state !== 'done') throw new Problem('conflict', `Turn ${at.number} has no picture to go on from: it is ${task?.state ?? 'gone'}.`, { field: 'from', value: parent })
    const output = task.outputs[at.selected]
    if (!output) throw new Problem('bad_input_image', `The picture of turn ${at.number} is not kept any more. Go on from another turn, or from the beginning (null).`, { field: 'from', value: parent })
    const history: string[] = []
    for (let step: typeof at | undefined = at; step; step = step.parent === null ? undefined : turns.get(step.parent)) history.unshift(step.prompt)
    return { parent, picture: [{ assetId: output.id, role: 'reference' }], history }
  }

  /** Makes a task of an order; of a session's turn, with what was asked for by itself (`hashed`). */
  const place = async (asked: Order, session?: { around: Around; turn: TurnPlace; hashed: Order }): Promise<{ taskId: string; replayed: boolean }> => {
    // The row of a batch says itself whether it was ordered before; a key or a body beside it would only disagree.
    const { idempotencyKey: _key, retryCount: _count, ...bare } = asked
    const row = call.row ?? null
    const wanted: Order = row === null ? asked : { ...bare, priority: 'batch', endWithinS: row.endWithinS }
    const { order, checked, inputs } = await check(wanted, session?.around)
    if (checked.template) desk.told.set('x-template', showStamp(checked.template))
    if (row?.priceMaxMicros != null && checked.priceMicros > row.priceMaxMicros) {
      throw new Problem('conflict', `This row was checked at $${formatDollars(row.priceMaxMicros)} and costs $${formatDollars(checked.priceMicros)} now. Send it again in a new batch.`, { field: 'model' })
    }
    if (checked.replaces) desk.told.set('x-model-replaced', `${checked.replaces.id}; by=${checked.card.id}`)
    const id = newId(now().getTime())
    const stickyKey = order.stickyKey ?? call.stickyKey
    const route = routing.route(checked.card, caller.livemode, stickyKeyOf({ id, project_id: caller.projectId, sticky_key: stickyKey }),
      { ...checked, priority: order.priority ?? 'interactive', leftMs: (order.endWithinS ?? checked.card.endWithinS) * 1_000 })
    if (!caller.livemode && creditsTrigger(withoutHistory(order.prompt))) throw creditsRequired(checked.priceMicros, 0)
    // A repetition is told by what was asked for: what a label or a session makes of it may have changed since.
    const hashed = session?.hashed ?? wanted
    const given = session || checked.template ? await assetsOf(hashed.inputs) : inputs
    const bodyHash = order.idempotencyKey === undefined && order.retryCount === undefined ? null : hashOrder(hashed, given)
    return engine.submit({ id, caller, order, checked, provider: route.provider, upstreamModel: route.model, stickyKey, bodyHash, row, turn: session?.turn ?? null })
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
        createdAfter: filter.createdAfter ?? null, createdBefore: filter.createdBefore ?? null, metadata: filter.metadata ?? null, template: filter.template ?? null })
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
      find: async (name, dialect) => isTemplateName(name) ? templated(name, model => catalog.find(modelOf(model))) : catalog.find(modelOf(name, dialect), dialect),
      isConfigured: card => card.life.state !== 'retired' && routing.routesIn(card).routes.some(({ provider, enabled }) => enabled && routing.isConfigured(provider) && hasPatienceFor(card, provider, inAHurry)),
      serving: async (name, dialect) => isTemplateName(name) ? templated(name, model => servedBy(model)) : servedBy(name, dialect),
    },

    assets: {
      keep: (upload, options = {}) => { guarded('assets:write'); return assets.keep({ ...owner, inputDays: tools.inputDays }, upload, options) },
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
      fetch: url => { guarded('assets:write'); return files.fetch(url) },
      openTaken: taken => files.openTaken(taken),
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
      create: batch => {
        guarded('tasks:write')
        if (batch.idempotencyKey !== undefined) checkIdempotencyKey(batch.idempotencyKey)
        if (batch.callbackUrl !== undefined) checkTarget(batch.callbackUrl, { allowPrivate: tools.allowPrivate, field: 'callback_url' })
        return batches().create(caller, batch)
      },
      ...guardWrites(batches().of(caller)),
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

    once: (call, handle) => { checkIdempotencyKey(call.key); return access.replies.once(caller.keyId, call, handle) },

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
    get templates() { return templateDesk() },
    get sessions() { return sessionDesk() },

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

/** What a session says around the words of a turn. */
interface Around { brand: Omit<Brand, 'references'>; history: string[] }

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
  if (order.idempotencyKey !== undefined) checkIdempotencyKey(order.idempotencyKey)
}

/** The same order, whatever ids its uploads were given: inputs count by their bytes. */
function hashOrder(order: Order, inputs: Asset[]): Buffer {
  const { idempotencyKey: _key, warnings: _warnings, retryCount: _count, stickyKey: _sticky, ...asked } = order
  const text = JSON.stringify({ ...asked, inputs: order.inputs.map(({ role }, index) => [inputs[index]!.sha256, role]) }, (_key, value) =>
    value !== null && typeof value === 'object' && !Array.isArray(value) ? Object.fromEntries(Object.entries(value).sort(([a], [b]) => a < b ? -1 : 1)) : value)
  return createHash('sha256').update(text).digest()
}
