import assert from 'node:assert/strict'
import { createHmac, createPublicKey, randomBytes, verify as verifySignature } from 'node:crypto'
import { once } from 'node:events'
import { copyFile, mkdtemp, readdir, rm } from 'node:fs/promises'
import { createServer, type IncomingHttpHeaders, type ServerResponse } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import { Webhook } from 'standardwebhooks'
import { readConfig } from '../src/config.ts'
import { DatabaseDown } from '../src/db/down.ts'
import { writeOutgoing, type Outgoing } from '../src/db/deliveries.ts'
import type { Client, Database } from '../src/db/pool.ts'
import { migrate, migrationsDirectory } from '../src/db/migrate.ts'
import { createDelivery, type DeliveryOptions } from '../src/delivery/delivery.ts'
import { createHands, createRecord, holdFresh } from '../src/delivery/outbox.ts'
import { pausesMs } from '../src/delivery/schedule.ts'
import { readSigningKey } from '../src/delivery/signature.ts'
import { Problem, type ProblemCode } from '../src/domain/problem.ts'
import { sharedSecret, startHouse, type House } from '../src/house.ts'
import { writeKeySet } from '../src/jwks.ts'
import { newId } from '../src/kit/id.ts'
import { createLog } from '../src/kit/log.ts'
import { testDatabase } from './kit/database.ts'
import { testHouse, testSettings } from './kit/house.ts'

const { database, close } = await testDatabase({ max: 10 })
after(close)

// The receiver -----------------------------------------------------------------------------------------------------------

interface Letter { path: string; headers: IncomingHttpHeaders; body: string }

type Answer = (response: ServerResponse, letter: Letter) => void

const answers = new Map<string, Answer>()
const letters: Letter[] = []
const receiver = createServer((request, response) => {
  let body = ''
  request.setEncoding('utf8').on('data', text => { body += text }).on('end', () => {
    const letter = { path: request.url!, headers: request.headers, body }
    letters.push(letter)
    const answer = answers.get(letter.path) ?? say(200)
    answer(response, letter)
  })
})
await new Promise<void>(done => { receiver.listen(0, '127.0.0.1', done) })
const { port } = receiver.address() as { port: number }
after(() => { receiver.closeAllConnections(); receiver.close() })

const say = (status: number, text = 'fine', headers: Record<string, string> = {}): Answer => response => { response.writeHead(status, headers).end(text) }
const hang: Answer = () => {}
const cut: Answer = response => { response.socket!.destroy() }

let places = 0
/** An address of its own for a test, with what it answers. A list is answered from the front, its last entry for ever. */
const place = (answer: Answer | Answer[] = say(200), host = '127.0.0.1') => {
  const path = `/hook/${++places}`
  const list = [answer].flat()
  answers.set(path, (response, letter) => (list.length > 1 ? list.shift()! : list[0]!)(response, letter))
  return { path, url: `http://${host}:${port}${path}`, got: () => letters.filter(letter => letter.path === path) }
}

// The house --------------------------------------------------------------------------------------------------------------

let offsetMs = 0
const now = () => new Date(Date.now() + offsetMs)

const until = async <Value>(look: () => Promise<Value> | Value, what = look.toString()): Promise<NonNullable<Value>> => {
  for (const end = Date.now() + 120_000; ;) {
    const found = await look()
    if (found) return found
    if (Date.now() > end) throw new Error(`This did not become true within two minutes: ${what}`)
    await pause(5)
  }
}

const words: string[] = []
const log = { warn: (fields: object, message: string) => { words.push(`${message} ${JSON.stringify(fields)}`) }, error: (fields: object, message: string) => { words.push(`${message} ${JSON.stringify(fields)}`) } }
const bodyOf = (delivery: Pick<Outgoing, 'taskId' | 'eventType'>) => JSON.stringify({ type: delivery.eventType, timestamp: '2026-11-20T10:00:00.000Z', data: { id: delivery.taskId, prompt: 'ein Äpfelchen 🍎' } })

/** A house that delivers: opened for one test and closed with it. */
const open = async (t: { after(work: () => Promise<void>): void }, changed: Partial<DeliveryOptions> = {}) => {
  const workerId = changed.workerId ?? newId()
  await database.query(`insert into worker (id, host, pid) values ($1, 'test', 1) on conflict do nothing`, [workerId])
  const room = createDelivery({ database, allowPrivate: true, writeBody: async delivery => bodyOf(delivery), now, log, random: () => 0.5, pollMs: 3_600_000, timeoutMs: 600_000, ...changed, workerId })
  t.after(async () => room.stop())
  return { ...room, workerId }
}

const accountId = newId()
await database.query(`insert into account (id, name) values ($1, 'Test')`, [accountId])

/** A project of its own for a test. */
const tenant = async () => {
  const projectId = newId()
  await database.query(`insert into project (id, account_id, name) values ($1, $2, 'Test')`, [projectId, accountId])
  return { accountId, projectId, keyId: newId(), livemode: false }
}
type Tenant = Awaited<ReturnType<typeof tenant>>

/** Writes outbox rows as the settling transaction does, and as of the clock of these tests: by it a row of the database's own clock may be days old, and lost. */
const writeAll = (rows: Outgoing[], worker: string | null = null): Promise<Outgoing[]> => database.transaction(async client => {
  const written = await writeOutgoing(client, rows, worker)
  for (const row of written) {
    await setDue(row, now(), client)
    if (row.hand) await client.query('update delivery_hand set created_at = $2 where id = $1', [row.hand, now()])
  }
  return written
})
const write = async ({ projectId, livemode }: Tenant, url: string, { worker = null, ...changed }: Partial<Outgoing> & { worker?: string | null } = {}): Promise<Outgoing> =>
  (await writeAll([{ id: newId(), projectId, livemode, taskId: newId(), endpointId: null, eventType: 'task.completed', style: 'plantain', url, ...changed }], worker))[0]!

const setDue = async ({ id }: { id: string }, due: Date, client: Client = database) => {
  await client.query('update delivery set due_at = $2 where id = $1', [id, due])
  await client.query('update delivery_due set due_at = $2 where delivery_id = $1', [id, due])
}

/** With `worker`, who is to send it, and how many attempts are told of. */
const rowOf = async ({ id }: { id: string }) => (await database.query(`
  select *, (select count(*)::int from delivery_attempt where delivery_id = id) + (last_number is not null)::int as logged,
    case when state <> 'pending' then null when exists (select from delivery_due where delivery_id = id) then (select worker from delivery_due where delivery_id = id)
      else (select worker from delivery_hand where delivery.id = any(deliveries)) end as worker
  from delivery where id = $1`, [id])).rows[0]
