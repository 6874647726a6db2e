import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { createAccess, type Grant } from '../src/access/access.ts'
import { openDatabase } from '../src/db/pool.ts'
import type { Caller } from '../src/domain/caller.ts'
import { Problem, type ProblemCode } from '../src/domain/problem.ts'
import { grant } from '../src/ledger/ledger.ts'
import type { NewKey } from '../src/protocols/contract.ts'
import { testDatabase } from './kit/database.ts'

const { database, url, close } = await testDatabase()
after(close)

let offsetMs = 0
const now = () => new Date(Date.now() + offsetMs)
/** A moment with most of its minute before it, so that a test does not run over the edge. */
const atBeginOfMinute = () => { offsetMs = 3_600_000 - Date.now() % 60_000 + Math.floor(Math.random() * 1e6) * 60_000 }

const warnings: string[] = []
const log = { warn: (_fields: object, message: string) => { warnings.push(message) } }
const access = createAccess({ database, now, log })
after(() => access.drain())

const noLimits = { requestsPerMinute: null, executionsPerDay: null, concurrent: null }
const plain: NewKey = { name: 'Plain', livemode: false, scopes: ['tasks:read', 'tasks:write'], expiresAt: null, limits: noLimits }

const refused = (code: ProblemCode) => (error: unknown) => {
  assert.ok(error instanceof Problem, String(error))
  assert.equal(error.code, code)
  return true
}

const count = async (table: string) => (await database.query(`select count(*)::int as count from ${table}`)).rows[0].count as number

const first = await access.firstBoot(grant)
assert.ok(first.created)
const admin = (await access.authenticate(first.secret))!
const live = await access.createKeyForOperator(first.projectId, { ...plain, name: 'Live', livemode: true, scopes: ['admin'] })
const liveAdmin = (await access.authenticate(live.secret))!

const make = async (changed: Partial<NewKey> = {}, by: Caller = admin) => {
  const made = await access.keys.create(by, { ...plain, ...changed })
  return { ...made, caller: await access.authenticate(made.secret) }
}

test('the first boot makes one test key that may do everything, and play money', async () => {
  assert.deepEqual([admin.livemode, admin.scopes, admin.projectId, admin.accountId], [false, ['admin'], first.projectId, first.accountId])
  assert.match(first.secret, /^sk-test-[0-9A-Za-z]{30}$/)
  const { rows } = await database.query('select livemode, available_micros from balance')
  assert.deepEqual(rows, [{ livemode: false, available_micros: 1_000_000_000 }])
  assert.deepEqual(await access.firstBoot(grant), { created: false })
})

test('of several processes that start at once, one makes the first key', async () => {
  const other = await testDatabase()
  const others = Array.from({ length: 4 }, () => openDatabase({ url: other.url, max: 2 }))
  try {
    const boots = await Promise.all(others.flatMap(one => {
      const gate = createAccess({ database: one, now, log })
      return [gate.firstBoot(grant), gate.firstBoot(grant)]
    }))
    assert.equal(boots.filter(({ created }) => created).length, 1)
    for (const [table, expected] of [['account', 1], ['project', 1], ['api_key', 1], ['ledger', 1]] as const) {
      assert.equal((await other.database.query(`select count(*)::int as count from ${table}`)).rows[0].count, expected, table)
    }
  } finally {
    for (const one of others) await one.close()
    await other.close()
  }
})

test('a first boot whose grant fails leaves nothing behind', async () => {
  const other = await testDatabase()
  try {
    const gate = createAccess({ database: other.database, now, log })
    const failing: Grant = async () => { throw new Error('no money') }
    await assert.rejects(gate.firstBoot(failing), /no money/)
    assert.equal((await other.database.query('select count(*)::int as count from account')).rows[0].count, 0)
    assert.equal((await gate.firstBoot(grant)).created, true)
  } finally {
    await other.close()
  }
})

