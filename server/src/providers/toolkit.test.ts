import assert from 'node:assert/strict'
import { createHmac } from 'node:crypto'
import { describe, test } from 'node:test'
import { Problem } from '../domain/problem.ts'
import { done, failed } from '../domain/outcome.ts'
import { Webhook } from 'standardwebhooks'
import { gather, readAnswer, silence, stoppedBefore, verifyWebhook } from './toolkit.ts'

test('long pictures are cut out of an answer before it is parsed, and decoded from their bytes', () => {
  const bytes = Buffer.alloc(60_000, 7)
  const short = Buffer.from('a small one')
  const text = JSON.stringify({ data: [{ b64: bytes.toString('base64') }, { b64: short.toString('base64') }], said: `"quoted\\" ${'long words '.repeat(3_000)}` })
  const { body, bytesOf } = readAnswer(Buffer.from(text))
  const { data, said } = body as { data: { b64: string }[]; said: string }
  assert.ok(data[0]!.b64.length < 100, 'the picture is not in the parsed value')
  assert.deepEqual(bytesOf(data[0]!.b64), bytes)
  assert.deepEqual(bytesOf(data[1]!.b64), short)
  assert.equal(said, (JSON.parse(text) as { said: string }).said)
})

test('slashes may be written with a backslash', () => {
  const bytes = Buffer.alloc(60_000, 255)
  const { body, bytesOf } = readAnswer(Buffer.from(JSON.stringify({ b64: bytes.toString('base64') }).replaceAll('/', '\\/')))
  assert.deepEqual(bytesOf((body as { b64: string }).b64), bytes)
})

test('half an answer is none', () => {
  for (const text of ['', '{"data":[{"b64":"', `{"data":["${'A'.repeat(50_000)}`, '<html>', `{"data":["${'A'.repeat(50_000)}"]`]) assert.equal(readAnswer(Buffer.from(text)).body, undefined)
})

test('only a connection that never stood proves that nobody was asked', () => {
  assert.equal(silence(new Problem('provider_down', 'x', { reached: false })).kind, 'unreached')
  assert.equal(silence(new Problem('provider_down', 'x', { reached: true })).kind, 'lost')
  assert.equal(silence('shutdown').kind, 'lost')
})

const failure = (code: 'provider_busy' | 'outcome_unknown' | 'content_rejected' | 'provider_not_configured', ms: number | null = null) => failed(new Problem(code, 'x'), ms)
const merge = (makings: { made: unknown[] }[]) => ({ made: makings.flatMap(({ made }) => made) as never[] })
const codeOf = (...all: ReturnType<typeof failure>[]) => { const outcome = gather(all, merge); return outcome.kind === 'failed' ? [outcome.problem.code, outcome.retryAfterMs] : outcome.kind }

test('of several failures the one that may have cost something speaks, then the final one', () => {
  assert.deepEqual(codeOf(failure('provider_busy', 5), failure('outcome_unknown'), failure('content_rejected')), ['outcome_unknown', null])
  assert.deepEqual(codeOf(failure('provider_busy', 5), failure('content_rejected')), ['content_rejected', null])
  assert.deepEqual(codeOf(failure('provider_busy', 5), failure('provider_not_configured')), ['provider_not_configured', null])
  assert.deepEqual(codeOf(failure('provider_busy', 5), failure('provider_busy', 9)), ['provider_busy', 9])
})

test('what came is kept, and what did not is said', () => {
  const outcome = gather([done({ made: [{ url: 'https://a.example/a.png' }] }), failure('provider_busy')], merge)
  assert.ok(outcome.kind === 'done')
  assert.deepEqual([outcome.value.made.length, outcome.value.warnings], [1, ['One of 2 was not made (provider_busy): x']])
})

test('what is stopped before anything is asked is no lost answer', () => {
  const stopped = (reason: string) => { const outcome = stoppedBefore(reason, AbortSignal.abort(reason)); return outcome.kind === 'failed' && outcome.problem.code }
  assert.equal(stopped('deadline'), 'deadline')
  assert.equal(stopped('shutdown'), 'provider_down')
})

describe('call backs by Standard Webhooks', () => {
  const now = new Date('2026-11-21T12:00:00Z')
  const [secret, other] = ['whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw', 'whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA']
  const body = Buffer.from('{"id":"job-1"}')
  const headers = (by = secret, at = now) => ({ 'webhook-id': 'msg_1', 'webhook-timestamp': String(at.getTime() / 1000), 'webhook-signature': new Webhook(by).sign('msg_1', at, body.toString()) })
  const check = (kind: string, given: Record<string, string | undefined>, bytes = body, secrets = [secret]) => assert.equal(verifyWebhook({ headers: given, body: bytes }, secrets, now).kind, kind)

  test('signed by the library the world uses: genuine, and numbered', () => assert.deepEqual(verifyWebhook({ headers: headers(), body }, [secret], now), { kind: 'genuine', id: 'msg_1' }))
  test('any of several secrets and of several signatures is enough', () => {
    check('genuine', headers(), body, [other, secret])
    check('genuine', { ...headers(), 'webhook-signature': `v1a,abc ${headers(other)['webhook-signature']} ${headers()['webhook-signature']}` })
  })
  test('another secret, another body, another id, no signature: forged', () => {
    check('forged', headers(other))
    check('forged', headers(), Buffer.from('{"id":"job-2"}'))
    check('forged', { ...headers(), 'webhook-id': 'msg_2' })
    check('forged', { ...headers(), 'webhook-signature': undefined })
    check('forged', { ...headers(), 'webhook-signature': 'v1,' })
    check('forged', headers(), body, [])
    check('forged', { ...headers(), 'webhook-signature': `v1,${createHmac('sha256', '').update(`msg_1.${now.getTime() / 1000}.${body.toString()}`).digest('base64')}` }, body, ['whsec_'])
  })
  test('five minutes old or early is the limit', () => {
    check('genuine', headers(secret, new Date(now.getTime() - 300_000)))
    check('genuine', headers(secret, new Date(now.getTime() + 300_000)))
    check('forged', headers(secret, new Date(now.getTime() - 301_000)))
    check('forged', headers(secret, new Date(now.getTime() + 301_000)))
    check('forged', { ...headers(), 'webhook-timestamp': 'soon' })
  })
})