/** The row once an attempt (of this number) is written down. */
const settled = (row: { id: string }, attempts = 1) => until(async () => {
  const found = await rowOf(row)
  return found.worker === null && found.attempts === attempts && found.logged >= 1 ? found : null
}, `attempt ${attempts} of ${row.id} is written down`)

/** Ends what hangs at a place, and what would still go there. */
const bury = async ({ path, url }: { path: string; url: string }) => {
  answers.set(path, cut)
  await database.query(`update delivery set state = 'parked' where url = $1`, [url])
  receiver.closeAllConnections()
}

const stateOf = ({ state, attempts, last_status, last_error }: any) => [state, attempts, last_status, last_error]
const signatures = (letter: Letter) => String(letter.headers['webhook-signature']).split(' ')
const refused = (code: ProblemCode) => (error: unknown) => error instanceof Problem && error.code === code

// Signed and delivered ---------------------------------------------------------------------------------------------------

test('a row from the settling transaction is sent at once, signed so that the library verifies it', async t => {
  const room = await open(t)
  room.start()
  const owner = await tenant()
  const { url, got } = place(say(201, 'thank you'))
  const endpoint = await room.webhooks(owner).create({ url, events: ['*'] })
  const row = await write(owner, url, { endpointId: endpoint.id, worker: room.workerId })
  room.wake([row])
  const found = await settled(row)
  assert.deepEqual(stateOf(found), ['delivered', 1, 201, null])
  assert.ok(found.delivered_at)
  const [letter] = got()
  assert.deepEqual(new Webhook(endpoint.secret!).verify(letter!.body, letter!.headers as Record<string, string>), JSON.parse(bodyOf(row)))
  assert.equal(letter!.headers['webhook-id'], `msg_${row.id}`)
  assert.equal(letter!.headers['x-plantain-event'], 'task.completed')
  assert.equal(letter!.headers['content-type'], 'application/json')
  assert.match(letter!.headers['user-agent']!, /^Plantain\/\d+\.\d+\.\d+$/)
  const { log: [entry], ...view } = (await room.webhooks(owner).delivery(row.id)) as any
  assert.deepEqual([entry.number, entry.status, entry.error, entry.answer], [1, 201, null, 'thank you'])
  assert.deepEqual([view.state, view.dueAt, view.taskId, view.endpointId], ['delivered', null, row.taskId, endpoint.id])
})

test("a call back asked for in a request is signed with the project's own secret, of its mode", async t => {
  const room = await open(t)
  room.start()
  const owner = await tenant()
  const live = { ...owner, livemode: true }
  const { url, got } = place()
  const row = await write(owner, url)
  room.wake()
  await settled(row)
  const secret = await room.webhooks(owner).callbackSecret()
  const verify = (key: string, letter: Letter) => new Webhook(key).verify(letter.body, letter.headers as Record<string, string>)
  verify(secret, got()[0]!)
  const liveSecret = await room.webhooks(live).callbackSecret()
  assert.notEqual(liveSecret, secret)
  assert.throws(() => verify(liveSecret, got()[0]!))
  assert.equal(await room.webhooks(owner).callbackSecret(), secret)
  const fresh = await room.webhooks(owner).rotateCallbackSecret(1)
  const second = await write(owner, url)
  room.wake()
  await settled(second)
  for (const key of [fresh, secret]) verify(key, got()[1]!)
})

test("Kie's style carries Kie's headers where the project has a key, and none where it has not", async t => {
  const room = await open(t)
  room.start()
  const owner = await tenant()
  const { url, got } = place()
  const bare = await write(owner, url, { style: 'kie' })
  room.wake()
  await settled(bare)
  assert.equal(await room.webhooks(owner).kieKey(), null)
  for (const name of ['x-webhook-signature', 'x-webhook-timestamp', 'webhook-signature']) assert.equal(got()[0]!.headers[name], undefined)
  const key = await room.webhooks(owner).rotateKieKey()
  assert.match(key, /^whk_/)
  assert.ok((await room.webhooks(owner).kieKey())!.created)
  // The other mode's key is another one, and changes nothing here.
  const live = room.webhooks({ ...owner, livemode: true })
  assert.equal(await live.kieKey(), null)
  assert.notEqual(await live.rotateKieKey(), key)
  const row = await write(owner, url, { style: 'kie' })
  room.wake()
  await settled(row)
  const { headers } = got()[1]!
  assert.ok(Math.abs(Number(headers['x-webhook-timestamp']) - now().getTime() / 1_000) < 60)
  assert.equal(headers['x-webhook-signature'], createHmac('sha256', key).update(`${row.taskId}.${headers['x-webhook-timestamp']}`).digest('base64'))
})

test("the house's own signature is there for who asks for it, verifies from the key page, and for the words that were sent only", async t => {
  const seed = randomBytes(32)
  const room = await open(t, { signingKey: readSigningKey(seed) })
  room.start()
  const owner = await tenant()
  const webhooks = room.webhooks(owner)
  const { url, got } = place()
  const send = async (changed: Partial<Outgoing> = {}) => {
    const row = await write(owner, url, changed)
    room.wake()
    await settled(row)
    return got().at(-1)!
  }
  const ownOf = (letter: Letter) => signatures(letter).filter(text => text.startsWith('v1a,')).map(text => Buffer.from(text.slice(4), 'base64'))
  const { keys: [key] } = writeKeySet(readSigningKey(seed))
  assert.deepEqual([key!.kty, key!.crv, Object.hasOwn(key!, 'd')], ['OKP', 'Ed25519', false])
  const verifies = (letter: Letter, body = letter.body) => verifySignature(null, Buffer.from(`${letter.headers['webhook-id']}.${letter.headers['webhook-timestamp']}.${body}`), createPublicKey({ key: { ...key! }, format: 'jwk' }), ownOf(letter)[0]!)

  assert.equal(await webhooks.houseSignature(), false)
  assert.equal(ownOf(await send()).length, 0)
  assert.equal(await webhooks.changeHouseSignature(true), true)
  assert.deepEqual([await webhooks.houseSignature(), await room.webhooks({ ...owner, livemode: true }).houseSignature()], [true, false])
  const endpoint = await webhooks.create({ url, events: ['*'] })
  for (const [letter, secret] of [[await send(), await webhooks.callbackSecret()], [await send({ endpointId: endpoint.id }), endpoint.secret!]] as const) {
    assert.deepEqual(signatures(letter).map(text => text.split(',')[0]), ['v1', 'v1a'])
    assert.deepEqual([ownOf(letter)[0]!.length, verifies(letter), verifies(letter, `${letter.body} `)], [64, true, false])
    new Webhook(secret).verify(letter.body, letter.headers as Record<string, string>)
  }
  assert.equal((await send({ style: 'kie' })).headers['webhook-signature'], undefined)
  await webhooks.changeHouseSignature(false)
  assert.equal(ownOf(await send()).length, 0)
  const { rows } = await database.query(`select details->>'enabled' as enabled from audit where project_id = $1 and act = 'house_signature.changed' order by id`, [owner.projectId])
  assert.deepEqual(rows.map(({ enabled }) => enabled), ['true', 'false'])
})

