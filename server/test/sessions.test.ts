/**
 * Editing sessions over HTTP: turns that go on from one another with the brand in mind, undo and redo, branches, turns that fail, one at a time;
 * and a server that is killed and started in between.
 */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import sharp from 'sharp'
import { readConfig } from '../src/config.ts'
import { startHouse } from '../src/house.ts'
import { createLog } from '../src/kit/log.ts'
import { audit } from '../src/ledger/books.ts'
import { testHouse, type TestHouse } from './kit/house.ts'
import { startKillable } from './kit/killable.ts'

let house: TestHouse
before(async () => { house = await testHouse() })
after(async () => { await house?.close() })

interface Answered { status: number; headers: Headers; text: string; body: any }
const askAt = async (url: string, method: string, path: string, body: unknown, { key, headers = {} }: { key: string; headers?: Record<string, string> }): Promise<Answered> => {
  const answer = await fetch(`${url}/plantain/v1${path}`, { method, headers: { authorization: `Bearer ${key}`, ...(body === undefined ? {} : { 'content-type': 'application/json' }), ...headers }, ...(body === undefined ? {} : { body: JSON.stringify(body) }) })
  const text = await answer.text()
  return { status: answer.status, headers: answer.headers, text, body: text === '' ? null : JSON.parse(text) }
}
const ask = (method: string, path: string, body?: unknown, { key = house.testKey, headers = {} }: { key?: string; headers?: Record<string, string> } = {}) => askAt(house.url, method, path, body, { key, headers })
const rows = async (what: string, values: unknown[] = []) => (await house.database.query(what, values)).rows as Record<string, any>[]
const happened = async () => {
  while ((await rows(`select from task where state not in ('done', 'failed', 'cancelled') limit 1`)).length > 0) await pause(20)
  return (await rows('select (select count(*)::int from task) as tasks, (select count(*)::int from ledger where task_id is not null) as moves, (select count(*)::int from session_turn) as turns, (select count(*)::int from asset) as assets'))[0]
}
const photo = (background = '#c83c28') => sharp({ create: { width: 64, height: 64, channels: 3, background } }).png().toBuffer()
const upload = async (key = house.testKey): Promise<string> => (await ask('POST', '/assets', { base64: (await photo()).toString('base64') }, { key })).body.id
const small = { resolution: '512' }
const begin = async (more: object = {}, key = house.testKey): Promise<string> => {
  const { status, text, body } = await ask('POST', '/sessions', { name: 'Cup', model: 'sandbox-1', parameters: small, ...more }, { key })
  assert.equal(status, 201, text)
  return body.id
}
const turn = (id: string, prompt: string, more: object = {}, options: { key?: string; headers?: Record<string, string>; wait?: boolean } = {}) => ask('POST', `/sessions/${id}/turns${options.wait === false ? '' : '?wait=60'}`, { prompt, ...more }, options)
const made = async (...given: Parameters<typeof turn>) => {
  const { status, text, body } = await turn(...given)
  assert.deepEqual([status, body.state], [200, 'done'], text)
  return body
}
const standing = async (id: string) => (await ask('GET', `/sessions/${id}`)).body
const history = async (id: string) => (await ask('GET', `/sessions/${id}/turns`)).body
const move = (id: string, how: string, body?: object) => ask('POST', `/sessions/${id}/${how}`, body)

test('turns go on from one another, with the brand in mind each time', async () => {
  const reference = await upload()
  const id = await begin({ brand: { notes: 'Acme, calm.', style: 'ink', negative: 'text', references: [{ asset: reference, role: 'style' }] } })
  assert.equal((await ask('DELETE', `/assets/${reference}`)).status, 204, 'the session keeps its own')
  const first = await made(id, 'a cup')
  const second = await made(id, 'make it blue')
  const third = await made(id, 'on oak', { parameters: { seed: 3 } })
  assert.equal(first.prompt, 'a cup\n\nBrand: Acme, calm.\n\nStyle: ink\n\nAvoid: text')
  assert.equal(third.prompt, 'on oak\n\nBrand: Acme, calm.\n\nStyle: ink\n\nAvoid: text\n\nDone before, and already in the first picture:\n- a cup\n- make it blue')
  const brandPicture = first.inputs[0].asset
  assert.deepEqual(first.inputs.map((input: any) => input.role), ['style'])
  assert.deepEqual(second.inputs, [{ asset: first.outputs[0].id, role: 'reference' }, { asset: brandPicture, role: 'style' }])
  assert.deepEqual(third.inputs, [{ asset: second.outputs[0].id, role: 'reference' }, { asset: brandPicture, role: 'style' }])
  assert.deepEqual([third.parameters.seed, third.parameters.resolution, third.operation], [3, '512', 'edit'])
  const { data, head, heads } = await history(id)
  assert.deepEqual([head, heads, data.map((one: any) => [one.number, one.parent, one.on_path, one.prompt])], [third.id, [third.id], [[1, null, true, 'a cup'], [2, first.id, true, 'make it blue'], [3, second.id, true, 'on oak']]])
  // Under a test key the renderer does what it reads, so it reads only what is asked now.
  assert.doesNotMatch(JSON.stringify(third.details), /make it blue/)
})

