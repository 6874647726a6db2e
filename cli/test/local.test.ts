/** Commands of the operator, as processes, on a database of their own: a house is run, looked at, and told to stop. */
import assert from 'node:assert/strict'
import { mkdtemp, readFile, rm, stat } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import type { Database } from '../../server/src/db/pool.ts'
import { newId } from '../../server/src/kit/id.ts'
import { testDatabase } from '../../server/test/kit/database.ts'
import { startGemini } from '../../server/test/upstreams/gemini.ts'
import { kieKey, startKie } from '../../server/test/upstreams/kie.ts'
import { plantain, start, type Running } from './cli.ts'

let cwd = ''
let env: Record<string, string> = {}
let server: Running
let url = ''
let closeDatabase = async () => {}
let database: Database

before(async () => {
  cwd = await mkdtemp(join(tmpdir(), 'plantain-local-'))
  const opened = await testDatabase()
  closeDatabase = opened.close
  database = opened.database
  env = { DATABASE_URL: opened.url, PLANTAIN_DATA_DIR: join(cwd, 'data'), PORT: '0', LOG_LEVEL: 'error', SANDBOX_THREADS: '1', DATABASE_POOL: '4' }
  server = start(['serve'], { cwd, env })
  const exited = server.ended.then(({ err }) => { throw new Error(`serve ended: ${err}`) })
  const up = () => new Promise<string>((resume) => {
    server.child.stdout!.on('data', () => {
      const found = /is up on (http:\S+)/.exec(server.seen().out)
      if (found) resume(found[1]!)
    })
  })
  url = await Promise.race([up(), exited])
  exited.catch(() => {})
})
after(async () => {
  server.child.kill('SIGKILL')
  await server.ended
  await closeDatabase()
  await rm(cwd, { recursive: true, force: true })
})
const call = (words: string[], more: Record<string, string> = {}) => plantain(words, { cwd, env: { ...env, PLANTAIN_URL: url, ...more } })
const json = async <T>(words: string[]): Promise<T> => {
  const { code, out, err } = await call([...words, '--json'])
  assert.equal(code, 0, err + out)
  return JSON.parse(out) as T
}

test('the first key is written for its owner only, and works at once', async () => {
  const file = join(cwd, 'data/first-key.txt')
  assert.equal((await stat(file)).mode & 0o777, 0o600)
  const { code, err } = await call(['task', 'list'])
  assert.equal(code, 0, err)
})

test('what upstreams took is shown against what was charged, by day, provider and model; bad days are refused', async () => {
  assert.match((await call(['costs'])).out, /^Nothing was bought from \d{4}-\d\d-\d\d to \d{4}-\d\d-\d\d\.\n$/)
  const day = new Date().toISOString().slice(0, 10)
  const buy = (micros: number | null, charged: number, late = false) => database.query(
    `insert into provider_cost (task_id, number, account_id, project_id, provider, upstream_model, model, micros, basis, charged_micros, late, created_at)
     values ($1, 1, $1, $1, 'gemini', 'there', 'nano-banana-pro', $2, $3, $4, $5, $6)`, [newId(), micros, micros === null ? 'unknown' : 'usage', charged, late, `${day}T00:00:00Z`])
  await buy(134_000, 180_000)
  await buy(134_000, 0, true)
  await buy(null, 180_000)
  const [line] = await json<object[]>(['costs'])
  assert.deepEqual(line, { day, provider: 'gemini', model: 'nano-banana-pro', attempts: 3, unknown: 1, late: 1, costMicros: 268_000, chargedMicros: 360_000, marginMicros: 92_000 })
  const { out, err } = await call(['costs', '--from', day, '--to', day])
  assert.match(out, /all +3 +1 +1 +\$0\.268 +\$0\.36 +\$0\.092/)
  assert.match(err, /nobody knows what they cost/)
  assert.deepEqual(await json(['costs', '--from', '2020-01-01', '--to', '2020-01-31']), [])
  for (const words of [['--from', 'yesterday'], ['--to', '2026-02-30'], ['--from', '2026-02-02', '--to', '2026-02-01']]) assert.equal((await call(['costs', ...words])).code, 2)
})