test('a secret opens what it was made for and is nowhere in the database', async () => {
  const { key, secret, caller } = await make({ name: '  Shop ', scopes: ['tasks:read', 'tasks:read'], limits: { requestsPerMinute: 7, executionsPerDay: 8, concurrent: 9 } })
  assert.deepEqual(caller, {
    keyId: key.id, keyName: 'Shop', keyPrefix: secret.slice(0, 12), accountId: admin.accountId, projectId: admin.projectId, livemode: false,
    scopes: ['tasks:read'], limits: { requestsPerMinute: 7, executionsPerDay: 8, concurrent: 9 }, templatesOnly: false,
  })
  const { rows } = await database.query(`select row_to_json(k)::text as text from api_key k union all select row_to_json(a)::text from audit a`)
  for (const { text } of rows) assert.ok(!text.includes(secret.slice(12)))
})

test('what is no secret opens nothing', async () => {
  for (const secret of ['', 'sk-test-', 'sk-test-short', `sk-prod-${'a'.repeat(30)}`, `${first.secret} `, first.secret.slice(0, -1), `sk-test-${'a'.repeat(30)}`, first.secret.replace('test', 'live')]) {
    assert.equal(await access.authenticate(secret), null, secret)
  }
})

test('a revoked key is refused at once, on every server', async () => {
  const other = createAccess({ database, now, log })
  const { key, secret } = await make()
  assert.ok(await other.authenticate(secret))
  const revoked = await access.keys.revoke(admin, key.id)
  assert.ok(revoked.revokedAt)
  assert.equal(await other.authenticate(secret), null)
  assert.equal(await access.authenticate(secret), null)
  await other.drain()
})

test('revoking twice is revoking once', async () => {
  const { key } = await make()
  await access.drain()
  const one = await access.keys.revoke(admin, key.id)
  const before = await count('audit')
  offsetMs += 5_000
  assert.deepEqual(await access.keys.revoke(admin, key.id), one)
  assert.equal(await count('audit'), before)
})

test('an expired key is refused at once', async () => {
  const { secret, caller } = await make({ expiresAt: new Date(now().getTime() + 60_000) })
  assert.ok(caller)
  offsetMs += 60_000
  assert.equal(await access.authenticate(secret), null)
})

test('many secrets at once each get their own answer', async () => {
  const made = await Promise.all(Array.from({ length: 20 }, (_, index) => make({ name: `Key ${index}` })))
  const callers = await Promise.all(made.flatMap(({ secret }) => [access.authenticate(secret), access.authenticate('sk-test-000000000000000000000000000000')]))
  assert.deepEqual(callers.map(caller => caller?.keyId ?? null), made.flatMap(({ key }) => [key.id, null]))
})

test('the last use is noted, once a minute', async () => {
  const { key, secret } = await make()
  const used = async () => (await database.query('select last_used_at, xmin::text from api_key where id = $1', [key.id])).rows[0]
  await access.drain()
  const before = await used()
  assert.ok(before.last_used_at)
  offsetMs += 30_000
  await access.authenticate(secret)
  await access.drain()
  assert.deepEqual(await used(), before)
  offsetMs += 31_000
  await access.authenticate(secret)
  await access.drain()
  assert.ok((await used()).last_used_at > before.last_used_at)
})

test('a server that has just started does not note a use anew', async () => {
  const { key, secret } = await make()
  await access.drain()
  const used = async () => (await database.query('select xmin::text from api_key where id = $1', [key.id])).rows[0]
  const before = await used()
  const other = createAccess({ database, now, log })
  await other.authenticate(secret)
  await other.drain()
  assert.deepEqual(await used(), before)
})

test("the account's concurrency bounds the key's", async () => {
  const account = await access.createAccount({ name: 'Small', concurrent: 3 })
  const project = await access.createProject({ accountId: account.id, name: 'One' })
  const concurrent = async (limit: number | null) => {
    const { secret } = await access.createKeyForOperator(project.id, { ...plain, limits: { ...noLimits, concurrent: limit } })
    return (await access.authenticate(secret))!.limits.concurrent
  }
  assert.deepEqual([await concurrent(null), await concurrent(2), await concurrent(5)], [3, 2, 3])
})

test('of 50 requests at once against a limit of 10, exactly 10 are let in', async () => {
  atBeginOfMinute()
  const { caller } = await make({ limits: { ...noLimits, requestsPerMinute: 10 } })
  const answers = await Promise.all(Array.from({ length: 50 }, () => access.countRequest(caller!)))
  assert.equal(answers.filter(answer => answer!.allowed).length, 10)
  assert.deepEqual(answers.slice(0, 11).map(answer => answer!.remaining), [9, 8, 7, 6, 5, 4, 3, 2, 1, 0, 0])
  for (const answer of answers) assert.ok(answer!.limit === 10 && answer!.resetS >= 1 && answer!.resetS <= 60, JSON.stringify(answer))
})