// When it goes wrong -----------------------------------------------------------------------------------------------------

const fails = (name: string, answer: Answer, expected: [number | null, RegExp], { timeoutMs = 600_000 } = {}) => test(`${name} is tried again`, async t => {
  const room = await open(t, { timeoutMs })
  room.start()
  const owner = await tenant()
  const { url, got } = place([answer, say(204)])
  const row = await write(owner, url)
  const begun = now().getTime()
  room.wake()
  const found = await settled(row)
  assert.deepEqual([found.state, found.last_status], ['pending', expected[0]])
  assert.match(found.last_error, expected[1])
  assert.ok(found.due_at >= begun + 4_900 && found.due_at <= now().getTime() + 5_100, 'the first pause is 5 s')
  offsetMs += 6_000
  room.wake()
  assert.deepEqual(stateOf(await settled(row, 2)), ['delivered', 2, 204, null])
  const [first, second] = got()
  assert.equal(first!.body, second!.body)
  assert.equal(first!.headers['webhook-id'], second!.headers['webhook-id'])
})

fails('a 500', say(500, 'oh no'), [500, /answered 500/])
fails('a 404', say(404), [404, /answered 404/])
fails('a cut connection', cut, [null, /closed the connection/])
fails('a receiver that hangs', hang, [null, /No answer within 3 s/], { timeoutMs: 3_000 })
fails('a redirect, which is shown and not followed,', say(302, '', { location: 'http://127.0.0.1:1/elsewhere' }), [302, /redirects to http:\/\/127.0.0.1:1\/elsewhere/])
fails('an answer with a NUL in it', say(500, 'a\0b'), [500, /answered 500/])

test('a refused connection is tried again', async t => {
  const room = await open(t)
  room.start()
  const closed = createServer().listen(0, '127.0.0.1')
  await once(closed, 'listening')
  const { port: closedPort } = closed.address() as { port: number }
  closed.close()
  await once(closed, 'close')
  const row = await write(await tenant(), `http://127.0.0.1:${closedPort}/`)
  room.wake()
  assert.match((await settled(row)).last_error, /could not be reached \(ECONNREFUSED\)/)
})

test('a 200 counts although its body never ends or is cut, and 1 KB of it is kept', async t => {
  const room = await open(t)
  room.start()
  const owner = await tenant()
  const webhooks = room.webhooks(owner)
  const begin = 'x'.repeat(5_000)
  const endless = await write(owner, place(response => { response.writeHead(200).write(begin) }).url)
  const broken = await write(owner, place(response => { response.writeHead(200, { 'content-length': '9999' }).write('half', () => response.socket!.destroy()) }).url)
  const wide = await write(owner, place(say(200, '🍎'.repeat(1_000))).url)
  room.wake()
  for (const row of [endless, broken, wide]) assert.deepEqual(stateOf(await settled(row)), ['delivered', 1, 200, null])
  assert.equal((await webhooks.delivery(endless.id))!.log![0]!.answer, 'x'.repeat(1_024))
  assert.equal((await webhooks.delivery(wide.id))!.log![0]!.answer, '🍎'.repeat(256))
})

test('Retry-After is honoured', async t => {
  const room = await open(t)
  room.start()
  const row = await write(await tenant(), place(say(429, '', { 'retry-after': '600' })).url)
  const begun = now().getTime()
  room.wake()
  const found = await settled(row)
  assert.ok(found.due_at >= begun + 600_000 && found.due_at <= now().getTime() + 601_000, String(found.due_at))
})

test('410 parks at once', async t => {
  const room = await open(t)
  room.start()
  const row = await write(await tenant(), place(say(410)).url)
  room.wake()
  const found = await settled(row)
  assert.deepEqual([found.state, found.last_status], ['parked', 410])
})

test('after the last attempt of the schedule it is parked, and nothing more is sent', async t => {
  const room = await open(t)
  room.start()
  const owner = await tenant()
  const { url, got } = place(say(500))
  const row = await write(owner, url)
  for (let attempt = 1; attempt <= pausesMs.length + 1; attempt++) {
    room.wake()
    const { state, due_at: dueAt } = await settled(row, attempt)
    assert.equal(state, attempt <= pausesMs.length ? 'pending' : 'parked')
    if (state === 'pending') offsetMs += dueAt - now().getTime() + 1
  }
  offsetMs += 86_400_000
  const other = await write(owner, place().url)
  room.wake()
  await settled(other)
  assert.equal(got().length, 11)
  assert.deepEqual((await room.webhooks(owner).delivery(row.id))!.log!.map(({ number }) => number), [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11])
})

test('a row that is due later goes out by itself', async t => {
  const room = await open(t)
  room.start()
  const { url, got } = place()
  const row = await write(await tenant(), url)
  await setDue(row, new Date(now().getTime() + 300))
  room.wake()
  await settled(row)
  assert.equal(got().length, 1)
})

test('a row that becomes due while the rows are looked at is not forgotten', async t => {
  const slow: Database = { ...database, query: async (statement, values) => {
    const found = await database.query(statement, values)
    if (typeof statement !== 'string' && statement.name === 'delivery claim') offsetMs += 1_000
    return found
  } }
  const room = await open(t, { database: slow })
  const row = await write(await tenant(), place().url)
  await setDue(row, new Date(now().getTime() + 900))
  room.start()
  assert.equal((await settled(row)).state, 'delivered')
})

test('the rows are looked at without a hint', async t => {
  const room = await open(t, { pollMs: 50 })
  room.start()
  const row = await write(await tenant(), place().url)
  assert.equal((await settled(row)).state, 'delivered')
})

