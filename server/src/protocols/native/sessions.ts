import { Type, type Static } from 'typebox'
import type { InputReference, Role } from '../../domain/order.ts'
import { roles } from '../../domain/order.ts'
import type { Json } from '../../domain/outcome.ts'
import { Problem } from '../../domain/problem.ts'
import { turnsMax, type Brand, type Session, type SessionChange, type Turn } from '../../domain/session.ts'
import { hasEnded, type Task } from '../../domain/task.ts'
import { isId } from '../../kit/id.ts'
import { queryReader, reader } from '../../kit/schema.ts'
import type { Desk, Incoming, Route } from '../contract.ts'
import { InputBody, readInput, takeIn } from './inputs.ts'
import { After, base, found, Limit, limitDefault, readAfter, readId, readIdempotencyKey, readWait, waitMaxS } from './read.ts'
import { Id, json, PageView, TaskView, Time, viewPage, viewTask } from './view.ts'

const AnyJson = Type.Unknown()
const maybe = <S extends Parameters<typeof Type.Array>[0]>(schema: S) => Type.Union([schema, Type.Null()])
const Values = Type.Record(Type.String({ minLength: 1, maxLength: 100 }), AnyJson)
const note = (description: string) => Type.Optional(Type.String({ maxLength: 20_000, description }))

const BrandBody = Type.Object({
  notes: note('What holds for every picture; `Brand: …` in every prompt.'), style: note('`Style: …`'), negative: note('`Avoid: …`'),
  references: Type.Optional(Type.Array(Type.Union([Type.String({ description: 'The id of an asset.' }), Type.Object({ asset: Type.String(), role: Type.Optional(Type.Enum([...roles])) }, { additionalProperties: false })]),
    { maxItems: 16, description: 'Pictures that go with every turn, behind the one that is changed. Kept for good.' })),
}, { additionalProperties: false, title: 'Brand' })
const fields = {
  name: Type.String({ minLength: 1, maxLength: 200 }),
  model: Type.String({ minLength: 1, maxLength: 200, description: 'A model that can edit, or a template.' }),
  parameters: Type.Optional(Values), brand: Type.Optional(BrandBody),
}
const NewBody = Type.Object({ ...fields, name: Type.Optional(fields.name) }, { additionalProperties: false, title: 'NewSession', examples: [{ name: 'Spring campaign', model: 'nano-banana-2', brand: { notes: 'Calm, no text.', style: 'soft morning light' } }] })
const ChangeBody = Type.Object({ name: Type.Optional(fields.name), model: Type.Optional(fields.model), parameters: fields.parameters, brand: fields.brand }, { additionalProperties: false, minProperties: 1, title: 'SessionChange' })
const TurnRef = Type.String({ minLength: 1, maxLength: 60 })
const TurnBody = Type.Object({
  prompt: Type.Optional(Type.String({ description: 'What to make, or to change in the picture of the turn before.' })),
  variables: Type.Optional(Values), parameters: Type.Optional(Values),
  inputs: Type.Optional(Type.Array(InputBody, { maxItems: 32, description: 'More pictures, behind the one that is changed.' })),
  from: Type.Optional(maybe(TurnRef)),
  callback_url: Type.Optional(Type.String({ minLength: 1, maxLength: 2_048 })),
  metadata: Type.Optional(Type.Record(Type.String({ minLength: 1, maxLength: 64 }), Type.String({ maxLength: 512 }), { maxProperties: 16 })),
}, { additionalProperties: false, title: 'NewTurn', examples: [{ prompt: 'Make the sky a clear evening.' }] })
const BranchBody = Type.Object({ turn: maybe(TurnRef) }, { additionalProperties: false, title: 'Branch', description: 'A turn that is done; null is the beginning.' })
const SelectBody = Type.Object({ output: Type.Integer({ minimum: 0, description: 'From 0.' }) }, { additionalProperties: false, title: 'Selection' })
/** 64 MiB: base64 makes a picture a third longer, and a few may come in one body. */
const bodyMax = 64 * 1024 * 1024
const read = { create: reader(NewBody), change: reader(ChangeBody), turn: reader(TurnBody), branch: reader(BranchBody), select: reader(SelectBody) }

const SessionView = Type.Object({
  id: Id, object: Type.Literal('session'), livemode: Type.Boolean(), name: Type.String(), model: Type.String(), parameters: Values,
  brand: Type.Object({ notes: maybe(Type.String()), style: maybe(Type.String()), negative: maybe(Type.String()), references: Type.Array(Type.Object({ asset: Id, role: Type.Enum([...roles]) })) }),
  head: maybe(Type.String({ description: 'The turn the next one goes on from.' })), making: maybe(Type.String({ description: 'The turn that is being made.' })),
  can_undo: Type.Boolean(), can_redo: Type.Boolean(), turns: Type.Integer({ description: 'How many there ever were.' }), created_at: Time, updated_at: Time,
}, { title: 'Session' })
const TurnView = Type.Object({
  id: Id, object: Type.Literal('turn'), number: Type.Integer(), parent: maybe(Id), children: Type.Array(Id), on_path: Type.Boolean({ description: 'Whether the head came by it.' }), prompt: Type.String({ description: 'As it was asked; the task has the whole one.' }),
  selected: Type.Integer({ description: 'The output the next turn goes on from.' }), task: TaskView,
}, { title: 'Turn' })
const HistoryView = Type.Object({ object: Type.Literal('history'), session: Id, head: maybe(Id), heads: Type.Array(Id, { description: 'Where branches end.' }), data: Type.Array(TurnView) }, { title: 'SessionHistory' })