test('what may have been bought and nobody knows the end of is listed, with what it can be found by', async () => {
  assert.match((await call(['unknown'])).out, /nothing whose end is not known/)
  const { rows: [project] } = await database.query<{ id: string; account_id: string }>('select id, account_id from project limit 1')
  const taskId = newId()
  await database.query(`insert into task (id, account_id, project_id, livemode, state, attempts, attempts_max, model, model_asked, operation, prompt, parameters, inputs, count, priority, rank, provider, upstream_model,
    price_micros, charged_micros, ended_at, end_by) values ($1, $2, $3, true, 'failed', 1, 8, 'nano-banana', 'nano-banana', 'generate', 'x', '{}', '[]', 1, 'interactive', 0, 'kie', 'google/nano-banana', 0, 0, now(), now())`, [taskId, project!.account_id, project!.id])
  await database.query(`insert into attempt (task_id, number, provider, upstream_model, ended_at, outcome, receipt) values ($1, 1, 'kie', 'google/nano-banana', now(), 'unknown', '{"kind":"upstream","receipt":{"id":"kie-77"}}')`, [taskId])
  const [one] = await json<Record<string, unknown>[]>(['unknown'])
  assert.deepEqual([one!.taskId, one!.upstreamId, one!.key, one!.provider, one!.lookedForUntil], [taskId, 'kie-77', `${taskId}-1`, 'kie', null])
  assert.match((await call(['unknown'])).out, new RegExp(`kie +google/nano-banana +kie-77 +${taskId}-1 +unknown +no`))
  assert.match((await call(['doctor'])).out, /warn {2}outcomes: 1 attempt of the last 7 days/)
  await database.query(`insert into provider_cost (task_id, number, account_id, project_id, provider, upstream_model, model, micros, basis) values ($1, 1, $1, $1, 'kie', 'x', 'nano-banana', 0, 'reported')`, [taskId])
  assert.deepEqual(await json(['unknown']), [], 'what it cost is known since')
})

test('routes are listed, set, given back, and refused in words', async () => {
  interface Routes { model: string; source: string; routes: { provider: string; model: string; order: number; weight: number; enabled: boolean }[] }
  const own = await json<Routes>(['routes', 'list', 'nano-banana-pro'])
  assert.equal(own.source, 'card')
  const set = await json<Routes>(['routes', 'set', 'nano-banana-pro', 'kie,weight=3', 'openai=some-name,order=1,off'])
  assert.deepEqual([set.source, set.routes], ['operator', [
    { provider: 'kie', model: own.routes.find(({ provider }) => provider === 'kie')!.model, order: 1, weight: 3, enabled: true },
    { provider: 'openai', model: 'some-name', order: 1, weight: 1, enabled: false },
  ]])
  const table = await call(['routes', 'list'])
  assert.match(table.out, /nano-banana-pro +1 +3 +kie .* from \$0\.09 per image +operator/)
  assert.match(table.out, /openai \(off\) +some-name +not listed/)
  assert.deepEqual(await json<Routes>(['routes', 'reset', 'nano-banana-pro']), own)
  for (const [words, told] of [
    [['routes', 'set', 'nano-banana-pro', 'acme=x'], /Known are .*kie/],
    [['routes', 'set', 'nano-banana-pro', 'openai'], /names no route to openai/],
    [['routes', 'set', 'nano-banana-pro', 'kie,speed=9'], /Known are order=<n>, weight=<n> and off/],
    [['routes', 'set', 'acme-1', 'kie=x'], /no model acme-1/],
  ] as const) {
    const { code, err } = await call([...words])
    assert.equal(code, 2, err)
    assert.match(err, told)
  }
  assert.equal((await json<Routes>(['routes', 'list', 'nano-banana-pro'])).source, 'card')
})