test('a body that cannot be written is tried again, and one of a task that is gone is parked', async t => {
  const bad = newId()
  const room = await open(t, { writeBody: async ({ taskId }) => { throw taskId === bad ? new Error('a bug') : new Problem('not_found', 'Gone.') } })
  room.start()
  const owner = await tenant()
  const { url, got } = place()
  const [broken, gone] = [await write(owner, url, { taskId: bad }), await write(owner, url)]
  room.wake()
  assert.deepEqual([(await settled(broken)).state, (await settled(gone)).state], ['pending', 'parked'])
  assert.equal(got().length, 0)
  assert.match((await rowOf(gone)).last_error, /no longer kept/)
})

test('a dead host does not hold up another', async t => {
  const room = await open(t, { slots: 16 })
  room.start()
  const owner = await tenant()
  const dead = place(hang, 'localhost')
  const held = await Promise.all(Array.from({ length: 40 }, () => write(owner, dead.url, { worker: room.workerId })))
  await Promise.all(Array.from({ length: 40 }, () => write(owner, dead.url)))
  room.wake(held)
  room.wake()
  await until(() => dead.got().length >= 8, 'the dead host has its slots')
  const alive = await Promise.all(Array.from({ length: 30 }, () => write(owner, place().url)))
  room.wake()
  for (const row of alive) assert.equal((await settled(row)).state, 'delivered')
  assert.equal(dead.got().length, 8)
  await bury(dead)
})

test('one host gets its deliveries in order', async t => {
  const room = await open(t, { slots: 1 })
  const owner = await tenant()
  const { url, got } = place()
  const rows = []
  for (let index = 0; index < 20; index++) {
    const row = await write(owner, url)
    await setDue(row, new Date(now().getTime() - 10_000 + index))
    rows.push(row)
  }
  room.start()
  await settled(rows.at(-1)!)
  assert.deepEqual(got().map(({ headers }) => headers['webhook-id']), rows.map(({ id }) => `msg_${id}`))
})

// Private addresses ------------------------------------------------------------------------------------------------------

test('a private address is refused when it is registered, and when it is connected to', async t => {
  const room = await open(t, { allowPrivate: false })
  room.start()
  const owner = await tenant()
  const { url, got } = place()
  const webhooks = room.webhooks(owner)
  await assert.rejects(webhooks.create({ url, events: ['*'] }), refused('private_address'))
  const endpoint = await webhooks.create({ url: 'https://example.com/', events: ['*'] })
  await assert.rejects(webhooks.change(endpoint.id, { url: `http://[::ffff:7f00:1]:${port}/` }), refused('private_address'))
  for (const host of ['127.0.0.1', 'localhost']) {
    const row = await write(owner, url.replace('127.0.0.1', host))
    room.wake()
    const found = await settled(row)
    assert.equal(found.state, 'parked')
    assert.match(found.last_error, /private network/)
  }
  assert.equal(got().length, 0)
})

// A whole house ----------------------------------------------------------------------------------------------------------

test('over HTTP: the secret of call backs is read and replaced, and servers of one database sign with one key', async t => {
  const house = await testHouse()
  const folder = await mkdtemp(join(tmpdir(), 'plantain-test-'))
  // The other server first: the house takes the database with it.
  let other: House | undefined
  t.after(async () => {
    await other?.close()
    await house.close()
    await rm(folder, { recursive: true, force: true })
  })
  const call = async (path: string, { key = house.liveKey, method = 'GET', body }: { key?: string; method?: string; body?: unknown } = {}) => {
    const answer = await fetch(`${house.url}/plantain/v1/${path}`, {
      method, headers: { authorization: `Bearer ${key}`, ...(body === undefined ? {} : { 'content-type': 'application/json' }) }, ...(body === undefined ? {} : { body: JSON.stringify(body) }) })
    return { status: answer.status, body: await answer.json() as any }
  }
  const ring = async (prompt: string) => {
    const { url, got } = place()
    assert.equal((await call('tasks?wait=60', { method: 'POST', body: { model: 'rehearsal-1', prompt, callback_url: url } })).status, 200)
    return until(() => got()[0], `the call back of "${prompt}"`)
  }
  const verifies = (secret: string, letter: Letter) => { new Webhook(secret).verify(letter.body, letter.headers as Record<string, string>) }

  const { body: { object, secret } } = await call('webhooks/callback-secret')
  assert.equal(object, 'callback_secret')
  assert.notEqual((await call('webhooks/callback-secret', { key: house.testKey })).body.secret, secret)
  const first = await ring('one')
  verifies(secret, first)
  assert.deepEqual(signatures(first).map(text => text.split(',')[0]), ['v1'])
  for (const overlap of [-1, 169, 'long']) assert.equal((await call('webhooks/callback-secret/rotate', { method: 'POST', body: { overlap_hours: overlap } })).status, 400)
  const { body: fresh } = await call('webhooks/callback-secret/rotate', { method: 'POST', body: { overlap_hours: 1 } })
  assert.notEqual(fresh.secret, secret)
  assert.equal((await call('webhooks/callback-secret')).body.secret, fresh.secret)
  const reader = (await house.newAccount({ scopes: ['tasks:read'] })).liveKey
  for (const path of ['webhooks/callback-secret', 'webhooks/house-signature']) assert.equal((await call(path, { key: reader })).status, 403)

  const shown = await call('webhooks/house-signature')
  assert.deepEqual(shown.body, { object: 'house_signature', enabled: false, algorithm: 'Ed25519', jwks_url: `${house.url}/.well-known/jwks.json` })
  assert.equal((await call('webhooks/house-signature', { method: 'PATCH', body: { enabled: 'yes' } })).status, 400)
  assert.equal((await call('webhooks/house-signature', { method: 'PATCH', body: { enabled: true } })).body.enabled, true)
  const second = await ring('two')
  for (const one of [fresh.secret, secret]) verifies(one, second)
  assert.deepEqual(signatures(second).map(text => text.split(',')[0]), ['v1', 'v1', 'v1a'])

  // Another server on the same database, asked for the key without one of ours.
  const { config } = house.house
  other = await startHouse(readConfig(testSettings({ databaseUrl: config.DATABASE_URL!, dataDir: folder, upstreamUrl: house.upstream.url })), { roles: ['serve'], log: createLog('error') })
  const page = await fetch(`${other.url}/.well-known/jwks.json`)
  assert.deepEqual([page.status, page.headers.get('content-type')?.split(';')[0], page.headers.get('cache-control')], [200, 'application/json', 'public, max-age=3600'])
  const set = await page.json() as any
  assert.deepEqual(await (await fetch(shown.body.jwks_url)).json(), set)
  assert.deepEqual([set.keys.length, Object.keys(set.keys[0]).sort(), set.keys[0].kty, set.keys[0].crv], [1, ['alg', 'crv', 'kid', 'kty', 'use', 'x'], 'OKP', 'Ed25519'])
  const own = signatures(second).at(-1)!.slice(4)
  const verifiesOwn = (body: string) => verifySignature(null, Buffer.from(`${second.headers['webhook-id']}.${second.headers['webhook-timestamp']}.${body}`), createPublicKey({ key: set.keys[0], format: 'jwk' }), Buffer.from(own, 'base64'))
  assert.deepEqual([verifiesOwn(second.body), verifiesOwn(second.body.replace('two', 'owt'))], [true, false])
  assert.equal((await fetch(`${other.url}/.well-known/nothing`)).status, 404)
})

