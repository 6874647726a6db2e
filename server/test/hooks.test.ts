/** Call backs of upstreams, through HTTP: what makes the house look, and what does not. */
import assert from 'node:assert/strict'
import { createHmac } from 'node:crypto'
import { after, before, beforeEach, test } from 'node:test'
import { hookUrl } from '../src/hooks.ts'
import { sharedSecret } from '../src/house.ts'
import { testHouse, type TestHouse } from './kit/house.ts'
import { send } from './kit/live.ts'

const webhookKey = 'whk_rehearsed'
let house: TestHouse
let taskId: string
let secret: Buffer
before(async () => {
  // Nobody works here, so a task is looked at when the test says so and not before.
  house = await testHouse({ roles: ['serve'], settings: { KIE_API_KEY: 'key', KIE_BASE_URL: 'http://127.0.0.1:9', KIE_WEBHOOK_KEY: webhookKey } })
  secret = await sharedSecret(house.database, 'links')
})
after(() => house.close())
beforeEach(async () => { taskId = await waiting() })

/** A task whose upstream is not looked at for another hour. */
async function waiting(): Promise<string> {
  const { body } = await send(house, { model: 'nano-banana-2-1', prompt: 'a kite' }, 0)
  await house.database.query(`update task set state = 'waiting', attempts = 1, due_at = now() + interval '1 hour' where id = $1`, [body.id])
  return body.id
}

const isDue = async (id = taskId): Promise<boolean> => (await house.database.query<{ due: boolean }>('select due_at <= now() as due from task where id = $1', [id])).rows[0]!.due

const nowS = () => Math.floor(Date.now() / 1000)
/** What Kie sends: signed over its own id of the task and the time. */
const signed = ({ id = `kie-${taskId}`, key = webhookKey, atS = nowS() } = {}) => ({
  body: JSON.stringify({ code: 200, msg: 'done', data: { taskId: id, state: 'success' } }),
  headers: { 'x-webhook-timestamp': String(atS), 'x-webhook-signature': createHmac('sha256', key).update(`${id}.${atS}`).digest('base64') } as Record<string, string>,
})
const post = async (url: string, { body, headers = {} }: { body: string; headers?: Record<string, string> }) => {
  const answer = await fetch(url, { method: 'POST', headers: { 'content-type': 'application/json', ...headers }, body })
  return { status: answer.status, body: await answer.json() as any }
}
const call = (message: { body: string; headers?: Record<string, string> }, provider = 'kie', id = taskId) => post(hookUrl(house.url, secret, provider, id), message)

test('a genuine call makes us look', async () => {
  assert.deepEqual(await call(signed()), { status: 200, body: { received: true } })
  assert.equal(await isDue(), true)
})

test('the same call again, sent twice or replayed, is taken and not looked at again', async () => {
  const message = signed()
  assert.equal((await call(message)).status, 200)
  await house.database.query(`update task set due_at = now() + interval '1 hour' where id = $1`, [taskId])
  assert.deepEqual(await call(message), { status: 200, body: { received: true, repeated: true } })
  assert.equal(await isDue(), false)
  assert.deepEqual((await call(signed({ atS: nowS() - 1 }))).body, { received: true }, 'another call about the same job is another one')
  assert.equal(await isDue(), true)
})

test('ten at once are one', async () => {
  const message = signed()
  const answers = await Promise.all(Array.from({ length: 10 }, () => call(message)))
  assert.equal(answers.filter(({ body }) => body.repeated === undefined).length, 1)
})

test('a forged call leaves nothing behind that would hush the genuine one', async () => {
  const message = signed()
  assert.equal((await call({ ...message, headers: { ...message.headers, 'x-webhook-signature': 'forged' } })).status, 401)
  assert.deepEqual((await call(message)).body, { received: true })
  assert.equal(await isDue(), true)
})

test('a forged, unsigned or old one is refused, and nobody looks', async () => {
  for (const message of [signed({ key: 'whk_other' }), { body: signed().body }, signed({ atS: nowS() - 301 }), { ...signed(), body: JSON.stringify({ data: { taskId: 'another' } }) }, { ...signed(), body: 'no JSON' }]) {
    const { status, body } = await call(message)
    assert.deepEqual([status, body.error.code], [401, 'unauthorized'])
  }
  assert.equal(await isDue(), false)
})

test('an address we did not give out is not there, whatever is sent to it', async () => {
  const own = hookUrl(house.url, secret, 'kie', taskId)
  for (const url of [own.slice(0, -1), `${own}0`, `${own.slice(0, -4)}0000`, own.replace('/kie/', '/rehearsal/'), own.replace('/kie/', '/nobody/'), `${house.url}/hooks/kie/x`, hookUrl(house.url, Buffer.alloc(32), 'kie', taskId)]) {
    assert.equal((await post(url, signed())).status, 404, url)
  }
  assert.equal(await isDue(), false)
})

test('an upstream that signs nothing is heard at the address it was given', async () => {
  assert.equal((await call({ body: '{}' }, 'rehearsal')).status, 200)
  assert.equal(await isDue(), true)
})

test('a body of any type and of no JSON is taken as bytes; one without end is refused', async () => {
  assert.equal((await call({ body: 'id=1&state=done', headers: { 'content-type': 'application/x-www-form-urlencoded' } }, 'rehearsal')).status, 200)
  assert.equal((await call({ body: 'x'.repeat(4_000_001) }, 'rehearsal')).status, 413)
})

test('a call that comes before the receipt is written is kept for whoever writes it', async () => {
  await house.database.query(`update task set state = 'running' where id = $1`, [taskId])
  assert.equal((await call(signed())).status, 200)
  assert.equal((await house.database.query<{ hinted: boolean }>('select hinted from task where id = $1', [taskId])).rows[0]!.hinted, true)
  await house.database.query(`update task set state = 'waiting' where id = $1`, [taskId])
})

test('a call that comes after the task has ended makes whoever looks after it look, and changes nothing', async () => {
  await house.database.query(`insert into attempt (task_id, number, provider, upstream_model, receipt) values ($1, 1, 'kie', 'nano-banana-2-1', '{"kind":"upstream","receipt":{"id":"x"}}')`, [taskId])
  await fetch(`${house.url}/plantain/v1/tasks/${taskId}/cancel`, { method: 'POST', headers: { authorization: `Bearer ${house.liveKey}` } })
  assert.equal((await call(signed())).status, 200)
  const { rows: [still] } = await house.database.query<{ state: string }>(`select state from task where id = $1`, [taskId])
  assert.equal(still!.state, 'cancelled')
  assert.deepEqual((await house.database.query('select state, due_at <= now() as due from late_look where task_id = $1', [taskId])).rows, [{ state: 'open', due: true }])
  assert.deepEqual(await house.audit(), [])
})