test('undo goes back, redo forward, and a turn in between is a branch; nothing is deleted', async () => {
  const id = await begin()
  const first = await made(id, 'a cup')
  const second = await made(id, 'blue')
  assert.equal((await move(id, 'redo')).status, 409)
  assert.deepEqual([(await move(id, 'undo')).body.head, (await standing(id)).can_redo], [first.id, true])
  assert.equal((await move(id, 'undo')).body.head, null)
  assert.equal((await move(id, 'undo')).body.error.code, 'conflict')
  assert.equal((await move(id, 'redo')).body.head, first.id)
  assert.equal((await move(id, 'redo')).body.head, second.id)
  await move(id, 'undo')
  const other = await made(id, 'green')
  assert.deepEqual(other.inputs.map((input: any) => input.asset), [first.outputs[0].id])
  assert.doesNotMatch(other.prompt, /blue/)
  assert.deepEqual([(await standing(id)).head, (await standing(id)).can_redo], [other.id, false])
  assert.deepEqual((await history(id)).heads, [second.id, other.id])
  assert.equal((await move(id, 'branch', { turn: second.id })).body.head, second.id)
  const onward = await made(id, 'on oak')
  assert.deepEqual(onward.inputs.map((input: any) => input.asset), [second.outputs[0].id])
  assert.equal((await move(id, 'branch', { turn: null })).body.head, null)
  const anew = await made(id, 'a lamp')
  assert.deepEqual([anew.inputs, anew.operation], [[], 'generate'])
  assert.deepEqual((await history(id)).data.map((one: any) => one.parent), [null, first.id, first.id, second.id, null])
})

test('a turn that fails does not move the session, and nothing goes on from it', async () => {
  const id = await begin()
  const first = await made(id, 'a cup')
  const failed = (await turn(id, 'sandbox:fail=501')).body
  assert.equal(failed.state, 'failed')
  assert.equal((await standing(id)).head, first.id)
  assert.equal((await turn(id, 'x', { from: failed.id })).status, 409)
  assert.equal((await move(id, 'branch', { turn: failed.id })).status, 409)
  const next = await made(id, 'blue')
  assert.deepEqual(next.inputs.map((input: any) => input.asset), [first.outputs[0].id])
  assert.doesNotMatch(next.prompt, /sandbox/)
  assert.deepEqual((await history(id)).heads, [next.id])
})

test('one turn at a time, unless it names where it goes on from', async () => {
  const id = await begin()
  const first = await made(id, 'a cup')
  const slow = (await turn(id, 'blue sandbox:slow=6s', {}, { wait: false })).body
  assert.equal((await standing(id)).making, slow.id)
  const before = (await rows('select count(*)::int as n from task'))[0]!.n
  const second = await turn(id, 'green', {}, { wait: false })
  assert.deepEqual([second.status, second.body.error.code, second.body.error.field], [409, 'conflict', 'from'])
  assert.equal((await rows('select count(*)::int as n from task'))[0]!.n, before)
  assert.equal((await move(id, 'undo')).status, 409)
  const branch = await made(id, 'green', { from: first.id })
  await ask('GET', `/tasks/${slow.id}/wait`)
  // The one that was asked for last, whichever was done first.
  assert.equal((await standing(id)).head, branch.id)
  const answers = await Promise.all(Array.from({ length: 8 }, (_, index) => turn(id, `all at once ${index}`, {}, { wait: false })))
  assert.deepEqual(answers.map(({ status }) => status).sort(), [202, 409, 409, 409, 409, 409, 409, 409])
  await ask('GET', `/tasks/${answers.find(({ status }) => status === 202)!.body.id}/wait`)
})

