/**
 * Every front door keeps the house's promises. Runs over whatever the loader found; what is peculiar to a door stands in `test/doors/<id>.ts`.
 *
 * Keys, request ids, limits, money, what belongs to others, calls sent twice, callers who leave, bad input, and a task of one door read at all others.
 */
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import { loadFolders } from '../../src/kit/loader.ts'
import type { Protocol } from '../../src/protocols/contract.ts'
import type { Answer, Call, Door } from '../kit/door.ts'
import { testHouse, type TestHouse } from '../kit/house.ts'

const protocols = await loadFolders<Protocol>(new URL('../../src/protocols/', import.meta.url))
const doors = new Map(await Promise.all(protocols.map(async ({ id }) => {
  const { door } = await import(`../doors/${id}.ts`).catch((thrown: unknown) => {
    if ((thrown as { code?: unknown }).code !== 'ERR_MODULE_NOT_FOUND') throw thrown
    throw new Error(`The door ${id} has no description. Add server/test/doors/${id}.ts, which exports \`door\` as server/test/kit/door.ts says.`, { cause: thrown })
  }) as { door: Door }
  return [id, door] as const
})))

let house: TestHouse
// Private addresses are refused here, as they are in production.
before(async () => { house = await testHouse({ settings: { ALLOW_PRIVATE_ADDRESSES: 'false', DATABASE_POOL: '12' } }) })
after(() => house?.close())

async function send(door: Door, { method = 'POST', path, body, headers = {}, key = house.testKey }: Call, signal?: AbortSignal): Promise<Answer> {
  const isRaw = typeof body === 'string' || body instanceof Uint8Array || body instanceof FormData
  const response = await fetch(house.url + path, {
    method, headers: { ...(key === null ? {} : door.keyForms(key)[0]), ...(body === undefined || body instanceof FormData ? {} : { 'content-type': 'application/json' }), ...headers },
    ...(body === undefined ? {} : { body: isRaw ? body as NonNullable<RequestInit['body']> : JSON.stringify(body) }), ...(signal ? { signal } : {}),
  })
  const bytes = Buffer.from(await response.arrayBuffer())
  const text = bytes.toString()
  const parse = () => { try { return JSON.parse(text) as unknown } catch { return null } }
  return { status: response.status, headers: response.headers, text, bytes, body: parse() }
}