test('of servers that start at once, one makes the key and all sign with it', async () => {
  const { database: fresh, close: closeFresh } = await testDatabase()
  const made = await Promise.all(Array.from({ length: 8 }, () => sharedSecret(fresh, 'webhook signing key')))
  assert.equal(new Set(made.map(seed => writeKeySet(readSigningKey(seed)).keys[0]!.kid)).size, 1)
  await closeFresh()
})

// Crashes ----------------------------------------------------------------------------------------------------------------

test('what a dead worker held is delivered by another, and the dead one changes nothing any more', async t => {
  const dead = await open(t)
  dead.start()
  const owner = await tenant()
  let answerLate!: () => void
  const { url, got } = place([response => { answerLate = () => response.writeHead(500).end('late') }, say(200)])
  const row = await write(owner, url)
  dead.wake()
  await until(() => got().length === 1, 'the first has sent it')
  const other = await open(t)
  other.start()
  other.wake()
  assert.equal(await other.free([dead.workerId]), 1)
  assert.deepEqual(stateOf(await settled(row, 2)), ['delivered', 2, 200, null])
  answerLate()
  await dead.stop()
  const found = await rowOf(row)
  assert.deepEqual(stateOf(found), ['delivered', 2, 200, null])
  assert.equal(found.logged, 1)
  assert.ok(words.some(text => text.includes('other hands') && text.includes(row.id)))
  assert.equal(got()[0]!.headers['webhook-id'], got()[1]!.headers['webhook-id'])
})

test('a process that dies with a settlement in its hand loses nothing, and what it told is not told again', async t => {
  const dead = await open(t)
  dead.start()
  const owner = await tenant()
  let answerLate!: () => void
  const [told, refused, unanswered, unsent] = [place(), place([say(500), say(200)]), place([response => { answerLate = () => response.end('late') }, say(200)]), place()]
  const rows = await writeAll([told, refused, unanswered, unsent].map(({ url }) => (
    { id: newId(), projectId: owner.projectId, livemode: false, taskId: newId(), endpointId: null, eventType: 'task.completed', style: 'plantain', url })), dead.workerId)
  const hand = rows[0]!.hand!
  dead.wake(rows.slice(0, 3))
  await until(async () => (await rowOf(rows[0]!)).state === 'delivered' && (await rowOf(rows[1]!)).attempts === 1 && unanswered.got().length === 1, 'one is told, one refused, one without an answer')

  const other = await open(t)
  other.start()
  assert.equal(await other.free([dead.workerId]), 2)
  assert.equal((await database.query('select from delivery_hand where id = $1', [hand])).rowCount, 0)
  for (const row of [rows[2]!, rows[3]!]) assert.deepEqual(stateOf(await settled(row)).slice(0, 3), ['delivered', 1, 200])
  answerLate()
  await dead.stop()
  offsetMs += 6_000
  other.wake()
  assert.deepEqual(stateOf(await settled(rows[1]!, 2)).slice(0, 3), ['delivered', 2, 200])
  assert.deepEqual([told, refused, unanswered, unsent].map(({ got }) => got().length), [1, 2, 2, 1])
  assert.equal((await database.query('select from delivery_due where delivery_id = any($1)', [rows.map(({ id }) => id)])).rowCount, 0)
})

test('what of a hand never came to its holder is not forgotten with the rest', async t => {
  const room = await open(t, { pollMs: 50 })
  room.start()
  const owner = await tenant()
  const { url, got } = place()
  const outgoing = () => ({ id: newId(), projectId: owner.projectId, livemode: false, taskId: newId(), endpointId: null, eventType: 'task.completed', style: 'plantain', url })
  const [first, second] = await writeAll([outgoing(), outgoing()], room.workerId)
  room.wake([first!])
  await settled(first!)
  // Its attempt takes the empty hands away.
  const next = await write(owner, url, { worker: room.workerId })
  room.wake([next])
  await settled(next)
  assert.equal(got().length, 2)
  offsetMs += 11_000
  assert.deepEqual(stateOf(await until(async () => { const found = await rowOf(second!); return found.state === 'delivered' && found })), ['delivered', 1, 200, null])
})

test('an empty hand is taken away with the attempts that come after it', async t => {
  const room = await open(t)
  room.start()
  const owner = await tenant()
  const { url } = place()
  const handsOf = async () => (await database.query('select from delivery_hand where worker = $1', [room.workerId])).rowCount
  for (const expected of [1, 1, 1]) {
    const row = await write(owner, url, { worker: room.workerId })
    room.wake([row])
    await settled(row)
    assert.equal(await handsOf(), expected)
  }
})

test('what is written down without waiting for the disk leaves the connection as it was', async t => {
  const { database: single, close: closeSingle } = await testDatabase({ max: 1 })
  t.after(closeSingle)
  const setting = async () => (await single.query('show synchronous_commit')).rows[0].synchronous_commit
  await single.query('set synchronous_commit = on')
  const hands = createHands()
  const record = createRecord({ database: single, hands })
  const [row] = await writeOutgoing(single, [{ id: newId(), projectId: newId(), livemode: false, taskId: newId(), endpointId: null, eventType: 'task.completed', style: 'plantain', url: 'http://a/' }], newId())
  const held = holdFresh(row!, new Date())
  assert.equal(await record({ held, state: 'delivered', dueAt: new Date(), url: held.url, at: new Date(), tookMs: 1, status: 200, error: null, answer: null }), true)
  assert.equal(await setting(), 'on')
})