const view = (session: Session): Static<typeof SessionView> => ({
  id: session.id, object: 'session', livemode: session.livemode, name: session.name, model: session.model, parameters: session.parameters,
  brand: { notes: session.brand.notes ?? null, style: session.brand.style ?? null, negative: session.brand.negative ?? null, references: session.brand.references.map(({ assetId, role }) => ({ asset: assetId, role })) },
  head: session.head, making: session.making, can_undo: session.head !== null && session.making === null, can_redo: session.undone.length > 0 && session.making === null, turns: session.turns,
  created_at: session.createdAt.toISOString(), updated_at: session.updatedAt.toISOString(),
})

function viewHistory(session: Session, turns: { turn: Turn; task: Task }[], desk: Desk) {
  const byId = new Map(turns.map(one => [one.turn.id, one.turn]))
  const children = new Map<string, string[]>()
  for (const { turn } of turns) if (turn.parent !== null) children.set(turn.parent, [...children.get(turn.parent) ?? [], turn.id])
  const path = new Set<string>()
  for (let at = session.head; at !== null; at = byId.get(at)?.parent ?? null) path.add(at)
  // A turn that failed is no end of a branch: nothing can go on from it.
  const isEnd = ({ id, state }: Turn) => state === 'done' && (children.get(id) ?? []).every(child => byId.get(child)!.state !== 'done')
  return {
    object: 'history' as const, session: session.id, head: session.head, heads: turns.filter(({ turn }) => isEnd(turn)).map(({ turn }) => turn.id),
    data: turns.map(({ turn, task }) => ({ id: turn.id, object: 'turn' as const, number: turn.number, parent: turn.parent, children: children.get(turn.id) ?? [], on_path: path.has(turn.id), prompt: turn.prompt, selected: turn.selected, task: viewTask(task, desk) })),
  }
}

const readBrand = ({ references = [], ...notes }: Static<typeof BrandBody>): Brand => ({
  ...notes,
  references: references.map((one, index): InputReference => {
    const { asset, role = 'reference' as Role } = typeof one === 'string' ? { asset: one } : one
    if (!isId(asset)) throw new Problem('bad_input_image', `brand.references[${index}]: there is no asset ${asset.slice(0, 100)}.`, { field: `brand.references[${index}]`, value: asset.slice(0, 100) })
    return { assetId: asset.replaceAll('-', ''), role }
  }),
}) as Brand

const readTurnId = (text: string, field: string): string => {
  if (!isId(text)) throw new Problem('not_found', `This session has no turn ${text.slice(0, 100)}.`, { field, value: text.slice(0, 100) })
  return text.replaceAll('-', '')
}

async function the(request: Incoming, desk: Desk): Promise<Session> {
  const id = readId(request, 'session')
  return found(await desk.sessions.find(id), 'session', id)
}

const tag = 'Sessions'

const create: Route = {
  method: 'POST', path: `${base}/sessions`, scope: 'tasks:write',
  about: { tag, summary: 'Begin a session', body: NewBody, answer: SessionView, status: 201, description: 'A picture changed turn by turn, with notes and pictures that go with every turn.' },
  async handle({ body }, desk) {
    const { name = 'Session', model, parameters = {}, brand = {} } = read.create(body)
    return json(view(await desk.sessions.create({ name, model, parameters: parameters as Record<string, Json>, brand: readBrand(brand) })), 201)
  },
}

const SessionQuery = Type.Object({ after: After, limit: Limit }, { additionalProperties: false })
const readQuery = queryReader(SessionQuery)
const list: Route = {
  method: 'GET', path: `${base}/sessions`, scope: 'tasks:read',
  about: { tag, summary: 'List sessions, newest first', query: SessionQuery, answer: PageView(SessionView) },
  async handle({ query }, desk) {
    const { after, limit = limitDefault } = readQuery(query)
    return json(viewPage(await desk.sessions.list({ after: readAfter(after), limit }), view))
  },
}

const get: Route = {
  method: 'GET', path: `${base}/sessions/:id`, scope: 'tasks:read',
  about: { tag, summary: 'Get a session', answer: SessionView },
  handle: async (request, desk) => json(view(await the(request, desk))),
}