test('also when five servers count them', async () => {
  atBeginOfMinute()
  const { caller } = await make({ limits: { ...noLimits, requestsPerMinute: 10 } })
  const others = Array.from({ length: 5 }, () => openDatabase({ url, max: 2 }))
  try {
    const answers = await Promise.all(others.flatMap(one => {
      const gate = createAccess({ database: one, now, log })
      return Array.from({ length: 10 }, () => gate.countRequest(caller!))
    }))
    assert.equal(answers.filter(answer => answer!.allowed).length, 10)
  } finally {
    for (const one of others) await one.close()
  }
})

test('keys are counted apart, and a key without a limit is not counted', async () => {
  atBeginOfMinute()
  const [one, other, free] = [await make({ limits: { ...noLimits, requestsPerMinute: 1 } }), await make({ limits: { ...noLimits, requestsPerMinute: 1 } }), await make()]
  const answers = await Promise.all([one, other, one, other, free].map(({ caller }) => access.countRequest(caller!)))
  assert.deepEqual(answers.map(answer => answer && answer.allowed), [true, true, false, false, null])
  assert.equal((await database.query('select from rate_window where key_id = $1', [free.key.id])).rowCount, 0)
})

test('the next minute begins anew, and the sweep forgets old ones', async () => {
  atBeginOfMinute()
  const { key, caller } = await make({ limits: { ...noLimits, requestsPerMinute: 1 } })
  const ask = async () => (await access.countRequest(caller!))!.allowed
  assert.deepEqual([await ask(), await ask()], [true, false])
  offsetMs += 60_000
  assert.deepEqual([await ask(), await ask()], [true, false])
  await database.query(`insert into rate_window (key_id, kind, starts_at, count) values ($1, 'executions_day', $2, 5)`, [key.id, new Date(now().getTime() - 3_600_000)])
  const windows = async () => (await database.query('select kind from rate_window where key_id = $1 order by kind', [key.id])).rows.map(row => row.kind)
  offsetMs += 4.5 * 60_000
  await access.sweep()
  assert.deepEqual(await windows(), ['executions_day', 'request'])
  offsetMs += 60_000
  await access.sweep()
  assert.deepEqual(await windows(), ['executions_day'])
  offsetMs += 2 * 86_400_000
  await access.sweep()
  assert.deepEqual(await windows(), [])
})

test('a key that was made wrong is refused, and nothing is written', async () => {
  const rows = async () => [await count('api_key'), await count('audit')]
  const before = await rows()
  const limited = (changed: object) => ({ limits: { ...noLimits, ...changed } })
  for (const [changed, field] of [
    [{ name: '' }, 'name'], [{ name: '   ' }, 'name'], [{ name: 'x'.repeat(101) }, 'name'], [{ name: 'a\nb' }, 'name'],
    [{ scopes: [] }, 'scopes'], [{ scopes: ['everything'] }, 'scopes'],
    [{ expiresAt: now() }, 'expires_at'], [{ expiresAt: new Date(Number.NaN) }, 'expires_at'],
    [limited({ requestsPerMinute: 0 }), 'limits.requestsPerMinute'], [limited({ executionsPerDay: 1.5 }), 'limits.executionsPerDay'], [limited({ concurrent: 3e9 }), 'limits.concurrent'],
  ] as [Partial<NewKey>, string][]) {
    await assert.rejects(make(changed), error => refused('bad_request')(error) && (error as Problem).details.field === field, JSON.stringify(changed))
  }
  assert.deepEqual(await rows(), before)
})

test('a key gives nothing it has not got', async () => {
  const { caller: weak } = await make({ scopes: ['tasks:read', 'usage:read'], limits: { ...noLimits, requestsPerMinute: 10 } })
  const before = await count('api_key')
  const within = { scopes: ['tasks:read'] as NewKey['scopes'], limits: { ...noLimits, requestsPerMinute: 10 } }
  for (const changed of [{ ...within, scopes: ['admin'] }, { ...within, scopes: ['tasks:read', 'tasks:write'] }, { ...within, limits: noLimits }, { ...within, limits: { ...noLimits, requestsPerMinute: 11 } }, { ...within, livemode: true }] as Partial<NewKey>[]) {
    await assert.rejects(make(changed, weak!), refused('forbidden'), JSON.stringify(changed))
  }
  await assert.rejects(make({ livemode: true }, admin), refused('forbidden'))
  assert.equal(await count('api_key'), before)
  assert.deepEqual((await make(within, weak!)).key.scopes, ['tasks:read'])
  assert.equal((await make({ livemode: true }, liveAdmin)).key.livemode, true)
})