test('sent again while it is in the hand of its writer, it is left to him', async t => {
  const room = await open(t)
  room.start()
  const owner = await tenant()
  let answer!: () => void
  const { url, got } = place(response => { answer = () => response.end() })
  const row = await write(owner, url, { worker: room.workerId })
  room.wake([row])
  await until(() => got().length === 1, 'it is under way')
  assert.equal((await room.webhooks(owner).redeliver(row.id)).state, 'pending')
  assert.equal((await database.query('select from delivery_due where delivery_id = $1', [row.id])).rowCount, 0)
  answer()
  assert.deepEqual(stateOf(await settled(row)), ['delivered', 1, 200, null])
  assert.equal(got().length, 1)
})

test('a row that waits for what has ended is taken away, and nothing is sent', async t => {
  const room = await open(t)
  const { url, got } = place()
  const row = await write(await tenant(), url)
  await database.query(`update delivery set state = 'delivered' where id = $1`, [row.id])
  room.start()
  await until(async () => (await database.query('select from delivery_due where delivery_id = $1', [row.id])).rowCount === 0, 'the row is gone')
  assert.equal(got().length, 0)
})

test('more than a host has room for is handed back and comes again by itself', async t => {
  const room = await open(t)
  room.start()
  const owner = await tenant()
  const { url, got } = place()
  const rows = await writeOutgoing(database, Array.from({ length: 1_100 }, () => (
    { id: newId(), projectId: owner.projectId, livemode: false, taskId: newId(), endpointId: null, eventType: 'task.completed', style: 'plantain', url })), room.workerId)
  await database.query('update delivery set due_at = $2 where id = any($1)', [rows.map(({ id }) => id), now()])
  room.wake(rows)
  await until(async () => (await database.query(`select from delivery where id = any($1) and state = 'delivered'`, [rows.map(({ id }) => id)])).rowCount === 1_100, 'all are told')
  assert.equal(got().length, 1_100)
})

test('what was pending before deliveries waited in a table of their own is delivered after the migration', async t => {
  const { database: old, url: oldUrl, close: closeOld } = await testDatabase({ max: 4 })
  const folder = await mkdtemp(join(tmpdir(), 'plantain-test-'))
  t.after(async () => { await closeOld(); await rm(folder, { recursive: true, force: true }) })
  await old.query('drop schema public cascade; create schema public')
  for (const name of await readdir(migrationsDirectory)) if (name < '0025') await copyFile(join(migrationsDirectory, name), join(folder, name))
  await migrate({ url: oldUrl, directory: folder })
  const [projectId, account] = [newId(), newId()]
  await old.query(`insert into account (id, name) values ($1, 'Test')`, [account])
  await old.query(`insert into project (id, account_id, name) values ($1, $2, 'Test')`, [projectId, account])
  const { url, got } = place()
  const [waits, held, tried, ended] = [newId(), newId(), newId(), newId()]
  await old.query(
    `insert into delivery (id, project_id, livemode, task_id, event_type, style, url, state, worker, attempts)
     select id, $1, false, id, 'task.completed', 'plantain', $2, state, worker, attempts from unnest($3::uuid[], $4::text[], $5::uuid[], $6::int[]) as old(id, state, worker, attempts)`,
    [projectId, url, [waits, held, tried, ended], ['pending', 'pending', 'pending', 'delivered'], [null, newId(), null, null], [0, 1, 1, 1]])
  await old.query(`insert into delivery_attempt (delivery_id, number, took_ms, status, error) values ($1, 1, 5, 500, 'The receiver answered 500.'), ($2, 1, 5, 200, null)`, [tried, ended])
  await migrate({ url: oldUrl })

  const room = createDelivery({ database: old, allowPrivate: true, writeBody: async delivery => bodyOf(delivery), now: () => new Date(), log, workerId: newId(), pollMs: 3_600_000 })
  t.after(() => room.stop())
  room.start()
  const { rows: [{ worker }] } = await old.query('select worker from delivery_due where worker is not null')
  await room.free([worker])
  await until(async () => (await old.query(`select from delivery where state = 'delivered'`)).rowCount === 4, 'all are told')
  const log1 = async (id: string) => (await room.webhooks({ accountId: account, projectId, keyId: newId(), livemode: false }).delivery(id))!.log!.map(({ number, status }) => [number, status])
  assert.deepEqual([await log1(tried), await log1(ended)], [[[1, 500], [2, 200]], [[1, 200]]])
  assert.equal(got().length, 3)
})

test('a row nobody remembers is found again: our own, and that of a process without a beat', async t => {
  const gone = newId()
  const room = await open(t, { pollMs: 50 })
  const owner = await tenant()
  const { url, got } = place()
  const rows = [await write(owner, url, { worker: room.workerId }), await write(owner, url, { worker: gone })]
  offsetMs += 61_000
  const recent = await write(owner, url, { worker: gone })
  room.start()
  for (const row of rows) assert.equal((await until(async () => { const found = await rowOf(row); return found.state === 'delivered' && found })).attempts, 1)
  assert.deepEqual([(await rowOf(recent)).state, got().length], ['pending', 2])
  await database.query(`update delivery set state = 'parked' where id = $1`, [recent.id])
})

test('an attempt is written once although the database was lost while it was written, before and after', async t => {
  const losses = ['before', 'after']
  const shaky: Database = { ...database, query: async (statement, values) => {
    const loss = typeof statement === 'string' || statement.name !== 'delivery record' ? undefined : losses.shift()
    if (loss === undefined) return database.query(statement, values)
    if (loss === 'after') await database.query(statement, values)
    throw new DatabaseDown('gone', { cause: null, mayHaveHappened: true })
  } }
  const room = await open(t, { database: shaky })
  room.start()
  const { url, got } = place([say(500), say(200)])
  const row = await write(await tenant(), url)
  room.wake()
  assert.deepEqual(stateOf(await settled(row)).slice(0, 3), ['pending', 1, 500])
  assert.deepEqual([losses.length, (await rowOf(row)).logged, got().length], [0, 1, 1])
  // Claimed again while the first attempt does not know yet that it is written down.
  offsetMs += 6_000
  room.wake()
  assert.deepEqual(stateOf(await settled(row, 2)), ['delivered', 2, 200, null])
  assert.deepEqual([(await rowOf(row)).logged, got().length], [2, 2])
})

