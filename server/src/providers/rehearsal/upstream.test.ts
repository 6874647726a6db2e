import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { after, before, beforeEach, test } from 'node:test'
import { createInterface } from 'node:readline'
import sharp from 'sharp'
import { createFetch, providerCodes } from '../../kit/fetch.ts'
import type { Connection, Job, JobOutcome } from '../contract.ts'
import rehearsal from './index.ts'
import { startUpstream } from './upstream.ts'
import type { Stats, Upstream } from './upstream.ts'

const guarded = createFetch({ ...providerCodes, allowPrivate: true, deadlineMs: 10_000, sizeMax: 1_000_000, redirectsMax: 0 })
let upstream: Upstream
before(async () => { upstream = await startUpstream() })
beforeEach(() => upstream.reset())
after(async () => { await guarded.close(); await upstream.close() })

const signal = new AbortController().signal
const job = (prompt: string, more: Partial<Job> = {}): Job => ({
  taskId: 'task-1', attempt: 1, key: 'key-1', cardId: 'card', model: 'm', operation: 'generate', prompt, parameters: {}, count: 1,
  width: 32, height: 24, inputs: [], livemode: true, callbackUrl: null, ...more,
})
const connect = (settings: { lookup?: boolean; baseUrl?: string } = {}): Connection =>
  rehearsal.connect({ baseUrl: upstream.url, lookup: true, ...settings }, { fetch: guarded, log: { info() {}, warn() {} }, now: () => new Date() })

/** Hands a job in and looks until it has ended, as the engine would, but at once: what was lost is searched for, what was never taken is handed in again. */
async function make(asked: Job, connection = connect()): Promise<{ outcome: JobOutcome; looks: number }> {
  let outcome = await connection.submit(asked, signal)
  if (outcome.kind === 'failed' && outcome.problem.code === 'outcome_unknown' && connection.find) {
    outcome = await connection.find(asked, signal) ?? await connection.submit(asked, signal)
  }
  let looks = 0
  for (; outcome.kind === 'wait' && looks < 10; looks++) outcome = await connection.poll!(outcome.receipt, asked, signal)
  return { outcome, looks }
}
const said = (outcome: JobOutcome) => outcome.kind === 'failed' ? outcome.problem.code : outcome.kind

const ends = (prompt: string, expected: string, accepted: number, settings: { lookup?: boolean } = {}) =>
  test(`${prompt}${settings.lookup === false ? ' without look-up' : ''} ends as ${expected}, taken ${accepted} times`, async () => {
    const { outcome } = await make(job(`a dog ${prompt}`), connect(settings))
    assert.deepEqual([said(outcome), upstream.stats().tasks['task-1']?.accepted], [expected, accepted])
  })

ends('', 'done', 1)
ends('rehearse:slow', 'done', 1)
ends('rehearse:queued', 'done', 1)
ends('rehearse:busy', 'provider_busy', 0)
ends('rehearse:500', 'provider_down', 0)
ends('rehearse:502', 'done', 1)
ends('rehearse:502', 'outcome_unknown', 1, { lookup: false })
ends('rehearse:cut_before', 'done', 1)
ends('rehearse:cut_before', 'outcome_unknown', 0, { lookup: false })
ends('rehearse:cut_after', 'done', 1)
ends('rehearse:cut_after', 'outcome_unknown', 1, { lookup: false })
ends('rehearse:cut_half', 'done', 1)
ends('rehearse:cut_half', 'outcome_unknown', 1, { lookup: false })
ends('rehearse:html', 'done', 1)
ends('rehearse:html', 'outcome_unknown', 1, { lookup: false })
ends('rehearse:plain', 'done', 1)
ends('rehearse:stuck', 'wait', 1)
ends('rehearse:lost', 'provider_failed', 1)
ends('rehearse:fewer', 'done', 1)
ends('rehearse:refused', 'content_rejected', 0)
ends('rehearse:refused_later', 'content_rejected', 1)
ends('rehearse:broken', 'provider_failed', 1)

test('a job that is silent is looked up once the caller loses patience', async () => {
  const patience = new AbortController()
  const connection = connect()
  const asked = job('rehearse:silent')
  const submitted = connection.submit(asked, patience.signal)
  while (upstream.stats().accepted === 0) await new Promise(setImmediate)
  patience.abort()
  assert.equal(said(await submitted), 'outcome_unknown')
  const found = await connection.find!(asked, signal)
  assert.equal(found && said(found), 'done')
})

test('without look-up there is nothing to find', () => assert.equal(connect({ lookup: false }).find, undefined))

test('an upstream that is not there was not asked', async () => {
  const gone = await startUpstream()
  await gone.close()
  const { outcome } = await make(job('a dog'), connect({ baseUrl: gone.url }))
  assert.equal(said(outcome), 'provider_down')
})

test('a busy upstream says when, and is busy as often as it was told', async () => {
  upstream.tell({ times: 2, does: { kind: 'busy', retryAfterS: 3 } })
  const first = await connect().submit(job('a dog'), signal)
  assert.equal(first.kind === 'failed' && first.retryAfterMs, 3_000)
  assert.equal(said((await make(job('a cat'))).outcome), 'provider_busy')
  assert.equal(said((await make(job('a cow'))).outcome), 'done')
})