test('the same key is the same turn, also when the session has moved on', async () => {
  const id = await begin()
  const headers = { 'idempotency-key': 'turn-1' }
  const first = await made(id, 'a cup', {}, { headers })
  await made(id, 'blue')
  const again = await turn(id, 'a cup', {}, { headers })
  assert.deepEqual([again.status, again.body.id, again.headers.get('idempotent-replayed')], [200, first.id, 'true'])
  assert.equal((await turn(id, 'another', {}, { headers })).status, 422)
  assert.equal((await history(id)).data.length, 2)
})

test('the same key is the same turn, also when the picture it made is gone', async () => {
  const id = await begin()
  const headers = { 'idempotency-key': 'turn-whose-picture-goes' }
  const first = await made(id, 'a cup', {}, { headers })
  assert.equal((await ask('DELETE', `/assets/${first.outputs[0].id}`)).status, 204)
  assert.equal((await turn(id, 'blue')).body.error.field, 'from', 'there is nothing to go on from')
  const before = await happened()
  const again = await turn(id, 'a cup', {}, { headers })
  assert.deepEqual([again.status, again.body.id, again.headers.get('idempotent-replayed')], [200, first.id, 'true'])
  assert.equal((await turn(id, 'another', {}, { headers })).status, 422)
  assert.deepEqual(await happened(), before)
})

test('brands written at once keep the pictures of the one that stays, and no others', async () => {
  const { testKey: key } = await house.newAccount()
  const uploads = await Promise.all(Array.from({ length: 8 }, () => upload(key)))
  const id = await begin({ brand: { references: [uploads[0]] } }, key)
  const { brand: { references: [kept] } } = (await ask('GET', `/sessions/${id}`, undefined, { key })).body
  const answers = await Promise.all(uploads.map((reference, index) => ask('PATCH', `/sessions/${id}`, { brand: { references: index % 2 === 0 ? [kept, reference] : [reference] } }, { key })))
  assert.ok(answers.some(({ status }) => status === 200), answers[0]!.text)
  for (const { status, text, body } of answers) assert.ok(status === 200 || status === 409 && body.error.code === 'conflict' || status === 422 || status === 400 && body.error.code === 'bad_input_image', text)
  const left = async () => (await rows('select a.id from asset a where a.project_id = (select project_id from asset where id = $1) and a.id <> all($2::uuid[]) order by a.id', [uploads[0], uploads])).map(row => row.id.replaceAll('-', ''))
  const { brand } = (await ask('GET', `/sessions/${id}`, undefined, { key })).body
  assert.deepEqual(await left(), brand.references.map((one: any) => one.asset.replaceAll('-', '')).toSorted())
  assert.equal((await ask('DELETE', `/sessions/${id}`, undefined, { key })).status, 204)
  assert.deepEqual(await left(), [])
})

test('of several pictures the chosen one is gone on from', async () => {
  const id = await begin({ parameters: { ...small, count: 3 } })
  const first = await made(id, 'a cup')
  assert.equal(first.outputs.length, 3)
  assert.equal((await ask('POST', `/sessions/${id}/turns/${first.id}/select`, { output: 3 })).status, 400)
  assert.equal((await ask('POST', `/sessions/${id}/turns/${first.id}/select`, { output: 2 })).status, 200)
  const second = await made(id, 'blue')
  assert.deepEqual(second.inputs.map((input: any) => input.asset), [first.outputs[2].id])
  assert.equal((await history(id)).data[0].selected, 2)
})

test('a session with a template fills it each turn', async () => {
  const source = { model: 'sandbox-1', prompt: '{{prompt}}, for {{shop}}', variables: [{ name: 'prompt', type: 'text' }, { name: 'shop', type: 'text', default: 'Acme' }], parameters: small, locked: ['resolution'] }
  assert.equal((await ask('POST', '/templates', { slug: 'shop', name: 'Shop', template: source })).status, 201)
  assert.equal((await ask('POST', '/templates/shop/publish', {})).status, 200)
  const id = await begin({ model: 'template:shop', parameters: {}, brand: { style: 'ink' } })
  await made(id, 'a cup')
  const second = await made(id, '', { variables: { prompt: 'blue', shop: 'Beta' } })
  assert.equal(second.prompt, 'blue, for Beta\n\nStyle: ink\n\nDone before, and already in the first picture:\n- a cup')
  assert.deepEqual([second.template, second.inputs.length], [{ slug: 'shop', version: 1 }, 1])
  assert.match((await turn(id, 'x', { parameters: { resolution: '2K' } })).text, /locked by the template/)
})