test('a host with a long backlog does not hide another', async t => {
  const room = await open(t, { slots: 4 })
  const owner = await tenant()
  const dead = place(hang, 'localhost')
  await database.query(
    `with written as (
       insert into delivery (id, project_id, livemode, task_id, event_type, style, url, due_at)
       select id, $1, false, id, 'task.completed', 'plantain', $2, $3 from unnest($4::uuid[]) id returning id, url, due_at)
     insert into delivery_due (delivery_id, host, due_at) select id, host_of(url), due_at from written`,
    [owner.projectId, dead.url, new Date(now().getTime() - 60_000), Array.from({ length: 2_000 }, () => newId())])
  const alive = await Promise.all(Array.from({ length: 10 }, () => write(owner, place().url)))
  room.start()
  for (const row of alive) assert.equal((await settled(row)).state, 'delivered')
  assert.equal(dead.got().length, 3)
  await bury(dead)
})

test('two workers share the rows, and each is sent once', async t => {
  const rooms = [await open(t), await open(t)]
  const owner = await tenant()
  const { url, got } = place()
  const rows = await Promise.all(Array.from({ length: 100 }, () => write(owner, url)))
  for (const room of rooms) room.start()
  for (const row of rows) assert.deepEqual(stateOf(await settled(row)), ['delivered', 1, 200, null])
  assert.equal(got().length, 100)
})

test('stopping finishes what is under way and hands back the rest, uncounted', async t => {
  const room = await open(t, { slots: 2 })
  room.start()
  const owner = await tenant()
  const waiting: ServerResponse[] = []
  const { url, got } = place(response => { waiting.push(response) })
  const rows: Outgoing[] = []
  for (let index = 0; index < 5; index++) rows.push(await write(owner, url, { worker: room.workerId }))
  room.wake(rows)
  await until(() => got().length === 2, 'two are under way')
  const stopped = room.stop()
  await until(async () => (await rowOf(rows[4]!)).worker === null, 'the rest is handed back')
  for (const response of waiting) response.end()
  await stopped
  assert.deepEqual((await Promise.all(rows.map(rowOf))).map(({ state, attempts, worker }) => [state, attempts, worker]), [
    ['delivered', 1, null], ['delivered', 1, null], ['pending', 0, null], ['pending', 0, null], ['pending', 0, null]])
  const late = await write(owner, url, { worker: room.workerId })
  room.wake([late])
  await until(async () => (await rowOf(late)).worker === null, 'what comes too late is handed back')
  assert.equal(got().length, 2)
  await database.query(`update delivery set state = 'parked' where url = $1`, [url])
})

// Endpoints --------------------------------------------------------------------------------------------------------------

test('after a rotation both secrets verify while they overlap, then only the new one', async t => {
  const room = await open(t)
  room.start()
  const owner = await tenant()
  const webhooks = room.webhooks(owner)
  const { url, got } = place()
  const { id, secret: old } = await webhooks.create({ url, events: ['*'] })
  const { secret: fresh } = await webhooks.rotate(id, 24)
  const send = async () => {
    await settled({ id: (await webhooks.ping(id)).id })
    return got().at(-1)!
  }
  const verifies = (secret: string, { headers, body }: Letter) => {
    const expected = createHmac('sha256', Buffer.from(secret.slice(6), 'base64')).update(`${headers['webhook-id']}.${headers['webhook-timestamp']}.${body}`).digest('base64')
    return signatures({ headers, body, path: '' }).includes(`v1,${expected}`)
  }
  const during = await send()
  assert.deepEqual([verifies(fresh!, during), verifies(old!, during), signatures(during).length], [true, true, 2])
  offsetMs += 24 * 3_600_000
  const afterwards = await send()
  assert.deepEqual([verifies(fresh!, afterwards), verifies(old!, afterwards), signatures(afterwards).length], [true, false, 1])
  const { secret: last } = await webhooks.rotate(id, 0)
  const atOnce = await send()
  assert.deepEqual([verifies(last!, atOnce), verifies(fresh!, atOnce), signatures(atOnce).length], [true, false, 1])
  for (const hours of [-1, 169, Number.NaN]) await assert.rejects(webhooks.rotate(id, hours), refused('bad_request'))
})

test('a ping goes the same way, also to an endpoint that is switched off', async t => {
  const room = await open(t)
  room.start()
  const owner = await tenant()
  const webhooks = room.webhooks(owner)
  const { url, got } = place()
  const endpoint = await webhooks.create({ url, events: ['task.failed'] })
  await webhooks.change(endpoint.id, { enabled: false })
  const ping = await webhooks.ping(endpoint.id)
  assert.deepEqual([ping.eventType, ping.taskId, ping.state, ping.endpointId], ['ping', null, 'pending', endpoint.id])
  await settled(ping)
  const [letter] = got()
  const { type, timestamp, data } = JSON.parse(letter!.body)
  assert.deepEqual([type, timestamp, data], ['ping', ping.createdAt.toISOString(), { endpoint_id: endpoint.id }])
  assert.equal(letter!.headers['x-plantain-event'], 'ping')
  assert.equal((await webhooks.delivery(ping.id))!.state, 'delivered')
  await assert.rejects(webhooks.ping(newId()), refused('not_found'))
})

test('an endpoint that was switched off or removed gets nothing, and one that moved is told at its new address', async t => {
  const room = await open(t)
  const owner = await tenant()
  const webhooks = room.webhooks(owner)
  const [old, fresh] = [place(), place()]
  const [off, removed, moved] = await Promise.all(Array.from({ length: 3 }, () => webhooks.create({ url: old.url, events: ['*'] })))
  const rows = await Promise.all([off, removed, moved].map(endpoint => write(owner, old.url, { endpointId: endpoint!.id })))
  await webhooks.change(off!.id, { enabled: false })
  await webhooks.remove(removed!.id)
  await webhooks.change(moved!.id, { url: fresh.url })
  room.start()
  const found = await Promise.all(rows.map(row => settled(row)))
  assert.deepEqual(found.map(({ state }) => state), ['parked', 'parked', 'delivered'])
  assert.match(found[0].last_error, /switched off/)
  assert.match(found[1].last_error, /removed/)
  assert.equal(found[2].url, fresh.url)
  assert.deepEqual([old.got().length, fresh.got().length], [0, 1])
  await assert.rejects(webhooks.redeliver(rows[1]!.id), refused('conflict'))
  await webhooks.change(off!.id, { enabled: true })
  await webhooks.redeliver(rows[0]!.id)
  assert.equal((await settled(rows[0]!, 2)).state, 'delivered')
})