async function refused(door: Door, call: Call, status: number | null): Promise<Answer> {
  const answer = await send(door, call)
  const refusal = door.refusalOf(answer)
  assert.ok(refusal, `A refusal was expected: ${answer.text.slice(0, 500)}`)
  if (status === null) assert.ok(refusal.status >= 400 && refusal.status < 500, answer.text.slice(0, 500))
  else assert.equal(refusal.status, status, answer.text.slice(0, 500))
  assert.ok(refusal.message.length > 5 && refusal.message.length < 1_000 && !/undefined|\[object|NaN/.test(refusal.message), refusal.message)
  assert.ok(answer.headers.get('x-request-id'))
  return answer
}

async function taken(door: Door, call: Call): Promise<{ id: string; replayed: boolean; answer: Answer }> {
  const answer = await send(door, call)
  assert.equal(door.refusalOf(answer), null, answer.text.slice(0, 500))
  return { ...await door.taskOf(answer, look => send(door, { ...look, ...(call.key === undefined ? {} : { key: call.key }) })), answer }
}

const quiet = "select 1 from task where state not in ('done', 'failed', 'cancelled') limit 1"
async function until(what: string, look: () => Promise<boolean>): Promise<void> {
  for (let looks = 0; looks < 4_800; looks++) {
    if (await look()) return
    await pause(25)
  }
  throw new Error(`It did not come to this: ${what}.`)
}
const allEnded = () => until('all tasks have ended', async () => (await house.database.query(quiet)).rows.length === 0)

/** Everything a call can leave: rows, money and bought work. */
async function traces() {
  const { rows: [row] } = await house.database.query(`
    select (select count(*)::int from task) as tasks, (select count(*)::int from event) as events, (select count(*)::int from ledger) as ledger,
      (select sum(available_micros)::text from balance) as available, (select sum(held_micros)::text from balance) as held, (select count(*)::int from asset) as assets,
      (select count(*)::int from idempotency) as idempotency, (select count(*)::int from recent_call) as calls, (select count(*)::int from delivery) as deliveries,
      (select count(*)::int from endpoint) as endpoints, (select count(*)::int from api_key) as keys, (select count(*)::int from attempt) as attempts`)
  return { ...row, bought: house.upstream.stats().asked }
}
const tasksWith = async (prompt: string) => (await house.database.query<{ id: string; state: string }>('select id, state from task where strpos(prompt, $1) > 0', [prompt])).rows

const fetchWith = (key: string) => async (url: string): Promise<Buffer> => {
  const response = await fetch(new URL(url, house.url), { headers: new URL(url, house.url).searchParams.has('signature') ? {} : { authorization: `Bearer ${key}` } })
  assert.ok(response.ok, `${url}: ${response.status}`)
  return Buffer.from(await response.arrayBuffer())
}

/** What the house itself keeps of a task: the bytes every door has to show. */
async function kept(taskId: string): Promise<Buffer> {
  const { outputs } = await (await fetch(`${house.url}/plantain/v1/tasks/${taskId}/wait?timeout=60`, { headers: { authorization: `Bearer ${house.testKey}` } })).json() as { outputs: { id: string }[] }
  assert.equal(outputs.length, 1)
  return fetchWith(house.testKey)(`/plantain/v1/assets/${outputs[0]!.id}/content`)
}

test('there are the doors the house cannot do without', () => {
  assert.deepEqual(['openai', 'gemini', 'anthropic', 'wisdom-gate', 'kie', 'wireflow', 'native', 'mcp'].filter((id) => !doors.has(id)), [])
})

for (const [id, door] of doors) {
  describe(id, () => {
    test('every form of key opens, and none does not', async () => {
      for (const headers of door.keyForms(house.testKey)) {
        const answer = await send(door, { ...door.look, key: null, headers: { ...door.look.headers, ...headers } })
        assert.equal(door.refusalOf(answer), null, `${Object.keys(headers).join()}: ${answer.text.slice(0, 300)}`)
        assert.ok(answer.headers.get('x-request-id'))
      }
      if (door.keyQuery) {
        const path = `${door.look.path}${door.look.path.includes('?') ? '&' : '?'}${door.keyQuery}=${house.testKey}`
        assert.equal(door.refusalOf(await send(door, { ...door.look, path, key: null })), null)
      }
      await refused(door, { ...door.look, key: null }, 401)
      await refused(door, { ...door.make('nobody'), key: null }, 401)
      await refused(door, { ...door.make('nobody'), key: 'sk-test-nobodyhasthiskeynobodyhasthis' }, door.statuses.unauthorized)
    })

    test('what it makes is a task, the same at every door that can read it, and nobody else\'s', async () => {
      const { id: taskId, answer } = await taken(door, door.make(`a mug made at ${id}`))
      assert.ok(answer.headers.get('x-request-id'))
      if (door.isSync) {
        assert.equal(answer.headers.get('x-task-id') ?? taskId, taskId)
        if (answer.headers.has('x-task-id')) assert.ok(answer.headers.get('x-served-by') === 'sandbox-1' && Number(answer.headers.get('x-cost-usd')) > 0, 'it says who made it and what it cost')
      }
      const bytes = await kept(taskId)
      if (door.isSync) assert.ok((await door.pictureOf(answer, fetchWith(house.testKey))).equals(bytes), 'the answer shows what was kept')
      const stranger = await house.newAccount()
      for (const [other, reader] of doors) {
        const read = reader.read[door.makes]?.(taskId)
        if (!read) continue
        const seen = await send(reader, read)
        assert.equal(reader.refusalOf(seen), null, `${other}: ${seen.text.slice(0, 300)}`)
        assert.ok((await reader.pictureOf(seen, fetchWith(house.testKey))).equals(bytes), `${other} shows other bytes`)
        for (const key of [stranger.testKey, house.liveKey]) await refused(reader, { ...read, key }, reader.statuses.notFound)
      }
    })

    test('an empty purse buys nothing', async () => {
      const { testKey } = await house.newAccount({ testDollars: 0 })
      await allEnded()
      const before = await traces()
      await refused(door, { ...door.make('for nothing'), key: testKey }, door.statuses.credits)
      assert.deepEqual(await traces(), before)
    })

    test('a limit of requests is told and kept', async () => {
      const { testKey } = await house.newAccount({ limits: { requestsPerMinute: 1 } })
      // Calls that make something are counted, also those that are refused for what they say.
      const call = { ...door.make(''), key: testKey }
      const first = door.refusalOf(await send(door, call))
      assert.ok(first && first.status !== door.statuses.limited, first?.message)
      const answer = await refused(door, call, door.statuses.limited)
      assert.ok(Number(answer.headers.get('retry-after')) >= 1)
      for (const header of door.limitHeaders) assert.ok(answer.headers.get(header), header)
    })

    test('fifty calls with one Idempotency-Key are one task, and another body under it is refused', async () => {
      const prompt = `fifty mugs at ${id}`
      const answers = await Promise.all(Array.from({ length: 50 }, () => taken(door, door.make(prompt, `fifty-${id}`))))
      assert.equal(new Set(answers.map((one) => one.id)).size, 1)
      assert.equal((await tasksWith(prompt)).length, 1)
      assert.equal(answers.filter(({ replayed }) => !replayed).length, 1, 'one call bought it, the others are told so')
      await allEnded()
      const before = await traces()
      await refused(door, door.make(`another mug at ${id}`, `fifty-${id}`), door.statuses.mismatch)
      assert.deepEqual(await traces(), before)
    })

    test('what a client sends again by itself, without a key, is not bought twice, and the answer says so', async t => {
      if (!door.resent) return t.skip('its clients do not say that they send a call again')
      const prompt = `a mug asked for twice at ${id}`
      const call = door.make(prompt)
      const first = await taken(door, call)
      await allEnded()
      const before = await traces()
      const again = await taken(door, { ...call, headers: { ...call.headers, ...door.resent } })
      assert.deepEqual([again.id, again.replayed], [first.id, true])
      assert.deepEqual(await traces(), before, 'nothing was made or paid for it')
      // People ask for variations by asking again: that is another order.
      assert.notEqual((await taken(door, call)).id, first.id)
    })

    test('a caller who leaves loses nothing', async () => {
      const prompt = `a mug nobody waits for at ${id} sandbox:slow=3s`
      const gone = new AbortController()
      const left = send(door, door.make(prompt), gone.signal).catch(() => null)
      await until('there is a task', async () => (await tasksWith(prompt)).length === 1)
      gone.abort()
      // Doors that only take an order answer at once: whether that came before the caller left is chance, and loses nothing either way.
      const answered = await left
      if (door.isSync) assert.equal(answered, null, 'it was answered before the caller left')
      const [task] = await tasksWith(prompt)
      if (door.isSync) {
        await until('it is noted that nobody was answered', async () => (await house.database.query('select 1 from recent_call where task_id = $1 and unanswered', [task!.id])).rows.length === 1)
        const again = await taken(door, door.make(prompt))
        assert.deepEqual([again.id, again.replayed], [task!.id, true])
      }
      await until('it is made', async () => (await tasksWith(prompt))[0]!.state === 'done')
      assert.equal((await tasksWith(prompt)).length, 1)
    })

    test('a call with two mistakes hears of both', async t => {
      if (!door.flawed) return t.skip('it reads one field after the other')
      const { call, told } = door.flawed
      await allEnded()
      const before = await traces()
      const { text } = await refused(door, call, null)
      for (const words of told) assert.match(text, words)
      assert.deepEqual(await traces(), before)
    })

    test('bad input is told in a sentence of the dialect, costs nothing and leaves nothing', async () => {
      const cases = await door.bad(house)
      assert.ok(cases.length >= 40, `${cases.length} cases are too few`)
      await allEnded()
      const wrong: string[] = []
      for (const { what, call, status, check } of cases) {
        const sent = typeof call === 'function' ? await call() : call
        const before = await traces()
        try {
          const answer = await refused(door, sent, status)
          assert.ok(answer.text.length < 8_000, 'a refusal does not repeat what it was sent')
          check?.(answer)
          assert.deepEqual(await traces(), before)
        } catch (thrown) {
          wrong.push(`${what}: ${(thrown as Error).message}`)
        }
      }
      assert.deepEqual(wrong, [])
    })
  })
}

test('after all that the books balance', async () => assert.deepEqual(await house.audit(), []))