test('without money there is no turn, and the session stands where it stood', async () => {
  const poor = await house.newAccount({ liveDollars: 0.05 })
  const id = await begin({ model: 'rehearsal-1', parameters: {} }, poor.liveKey)
  const first = await made(id, 'a cup', {}, { key: poor.liveKey })
  let last = await turn(id, 'more', {}, { key: poor.liveKey })
  while (last.status === 200) last = await turn(id, 'more', {}, { key: poor.liveKey })
  assert.equal(last.status, 402)
  assert.ok(last.body.error.required_micros > last.body.error.available_micros)
  const { body } = await ask('GET', `/sessions/${id}/turns`, undefined, { key: poor.liveKey })
  assert.ok(body.data.every((one: any) => one.task.state === 'done'))
  assert.equal(body.data[0].id, first.id)
  assert.equal((await rows('select turns from session where id = $1', [id]))[0]!.turns, body.data.length)
  assert.equal((await ask('GET', `/sessions/${id}`)).status, 404, 'a test key sees nothing of it')
})

test('it is listed, changed and removed; its tasks stay', async () => {
  const id = await begin({ brand: { references: [await upload()] } })
  const first = await made(id, 'a cup')
  assert.equal((await ask('GET', '/sessions?limit=1')).body.data[0].id, id)
  const second = (await ask('GET', `/sessions?limit=1&after=${(await ask('GET', '/sessions?limit=1')).body.next}`)).body
  assert.notEqual(second.data[0].id, id)
  const changed = (await ask('PATCH', `/sessions/${id}`, { name: 'Lamp', brand: { notes: 'new' } })).body
  assert.deepEqual([changed.name, changed.brand.notes, changed.brand.references, changed.head], ['Lamp', 'new', [], first.id])
  const other = await house.newAccount({ scopes: ['tasks:read'] })
  assert.equal((await ask('GET', `/sessions/${id}`, undefined, { key: other.testKey })).status, 404)
  assert.equal((await ask('POST', '/sessions', { model: 'sandbox-1' }, { key: other.testKey })).status, 403)
  assert.equal((await ask('DELETE', `/sessions/${id}`)).status, 204)
  assert.equal((await ask('DELETE', `/sessions/${id}`)).status, 404)
  assert.equal((await turn(id, 'x')).status, 404)
  assert.equal((await ask('GET', `/tasks/${first.id}`)).body.state, 'done')
})

test('bad input is refused, and nothing happens', async () => {
  const id = await begin()
  const first = await made(id, 'a cup')
  const other = await begin()
  const foreign = await made(other, 'a cup')
  const gone = 'f'.repeat(32)
  const before = await happened()
  const refused = async (what: string, asked: Promise<Answered>, status: number, field?: string) => {
    const { status: heard, text, body } = await asked
    assert.equal(heard, status, `${what}: ${text}`)
    if (field !== undefined) assert.equal(body.error.field, field, `${what}: ${text}`)
  }
  const create = (body: unknown) => ask('POST', '/sessions', body)
  await refused('no model', create({}), 400, 'model')
  await refused('a model nobody knows', create({ model: 'nobody' }), 404, 'model')
  await refused('a template nobody made', create({ model: 'template:nobody' }), 404, 'model')
  await refused('a model that cannot edit', create({ model: 'imagen-4' }), 400, 'model')
  await refused('a model that makes films', create({ model: 'sora-2' }), 400, 'model')
  await refused('a brand that is text', create({ model: 'sandbox-1', brand: 'Acme' }), 400, 'brand')
  await refused('a picture that is not there', create({ model: 'sandbox-1', brand: { references: [gone] } }), 400, 'brand.references[0]')
  await refused('a picture by its name', create({ model: 'sandbox-1', brand: { references: ['a.png'] } }), 400, 'brand.references[0]')
  await refused('a field there is not', create({ model: 'sandbox-1', colour: 'red' }), 400, 'colour')
  await refused('no words', turn(id, ' '), 400, 'prompt')
  await refused('a session there is not', turn(gone, 'x'), 404)
  await refused('a session by a name', turn('cup', 'x'), 404)
  await refused('a turn there is not', turn(id, 'x', { from: gone }), 404, 'from')
  await refused('a turn by its number', turn(id, 'x', { from: '1' }), 404, 'from')
  await refused('a turn of another session', turn(id, 'x', { from: foreign.id }), 404, 'from')
  await refused('a parameter there is not', turn(id, 'x', { parameters: { wings: 2 } }), 400, 'parameters.wings')
  await refused('an input there is not', turn(id, 'x', { inputs: [gone] }), 400)
  await refused('bytes that are no picture', turn(id, 'x', { inputs: [{ base64: 'AAAA' }] }), 415)
  await refused('variables without a template', turn(id, 'x', { variables: { a: 1 } }), 400, 'variables')
  await refused('a key with spaces', turn(id, 'x', {}, { headers: { 'idempotency-key': 'a b' } }), 400)
  await refused('a wait without end', ask('POST', `/sessions/${id}/turns?wait=9999`, { prompt: 'x' }), 400, 'wait')
  await refused('a call back to nowhere', turn(id, 'x', { callback_url: 'ftp://a' }), 400)
  await refused('a trigger there is not', turn(id, 'sandbox:nonsense'), 400, 'prompt')
  await refused('credits that are used up', turn(id, 'sandbox:credits'), 402)
  await refused('a branch to a turn of another session', move(id, 'branch', { turn: foreign.id }), 404)
  await refused('a branch to nothing said', move(id, 'branch', {}), 400)
  await refused('a choice that is no number', ask('POST', `/sessions/${id}/turns/${first.id}/select`, { output: -1 }), 400)
  await refused('a choice of a turn there is not', ask('POST', `/sessions/${id}/turns/${gone}/select`, { output: 0 }), 404)
  await refused('a change of nothing', ask('PATCH', `/sessions/${id}`, {}), 400)
  await refused('a change to a model that cannot edit', ask('PATCH', `/sessions/${id}`, { model: 'imagen-4' }), 400, 'model')
  assert.deepEqual(await happened(), before)
  assert.equal((await standing(id)).head, first.id)
})