test('a key with a limit on what runs at once gives no looser one, and need not repeat its account\'s', async () => {
  const account = await access.createAccount({ name: 'Narrow', concurrent: 5 })
  const project = await access.createProject({ accountId: account.id, name: 'Narrow' })
  const callerOf = async (limit: number | null) => (await access.authenticate((await access.createKeyForOperator(project.id, { ...plain, scopes: ['admin'], limits: { ...noLimits, concurrent: limit } })).secret))!
  const [bounded, free] = [await callerOf(2), await callerOf(null)]
  const gives = (caller: typeof bounded, limit: number | null) => make({ limits: { ...noLimits, concurrent: limit } }, caller)
  const before = await count('api_key')
  for (const limit of [null, 3, 9]) await assert.rejects(gives(bounded, limit), refused('forbidden'), String(limit))
  assert.equal(await count('api_key'), before)
  for (const [caller, limit] of [[bounded, 2], [bounded, 1], [free, null], [free, 9]] as const) assert.equal((await gives(caller, limit)).key.limits.concurrent, limit)
})

test('keys are a matter of their project, and of their mode', async () => {
  const account = await access.createAccount({ name: 'Neighbour' })
  const project = await access.createProject({ accountId: account.id, name: 'Theirs' })
  const theirs = await access.createKeyForOperator(project.id, plain)
  for (const id of [theirs.key.id, live.key.id, 'nonsense', '00000000000000000000000000000000']) await assert.rejects(access.keys.revoke(admin, id), refused('not_found'))
  assert.ok(await access.authenticate(theirs.secret))
  assert.ok(await access.authenticate(live.secret))
  const seen = (await access.keys.list(admin)).map(({ id }) => id)
  assert.ok(!seen.includes(theirs.key.id) && !seen.includes(live.key.id))
  assert.ok((await access.keys.list(liveAdmin)).some(({ id }) => id === live.key.id))
  assert.deepEqual((await access.listKeysForOperator(project.id)).map(({ id }) => id), [theirs.key.id])
  assert.ok((await access.revokeKeyForOperator(project.id, theirs.key.id)).revokedAt)
  assert.equal(await access.authenticate(theirs.secret), null)
})

test('every administrative act is written down, with who did it', async () => {
  const { key } = await make({ name: 'Noted' })
  await access.keys.revoke(admin, key.id)
  const { rows } = await database.query('select account_id, project_id, key_id, act, subject, details from audit where subject = $1 order by id', [key.id])
  const by = { account_id: admin.accountId, project_id: admin.projectId, key_id: admin.keyId, subject: key.id }
  assert.deepEqual(rows, [
    { ...by, act: 'key.created', details: { name: 'Noted', livemode: false, scopes: ['tasks:read', 'tasks:write'] } },
    { ...by, act: 'key.revoked', details: { name: 'Noted' } },
  ])
})

test('the operator is told what does not exist', async () => {
  const nobody = '00000000000000000000000000000000'
  await assert.rejects(access.createProject({ accountId: nobody, name: 'x' }), refused('not_found'))
  await assert.rejects(access.createProject({ accountId: 'x', name: 'x' }), refused('not_found'))
  await assert.rejects(access.createAccount({ name: ' ' }), refused('bad_request'))
  await assert.rejects(access.createAccount({ name: 'x', concurrent: 0 }), refused('bad_request'))
  await assert.rejects(access.createKeyForOperator(nobody, plain), refused('not_found'))
  await assert.rejects(access.listKeysForOperator('x'), refused('not_found'))
  assert.ok((await access.listProjects()).some(({ id, accountName }) => id === first.projectId && accountName === 'Default'))
})

test('nothing went wrong in the background', async () => {
  await access.drain()
  assert.deepEqual(warnings, [])
})