test('the n-th request can be told apart', async () => {
  upstream.tell({ nth: 2, does: { kind: 'error', status: 500 } })
  const outcomes = []
  for (let nth = 0; nth < 3; nth++) outcomes.push(said((await make(job('a dog'))).outcome))
  assert.deepEqual(outcomes, ['done', 'provider_down', 'done'])
})

test('looks that fail do not end the job', async () => {
  upstream.tell({ does: { kind: 'queued', polls: 1, polls500: 2 } })
  const { outcome, looks } = await make(job('a dog'))
  assert.deepEqual([said(outcome), looks, upstream.stats().accepted], ['done', 4, 1])
})

test('a key that is honoured buys once, one that is not buys again, and both are counted', async () => {
  await make(job('a dog')); await make(job('a dog'))
  assert.deepEqual(upstream.stats().keys['key-1'], { asked: 2, accepted: 2, delivered: 2 })
  const honest = await startUpstream({ honourKeys: true })
  try {
    const connection = connect({ baseUrl: honest.url })
    await make(job('a dog'), connection); await make(job('a dog'), connection)
    assert.deepEqual(honest.stats().keys['key-1'], { asked: 2, accepted: 1, delivered: 2 })
  } finally { await honest.close() }
})

test('a wrong key is the operator’s to mend', async () => {
  const locked = await startUpstream({ apiKey: 'right' })
  try { assert.equal(said((await make(job('a dog'), connect({ baseUrl: locked.url }))).outcome), 'provider_not_configured') } finally { await locked.close() }
})

test('a waiting job can be stopped, an ended one cannot', async () => {
  const connection = connect()
  const asked = job('rehearse:stuck')
  const outcome = await connection.submit(asked, signal)
  assert.ok(outcome.kind === 'wait')
  assert.deepEqual([await connection.cancel!(outcome.receipt, asked, signal), await connection.cancel!(outcome.receipt, asked, signal)], [true, false])
  assert.equal(upstream.stats().cancelled, 1)
})

test('pictures are real, of the size asked for, and each job’s own', async () => {
  const fetched = async (prompt: string) => {
    const { outcome } = await make(job(prompt, { count: 2, width: 120, height: 50 }))
    assert.ok(outcome.kind === 'done')
    return Promise.all(outcome.value.made.map(async (made) => { assert.ok('url' in made); return Buffer.from(await (await fetch(made.url)).arrayBuffer()) }))
  }
  const pictures = [...await fetched('a dog'), ...await fetched('a dog')]
  for (const bytes of pictures) {
    const { format, width, height } = await sharp(bytes).metadata()
    assert.deepEqual([format, width, height], ['png', 120, 50])
    await sharp(bytes).stats()
  }
  assert.equal(new Set(pictures.map((bytes) => bytes.toString('base64'))).size, 4)
})

const file = (prompt: string, expected: number, type: string | null) => test(`${prompt} has a file that answers ${expected}`, async () => {
  const { outcome } = await make(job(prompt))
  assert.ok(outcome.kind === 'done' && 'url' in outcome.value.made[0]!)
  const response = await fetch(outcome.value.made[0].url)
  assert.equal(response.status, expected)
  assert.equal((await sharp(await response.arrayBuffer()).metadata().catch(() => null))?.format ?? null, type)
})
file('a dog', 200, 'png')
file('rehearse:bad_picture', 200, null)
file('rehearse:expired', 403, null)

test('a callback says what a look says, twice where told', async () => {
  const { createServer } = await import('node:http')
  const bodies: string[] = []
  const us = createServer((request, response) => {
    let body = ''
    request.on('data', (part: Buffer) => { body += part.toString() }).on('end', () => { bodies.push(body); response.end() })
  })
  await new Promise<void>((resume) => { us.listen(0, '127.0.0.1', resume) })
  try {
    const address = us.address()
    assert.ok(address && typeof address === 'object')
    const connection = connect()
    const outcome = await connection.submit(job('rehearse:twice', { callbackUrl: `http://127.0.0.1:${address.port}/hooks/rehearsal?token=t` }), signal)
    assert.ok(outcome.kind === 'wait')
    while (upstream.stats().callbacksTaken < 2) await new Promise(setImmediate)
    assert.equal(bodies[0], bodies[1])
    assert.equal((JSON.parse(bodies[0]!) as { status: string }).status, 'ready')
    assert.equal(said(await connection.poll!(outcome.receipt, job('rehearse:twice'), signal)), 'done')
  } finally { us.closeAllConnections(); us.close() }
})

test('as a process of its own it is told, asked and counted over HTTP', async () => {
  const child = spawn(process.execPath, [new URL('upstream.ts', import.meta.url).pathname, '--port', '0'], { stdio: ['ignore', 'pipe', 'inherit'] })
  try {
    const { value } = await createInterface(child.stdout)[Symbol.asyncIterator]().next()
    const { url } = JSON.parse(value as string) as { url: string }
    await fetch(`${url}/tell`, { method: 'POST', body: JSON.stringify({ nth: 1, does: { kind: 'busy' } }) })
    const connection = connect({ baseUrl: url })
    assert.equal(said((await make(job('a dog'), connection)).outcome), 'provider_busy')
    assert.equal(said((await make(job('a dog'), connection)).outcome), 'done')
    const stats = await (await fetch(`${url}/stats`)).json() as Stats
    assert.deepEqual(stats.tasks, { 'task-1': { asked: 2, accepted: 1, delivered: 1 } })
  } finally { child.kill() }
})