test('the books add up', async () => assert.deepEqual(await house.audit(), []))

test('a server that is killed while turns are made: where a session stands always agrees with its tasks', async t => {
  const { server, upstream, environment, url, secret: key } = await startKillable(t)
  const at = (method: string, path: string, body?: unknown, headers: Record<string, string> = {}) => askAt(url, method, path, body, { key, headers })
  const { id } = (await at('POST', '/sessions', { model: 'rehearsal-1' })).body
  const started = (await at('POST', `/sessions/${id}/turns?wait=60`, { prompt: 'a cup' })).body
  assert.equal(started.state, 'done')

  for (let round = 0; round < 4; round++) {
    const headers = { 'idempotency-key': `round-${round}` }
    const body = { prompt: `round ${round} ${round % 2 === 0 ? 'rehearse:slow' : 'rehearse:queued'}` }
    // Whoever asks does not hear whether it was taken; the key makes that harmless.
    const asked = at('POST', `/sessions/${id}/turns`, body, headers).catch(() => null)
    await pause(Math.random() * 150)
    await server.kill()
    await asked
    await server.start()
    const again = (await at('POST', `/sessions/${id}/turns?wait=60`, body, headers)).body
    assert.ok(['done', 'failed'].includes(again.state), JSON.stringify(again))
    const [{ data, head }, session] = [(await at('GET', `/sessions/${id}/turns`)).body, (await at('GET', `/sessions/${id}`)).body]
    assert.deepEqual([head, session.head], [data.filter((one: any) => one.task.state === 'done').at(-1).id, head])
    assert.equal(data.at(-1).id, again.id)
    assert.equal(session.making, null)
  }
  const { data } = (await at('GET', `/sessions/${id}/turns`)).body
  assert.deepEqual(data.map((one: any) => one.number), [1, 2, 3, 4, 5])
  await at('POST', `/sessions/${id}/undo`)
  const undone = (await at('GET', `/sessions/${id}`)).body
  await server.stop()
  await server.start()
  assert.deepEqual((await at('GET', `/sessions/${id}`)).body, undone)
  const { tasks } = upstream.stats()
  for (const [taskId, { accepted }] of Object.entries(tasks)) assert.ok(accepted <= 1, `${taskId} was bought ${accepted} times`)
  await server.stop()
  const left = await startHouse(readConfig({ ...environment, PORT: '0' }), { roles: [], log: createLog('error') })
  try {
    const { rows: [counted] } = await left.database.query<{ tasks: number; turns: number }>('select (select count(*)::int from task) as tasks, (select count(*)::int from session_turn) as turns')
    assert.deepEqual(counted, { tasks: 5, turns: 5 })
    assert.deepEqual(await audit(left.database), [])
  } finally { await left.close() }
})