test('what each route costs is shown with its day and its source, and what is not listed with the reason', async () => {
  const { out } = await call(['routes', 'list', 'nano-banana-2', '--costs'])
  assert.match(out, /^nano-banana-2 by kie \(nano-banana-2\)\n(  .*\n)*  resolution 4K: \$0\.09 per image\n  resolution 512: not listed: Kie\.ai makes it from 1K on\n  since \d{4}-\d\d-\d\d, by: kie\.ai catalogue/m)
  assert.match(out, /a million tokens: \$0\.50 text in, \$0\.50 images in/)
  const { routes } = await json<{ routes: { provider: string; costs: { rows: object[] } | null }[] }>(['routes', 'list', 'flux-1-schnell', '--costs'])
  assert.deepEqual(routes.find(({ provider }) => provider === 'prodia')!.costs!.rows.map(row => Object.keys(row)), [['unlisted']])
  assert.match((await call(['routes', 'list', 'sdcpp-image'])).out, /loaded +nothing +card/)
})

test('an alias is set, used by the running server, moved and removed; one that hides a model is refused', async () => {
  await json(['aliases', 'set', 'hero', 'sandbox-1'])
  const key = (await readFile(join(cwd, 'data/first-key.txt'), 'utf8')).trim()
  const estimate = (model: string) => fetch(`${url}/plantain/v1/estimate`, { method: 'POST', headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' }, body: JSON.stringify({ model, prompt: 'a pear' }) })
  const until = async (status: number) => { for (let looks = 0; looks < 2_400 && (await estimate('hero')).status !== status; looks++) await new Promise((resume) => { setTimeout(resume, 50) }); return (await estimate('hero')).status }
  assert.equal(await until(200), 200)
  assert.match((await call(['aliases', 'list'])).out, /hero +sandbox-1/)
  const hidden = await call(['aliases', 'set', 'nano-banana', 'sandbox-1'])
  assert.equal(hidden.code, 2)
  assert.match(hidden.err, /never hides a model/)
  assert.equal((await call(['aliases', 'remove', 'hero'])).code, 0)
  assert.equal(await until(404), 404)
})

test('a project chooses what becomes of retired models', async () => {
  const choices = async () => (await json<{ retiredModels: string }[]>(['projects', 'list'])).map(({ retiredModels }) => retiredModels)
  assert.deepEqual(await choices(), ['refuse'])
  const { code, out } = await call(['projects', 'set', '--retired-models', 'replace'])
  assert.deepEqual([code, out.trim()], [0, 'Default: retired models are replaced, and the answer says so.'])
  assert.deepEqual(await choices(), ['replace'])
  assert.equal((await call(['projects', 'set', '--retired-models', 'swap'])).code, 2)
  assert.equal((await call(['projects', 'set'])).code, 2)
  assert.equal((await call(['projects', 'set', '--retired-models', 'refuse', '--project', 'nobody'])).code, 2)
  assert.deepEqual(await choices(), ['replace'])
})

test('a project takes templates only, and anything again', async () => {
  const set = (what: string) => call(['projects', 'set', '--templates-only', what])
  assert.equal((await set('yes')).out.trim(), 'Default: orders have to name a template.')
  const refused = await call(['generate', 'a pear', '--param', 'resolution=512'])
  assert.notEqual(refused.code, 0)
  assert.match(refused.err, /templates? only/)
  assert.equal((await set('perhaps')).code, 2)
  assert.equal((await set('no')).out.trim(), 'Default: orders may name any model.')
})

test('a key is made, used, listed and ended', async () => {
  const made = await call(['keys', 'create', '--name', 'ci'])
  const secret = made.out.trim()
  assert.match(secret, /^sk-test-/)
  assert.match(made.err, /shown this once/)
  assert.equal((await call(['task', 'list', '--key', secret])).code, 0)

  const keys = await json<{ id: string; name: string; livemode: boolean }[]>(['keys', 'list'])
  const key = keys.find(({ name }) => name === 'ci')!
  assert.equal(key.livemode, false)
  assert.ok(!(await call(['keys', 'list'])).out.includes(secret))

  const revoked = await call(['keys', 'revoke', key.id])
  assert.deepEqual([revoked.code, /is revoked/.test(revoked.out)], [0, true])
  assert.equal((await call(['task', 'list', '--key', secret])).code, 4)
})

test('a live key has its scopes and its limits', async () => {
  const { livemode, scopes, limits, expiresAt, secret } = await json<{ livemode: boolean; scopes: string[]; limits: object; expiresAt: string; secret: string }>(
    ['keys', 'create', '--name', 'live', '--live', '--scope', 'tasks:read', '--scope', 'usage:read', '--expires-days', '2', '--requests-per-minute', '60', '--concurrent', '3'])
  assert.deepEqual([livemode, scopes, limits], [true, ['tasks:read', 'usage:read'], { requestsPerMinute: 60, executionsPerDay: null, concurrent: 3 }])
  assert.ok(Math.abs(Date.parse(expiresAt) - Date.now() - 2 * 86_400_000) < 60_000)
  assert.match(secret, /^sk-live-/)
  const refused = await call(['generate', 'a dog', '--key', secret])
  assert.equal(refused.code, 4)
})

test('credit is granted and shown, test and live apart', async () => {
  const before = await json<{ livemode: boolean; availableMicros: number }[]>(['credits', 'balance'])
  const { code, out } = await call(['credits', 'grant', '12.5', '--live', '--note', 'a start'])
  assert.deepEqual([code, out], [0, 'live: $12.50 available, $0.00 held, $0.00 spent\n'])
  const later = await json<{ livemode: boolean; availableMicros: number }[]>(['credits', 'balance'])
  assert.deepEqual(later.map(({ availableMicros }, index) => availableMicros - before[index]!.availableMicros), [0, 12_500_000])
})

test('migrate finds nothing to do', async () => {
  const { code, out } = await call(['migrate'])
  assert.equal(code, 0)
  assert.match(out, /Nothing to do\. The database is at \d+\./)
})

test('doctor finds a healthy house', async () => {
  const { ok, findings } = await json<{ ok: boolean; findings: { check: string; verdict: string; message: string }[] }>(['doctor'])
  assert.ok(ok)
  assert.deepEqual(findings.filter(({ verdict }) => verdict !== 'ok'), [])
  const checks = findings.map(({ check }) => check)
  for (const check of ['node', 'data folder', 'disk space', 'database', 'clock', 'migrations', 'keys', 'server', 'renderer', 'PUBLIC_URL', 'first-key.txt']) assert.ok(checks.includes(check), check)
})

test('doctor looks at the providers: who answers, whose key is wrong, what is missing, whose breaker is open, which models end', async () => {
  const [kie, gemini] = await Promise.all([startKie(), startGemini()])
  await database.query(`insert into provider_health (provider, state, trips, open_until) values ('gemini', 'open', 3, now() + interval '1 minute')`)
  try {
    const { code, out } = await call(['doctor'], {
      KIE_API_KEY: kieKey, KIE_BASE_URL: kie.url, GEMINI_API_KEY: 'another', GEMINI_BASE_URL: gemini.url, FAL_API_KEY: 'key', REPLICATE_WEBHOOK_SECRET: 'whsec_x', XAI_API_KEY: 'key', XAI_BASE_URL: 'http://127.0.0.1:1',
      LUMA_API_KEY: 'key', LUMA_BASE_URL: 'no address',
    })
    assert.equal(code, 1, out)
    assert.match(out, /^ok {4}kie: 127\.0\.0\.1:\d+ answers and takes our key; 312\.5 credits left$/m)
    assert.match(out, /^fail {2}gemini: .*API key not valid|^fail {2}gemini: .*does not take our key/m)
    assert.match(out, /^ok {4}fal: .*so it was not asked$/m)
    assert.match(out, /^warn {2}replicate: REPLICATE_WEBHOOK_SECRET is set and REPLICATE_API_KEY is not/m)
    assert.match(out, /^warn {2}xai: 127\.0\.0\.1:1 does not answer/m)
    assert.match(out, /^fail {2}luma: LUMA_BASE_URL=/m)
    assert.match(out, /^warn {2}gemini: Its breaker is open for another \d+ s \(opened 3 times/m)
    assert.ok(!out.includes(kieKey))
    assert.deepEqual([kie.stats().asked, gemini.stats().asked], [0, 0])
  } finally {
    await database.query(`delete from provider_health`)
    await Promise.all([kie.close(), gemini.close()])
  }
})

test('doctor says what to do about a taken port and a database that is gone', async () => {
  const squatter = createServer((socket) => socket.destroy())
  await new Promise<void>((resume) => { squatter.listen(0, '127.0.0.1', resume) })
  try {
    const address = squatter.address()
    assert.ok(address && typeof address === 'object')
    const port = String(address.port)
    const { code, out, err } = await call(['doctor'], { PORT: port, PLANTAIN_URL: '', DATABASE_URL: 'postgres://nobody@127.0.0.1:1/none', PUBLIC_URL: 'http://localhost:1' })
    assert.equal(code, 1)
    assert.match(out, /^fail {2}database: does not answer .*Check DATABASE_URL/m)
    assert.match(out, new RegExp(`^fail  port: ${port} is taken`, 'm'))
    assert.match(out, /^warn {2}PUBLIC_URL: /m)
    assert.match(err, /2 of \d+ checks failed/)
  } finally { squatter.close() }
})

test('wrong settings are all told at once', async () => {
  const { code, err } = await call(['serve'], { PORT: 'seven', DATABASE_POOL: '1' })
  assert.equal(code, 2)
  assert.match(err, /PORT="seven"[\s\S]*DATABASE_POOL="1"/)
  const doctor = await call(['doctor'], { PORT: 'seven', DATABASE_POOL: '1' })
  assert.equal(doctor.code, 1)
  assert.equal(doctor.out.match(/^fail {2}settings: /gm)?.length, 2)
})

test('a taken port is said in a sentence', async () => {
  const { code, err } = await call(['serve'], { PORT: new URL(url).port })
  assert.equal(code, 2)
  assert.match(err, /^port_taken: .*Set PORT to a free one/)
})

const refuses = (words: string[], message: RegExp) => test(`plantain ${words.join(' ')} is refused`, async () => {
  const { code, err } = await call(words)
  assert.equal(code, 2)
  assert.match(err, message)
})
refuses(['keys', 'create'], /--name/)
refuses(['keys', 'create', '--name', 'x', '--scope', 'everything'], /There is no scope "everything"\. Known are tasks:read/)
refuses(['keys', 'revoke', '0'.repeat(32)], /not_found/)
refuses(['credits', 'grant', 'much'], /no amount in dollars/)
refuses(['credits', 'grant', '-5'], /unknown option|no amount/)
refuses(['credits', 'balance', '--project', 'none'], /There is no project none/)

test('a signal ends the server well', async () => {
  server.child.kill('SIGTERM')
  const { code, err } = await server.ended
  assert.equal(code, 0, err)
  assert.equal((await call(['task', 'list', '--key', (await readFile(join(cwd, 'data/first-key.txt'), 'utf8')).trim()])).code, 3)
})

test('one process serves, another one works', async () => {
  const door = start(['serve', '--no-work'], { cwd, env })
  const says = (running: Running, words: RegExp) => new Promise<string>((resume, refuse) => {
    running.child.stdout!.on('data', () => {
      const found = words.exec(running.seen().out)
      if (found) resume(found[1] ?? '')
    })
    void running.ended.then(({ err }) => refuse(new Error(err)))
  })
  const at = await says(door, /is up on (http:\S+)/)
  const id = (await call(['generate', 'a dog', '--resolution', '512', '--no-wait', '--url', at])).out.trim()
  assert.match((await call(['task', 'get', id, '--url', at])).out, /state +queued/)

  const worker = start(['work'], { cwd, env })
  await says(worker, /Plantain works/)
  const { code, err } = await call(['task', 'wait', id, '--url', at])
  assert.equal(code, 0, err)
  for (const { child, ended } of [worker, door]) {
    child.kill('SIGTERM')
    assert.equal((await ended).code, 0)
  }
})