const change: Route = {
  method: 'PATCH', path: `${base}/sessions/:id`, scope: 'tasks:write',
  about: { tag, summary: 'Change what goes with the next turns', body: ChangeBody, answer: SessionView },
  async handle(request, desk) {
    const { brand, ...rest } = read.change(request.body)
    return json(view(await desk.sessions.change(readId(request, 'session'), { ...rest, ...(brand === undefined ? {} : { brand: readBrand(brand) }) } as SessionChange)))
  },
}

const remove: Route = {
  method: 'DELETE', path: `${base}/sessions/:id`, scope: 'tasks:write',
  about: { tag, summary: 'Remove a session', status: 204, description: 'Its tasks and their pictures stay.' },
  async handle(request, desk) {
    await desk.sessions.remove(readId(request, 'session'))
    return new Response(null, { status: 204 })
  },
}

const history: Route = {
  method: 'GET', path: `${base}/sessions/:id/turns`, scope: 'tasks:read',
  about: { tag, summary: 'The tree of turns', answer: HistoryView, description: `All of them, in the order they were asked for; a session has at most ${turnsMax}.` },
  async handle(request, desk) {
    const session = await the(request, desk)
    return json(viewHistory(session, await desk.sessions.turns(session.id), desk))
  },
}

const turn: Route = {
  method: 'POST', path: `${base}/sessions/:id/turns`, scope: 'tasks:write', bodyMax,
  about: {
    tag, summary: 'Ask for the next turn', body: TurnBody, answer: TaskView, status: 202,
    query: Type.Object({ wait: Type.Optional(Type.Integer({ minimum: 0, maximum: waitMaxS, description: 'Seconds to wait for the end.' })) }),
    description: 'Answers with its task. One turn is made at a time: another one is refused with 409, unless it names where it goes on from (`from`), which begins a branch. A turn that fails does not move the session.',
  },
  async handle(request, desk) {
    const wait = readWait(request)
    const idempotencyKey = readIdempotencyKey(request.headers)
    const { prompt = '', variables, parameters = {}, inputs = [], from, callback_url: callbackUrl, metadata } = read.turn(request.body)
    const session = await the(request, desk)
    const taken = await takeIn(inputs.map((input, index) => readInput(input, `inputs[${index}]`)), desk)
    let keep = false
    try {
      const { task: begun, replayed } = await desk.sessions.turn(session.id, {
        prompt, inputs: taken.inputs, parameters: parameters as Record<string, Json>, ...(variables === undefined ? {} : { variables: variables as Record<string, Json> }),
        ...(from === undefined ? {} : { from: from === null ? null : readTurnId(from, 'from') }), ...(idempotencyKey === undefined ? {} : { idempotencyKey }),
        ...(callbackUrl === undefined ? {} : { callbackUrl }), ...(metadata === undefined ? {} : { metadata }),
      })
      keep = !replayed
      const task = wait.seconds > 0 && !hasEnded(begun.state) ? await desk.settled(begun.id, { waitMs: wait.seconds * 1_000, signal: request.signal }) : begun
      return json(viewTask(task, desk), hasEnded(task.state) ? 200 : 202, {
        location: `${base}/tasks/${task.id}`, 'x-task-id': task.id, ...(replayed ? { 'idempotent-replayed': 'true' } : {}), ...(wait.preferred ? { 'preference-applied': `wait=${wait.seconds}` } : {}),
      })
    } finally {
      if (!keep) await taken.giveBack()
    }
  },
}

const step = (name: 'undo' | 'redo', summary: string): Route => ({
  method: 'POST', path: `${base}/sessions/:id/${name}`, scope: 'tasks:write', body: 'none',
  about: { tag, summary, answer: SessionView, description: 'Moves the head; nothing is deleted.' },
  handle: async (request, desk) => json(view(await desk.sessions[name](readId(request, 'session')))),
})

const branch: Route = {
  method: 'POST', path: `${base}/sessions/:id/branch`, scope: 'tasks:write',
  about: { tag, summary: 'Go to a turn', body: BranchBody, answer: SessionView, description: 'The next turn goes on from there.' },
  async handle(request, desk) {
    const { turn } = read.branch(request.body)
    return json(view(await desk.sessions.branch(readId(request, 'session'), turn === null ? null : readTurnId(turn, 'turn'))))
  },
}

const select: Route = {
  method: 'POST', path: `${base}/sessions/:id/turns/:turn/select`, scope: 'tasks:write',
  about: { tag, summary: 'Choose which picture of a turn is gone on from', body: SelectBody, answer: SessionView },
  async handle(request, desk) {
    const { output } = read.select(request.body)
    return json(view(await desk.sessions.select(readId(request, 'session'), readTurnId(request.params.turn ?? '', 'turn'), output)))
  },
}

export const sessions: Route[] = [create, list, get, change, remove, history, turn, step('undo', 'Go back a turn'), step('redo', 'Go forward again'), branch, select]