test('redelivery works on what was delivered and on what was parked, with a fresh schedule', async t => {
  const room = await open(t)
  room.start()
  const owner = await tenant()
  const webhooks = room.webhooks(owner)
  const { url, got } = place([say(200), say(410), say(500), say(200)])
  const row = await write(owner, url)
  room.wake()
  assert.equal((await settled(row)).state, 'delivered')
  const again = await webhooks.redeliver(row.id)
  assert.deepEqual([again.state, again.deliveredAt], ['pending', null])
  assert.equal((await settled(row, 2)).state, 'parked')
  await webhooks.redeliver(row.id)
  const third = await settled(row, 3)
  assert.equal(third.state, 'pending')
  assert.ok(third.due_at - now().getTime() < 6_000, 'the schedule begins anew')
  await webhooks.redeliver(row.id)
  assert.equal((await settled(row, 4)).state, 'delivered')
  assert.equal(new Set(got().map(({ body, headers }) => `${headers['webhook-id']} ${body}`)).size, 1)
  assert.deepEqual((await webhooks.delivery(row.id))!.log!.map(({ number, status }) => [number, status]), [[1, 200], [2, 410], [3, 500], [4, 200]])
})

test('endpoints and deliveries are a matter of their project and mode', async t => {
  const room = await open(t)
  const [owner, stranger] = [await tenant(), await tenant()]
  const mine = room.webhooks(owner)
  const { url } = place()
  const endpoint = await mine.create({ url, events: ['*'] })
  const row = await write(owner, url, { endpointId: endpoint.id })
  for (const webhooks of [room.webhooks(stranger), room.webhooks({ ...owner, livemode: true })]) {
    assert.deepEqual([await webhooks.list(), await webhooks.find(endpoint.id), await webhooks.delivery(row.id)], [[], null, null])
    assert.deepEqual(await webhooks.deliveries({ limit: 10 }), { items: [], next: null })
    for (const id of [endpoint.id, 'nonsense']) {
      for (const act of [() => webhooks.change(id, { enabled: false }), () => webhooks.remove(id), () => webhooks.rotate(id, 1), () => webhooks.ping(id)]) await assert.rejects(act, refused('not_found'))
    }
    for (const id of [row.id, 'nonsense']) await assert.rejects(webhooks.redeliver(id), refused('not_found'))
  }
  assert.deepEqual((await mine.list()).map(({ id, enabled, secret }) => [id, enabled, secret]), [[endpoint.id, true, undefined]])
  assert.equal((await rowOf(row)).attempts_before, 0)
  await database.query(`update delivery set state = 'parked' where id = $1`, [row.id])
})

test('an endpoint that was made wrong is refused, and nothing is written', async t => {
  const room = await open(t)
  const owner = await tenant()
  const webhooks = room.webhooks(owner)
  const { url } = place()
  for (const [endpoint, field] of [
    [{ url: 'nonsense', events: ['*'] }, 'url'], [{ url: 'https://a:b@example.com', events: ['*'] }, 'url'],
    [{ url, events: [] }, 'events'], [{ url, events: ['task.created'] }, 'events'], [{ url, events: ['*', 'task.failed'] }, 'events'],
  ] as const) {
    await assert.rejects(webhooks.create({ url: endpoint.url, events: [...endpoint.events] }), error => refused('bad_request')(error) && (error as Problem).details.field === field, JSON.stringify(endpoint))
  }
  assert.equal((await database.query('select from endpoint where project_id = $1', [owner.projectId])).rowCount, 0)
  assert.equal((await database.query('select from audit where project_id = $1', [owner.projectId])).rowCount, 0)
  const made = await webhooks.create({ url, events: ['task.failed', 'task.failed'] })
  assert.deepEqual(made.events, ['task.failed'])
  await webhooks.rotate(made.id, 1)
  await webhooks.remove(made.id)
  const { rows } = await database.query('select act, key_id, details::text from audit where project_id = $1 order by id', [owner.projectId])
  assert.deepEqual(rows.map(({ act }) => act), ['endpoint.created', 'endpoint.rotated', 'endpoint.removed'])
  for (const { details, key_id: keyId } of rows) assert.ok(keyId === owner.keyId && !details.includes('whsec_'))
})

test('the log is read in pages, newest first, and filtered', async t => {
  const room = await open(t)
  const owner = await tenant()
  const webhooks = room.webhooks(owner)
  const { url } = place()
  const rows = []
  for (let index = 0; index < 5; index++) rows.push(await write(owner, url))
  await database.query(`update delivery set state = 'parked' where id = $1`, [rows[1]!.id])
  const newest = rows.map(({ id }) => id).reverse()
  const one = await webhooks.deliveries({ limit: 3 })
  assert.deepEqual([one.items.map(({ id }) => id), one.next], [newest.slice(0, 3), newest[2]])
  const two = await webhooks.deliveries({ limit: 3, after: one.next! })
  assert.deepEqual([two.items.map(({ id }) => id), two.next], [newest.slice(3), null])
  const found = async (filter: object) => (await webhooks.deliveries({ limit: 10, ...filter })).items.map(({ id }) => id)
  assert.deepEqual(await found({ state: 'parked' }), [rows[1]!.id])
  assert.deepEqual(await found({ taskId: rows[2]!.taskId }), [rows[2]!.id])
  assert.deepEqual(await found({ endpointId: newId() }), [])
  assert.deepEqual(await found({ endpointId: 'nonsense' }), [])
  await assert.rejects(webhooks.deliveries({ limit: 3, after: 'x' }), refused('bad_request'))
  await database.query(`update delivery set state = 'parked' where url = $1`, [url])
})

test('the sweep removes ended deliveries of long ago, with their log', async t => {
  const room = await open(t)
  const owner = await tenant()
  const monthAgo = () => (now().getTime() - 31 * 86_400_000).toString(16).padStart(12, '0') + newId().slice(12)
  const [old, oldPending, recent] = [await write(owner, 'http://a/', { id: monthAgo() }), await write(owner, 'http://a/', { id: monthAgo() }), await write(owner, 'http://a/')]
  await database.query(`update delivery set state = 'delivered' where id = any($1)`, [[old.id, recent.id]])
  await database.query(`insert into delivery_attempt (delivery_id, number, took_ms) values ($1, 1, 1)`, [old.id])
  assert.equal(await room.sweep(), 1)
  assert.deepEqual([await rowOf(old), !!await rowOf(oldPending), !!await rowOf(recent)], [undefined, true, true])
  await database.query(`update delivery set state = 'parked' where id = $1`, [oldPending.id])
})
