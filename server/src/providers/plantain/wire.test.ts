import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { Problem, problems, type ProblemCode } from '../../domain/problem.ts'
import { readRetryAfter } from '../../kit/fetch.ts'
import type { JobOutcome } from '../contract.ts'
import type { Reply } from '../toolkit.ts'
import { readBegun, readCancelled, readFailure, readFound, readLink, readLook, readRefusal, readUpload, writeTask } from './wire.ts'

function reply(name: string): Reply {
  const { status, headers = {}, body } = JSON.parse(readFileSync(new URL(`fixtures/${name}.json`, import.meta.url), 'utf8')) as { status: number; headers?: Record<string, string>; body: unknown }
  const all = new Headers(headers)
  return { kind: 'answered', status, headers: all, retryAfterMs: readRetryAfter(all, new Date()), body: typeof body === 'string' ? undefined : body, bytesOf: text => Buffer.from(text, 'base64') }
}
const root = 'http://inner.example:7700'
const id = '0199f3c2a1b47d5e8f00112233445566'
const said = (outcome: JobOutcome): unknown => outcome.kind === 'failed' ? outcome.problem.code : outcome.kind === 'wait' ? outcome.receipt : outcome.value.made.length
const begin = (name: string) => readBegun(reply(name), root)

const handedIn = (name: string, expected: unknown, retryAfterMs: number | null = null) => test(`handed in, answered with ${name}`, () => {
  const outcome = begin(name)
  assert.deepEqual([said(outcome), outcome.kind === 'failed' ? outcome.retryAfterMs : null], [expected, retryAfterMs])
})
handedIn('begun', { id })
handedIn('done', 1)
handedIn('parameter', 'unsupported_parameter')
handedIn('callback', 'provider_not_configured')
handedIn('key', 'provider_not_configured')
handedIn('credits', 'provider_not_configured')
handedIn('unset', 'provider_not_configured')
handedIn('model', 'provider_not_configured')
handedIn('busy-key', 'outcome_unknown')
handedIn('mismatch', 'outcome_unknown')
handedIn('internal', 'outcome_unknown')
handedIn('new-code', 'outcome_unknown')
handedIn('rate', 'provider_busy', 9_000)
handedIn('full', 'provider_busy', 2_000)
handedIn('page-429', 'provider_busy', 3_000)
handedIn('wrong-address', 'provider_rejected')
handedIn('gateway', 'outcome_unknown')

test('silence is a lost answer, unless nobody was there', () =>
  assert.deepEqual([said(readBegun({ kind: 'lost' }, root)), said(readBegun({ kind: 'unreached' }, root))], ['outcome_unknown', 'provider_down']))

const looked = (name: string, expected: unknown) => test(`looked at, answered with ${name}`, () => {
  const read = readLook(reply(name), root)
  assert.deepEqual(read.kind === 'pending' ? ['pending', read.progress] : read.kind === 'missing' ? 'missing' : said(read), expected)
})
looked('begun', ['pending', null])
looked('running', ['pending', 40])
looked('new-state', ['pending', null])
looked('done', 1)
looked('done-empty', 'bad_output')
looked('done-foreign', 'bad_output')
looked('failed-policy', 'content_rejected')
looked('failed-busy', 'provider_busy')
looked('cancelled', 'provider_failed')
looked('missing', 'missing')
looked('wrong-address', ['pending', null])
looked('key', ['pending', null])
looked('gateway', ['pending', null])

test('what is made brings words, usage, warnings and what it took', () => {
  const outcome = begin('done')
  assert.ok(outcome.kind === 'done')
  const { made, text, usage, costMicros, warnings, details, upstreamId } = outcome.value
  assert.deepEqual([made, text, usage, costMicros, warnings, upstreamId], [
    [{ url: `${root}/files/ab/cd.png?expires=1795000000&signature=x`, mime: 'image/png' }], 'A fox.', { textIn: 12, imageOut: 1120 }, 40_000, ['seed 7 was not passed on.'], id])
  assert.deepEqual(details, { usage: { input_tokens: 12 }, plantain: { task_id: id, livemode: true, served_by: 'gemini', upstream_id: 'r7', attempts: 1, via: { task_id: 'deeper' } } })
})

test('play money has cost nothing', () => {
  const outcome = begin('done-test')
  assert.equal(outcome.kind === 'done' && outcome.value.costMicros, 0)
})

test('what is wrong with a parameter is said as it was said there', () => {
  const outcome = begin('parameter')
  assert.ok(outcome.kind === 'failed')
  assert.deepEqual(outcome.problem.details, { upstreamCode: 'unsupported_parameter', field: 'parameters.aspect_ratio', value: '9:1', allowed: ['1:1', '16:9'] })
})

test('its settings, keys and credit are not the caller’s business', () => {
  for (const name of ['key', 'credits', 'unset', 'callback']) {
    const outcome = begin(name)
    assert.ok(outcome.kind === 'failed')
    assert.doesNotMatch(outcome.problem.message, /KIE_API_KEY|0\.04|private/)
    assert.ok(outcome.problem.cause)
  }
})

const codes = Object.keys(problems) as ProblemCode[]
test('every problem has a meaning; only what surely began nothing, or was charged nothing, may be handed in again', () => {
  const again = (read: (code: ProblemCode) => Problem) => codes.filter(code => problems[read(code).code].again !== 'no')
  assert.deepEqual(again(code => readRefusal({ code })), ['unknown_model', 'model_retired', 'unauthorized', 'credits_required', 'forbidden', 'rate_limited', 'provider_not_configured', 'provider_busy', 'shutting_down', 'unavailable'])
  assert.deepEqual(again(code => readFailure({ code })), ['unauthorized', 'credits_required', 'forbidden', 'rate_limited', 'provider_not_configured', 'provider_busy', 'provider_down', 'shutting_down', 'unavailable'])
  assert.equal(readFailure({ code: 'outcome_unknown' }).code, 'outcome_unknown')
  assert.equal(readFailure({ code: 'lunar_eclipse' }).code, 'provider_failed')
})

test('looked for by its key, an attempt is there, is not there, or nobody can say', () => {
  const found = (body: unknown, status = 200) => { const outcome = readFound({ ...(reply('begun') as Extract<Reply, { kind: 'answered' }>), status, body }, root); return outcome === null ? 'none' : said(outcome) }
  const page = (...data: unknown[]) => ({ object: 'list', data, next: null, has_more: false })
  const bodyOf = (name: string) => (reply(name) as Extract<Reply, { kind: 'answered' }>).body
  assert.deepEqual(['begun', 'done', 'failed-policy'].map(name => found(page(bodyOf(name)))), [{ id }, 1, 'content_rejected'])
  assert.equal(found(page()), 'none')
  for (const [body, status] of [[undefined, 200], [{}, 200], [page({ id: 'odd' }), 200], [bodyOf('key'), 401], [bodyOf('internal'), 500]] as const) assert.equal(found(body, status), null)
  assert.deepEqual((['lost', 'unreached'] as const).map(kind => said(readFound({ kind }, root)!)), [null, null])
})

test('a link leads to that house, whatever it calls itself', () => {
  assert.equal(readLink('https://images.example.com/files/a.png?expires=1&signature=b', root), `${root}/files/a.png?expires=1&signature=b`)
  assert.equal(readLink('https://images.example.com/behind/a/proxy/files/a.png', root), `${root}/files/a.png`)
  assert.equal(readLink('/files/a.png', root), `${root}/files/a.png`)
  assert.equal(readLink('https://elsewhere.example/secrets', root), null)
  assert.equal(readLink('::', root), null)
})

test('an upload brings an id, or says why not', () => {
  const upload = (name: string) => { try { return readUpload(reply(name)) } catch (thrown) { return (thrown as Problem).code } }
  assert.deepEqual(['asset', 'key', 'rate', 'gateway', 'page-429', 'internal', 'wrong-address'].map(upload), [id, 'provider_not_configured', 'provider_busy', 'provider_down', 'provider_busy', 'provider_down', 'provider_rejected'])
})

test('a task is written in words both houses know', () => {
  const job = { model: 'nano-banana', operation: 'edit' as const, prompt: 'blue', parameters: { aspect_ratio: '1:1' }, count: 2, key: 'k-1', callbackUrl: 'https://a.example/hooks/plantain/t' }
  assert.deepEqual(writeTask(job, [{ asset: id, role: 'style' }]), {
    model: 'nano-banana', operation: 'edit', prompt: 'blue', parameters: { aspect_ratio: '1:1', count: 2 }, inputs: [{ asset: id, role: 'style' }], metadata: { plantain_attempt: 'k-1' }, callback_url: 'https://a.example/hooks/plantain/t' })
})

test('a text comes as a text, with the tokens it took; one without words is none', () => {
  const task = (text: string | null) => {
    const made = reply('done') as Extract<Reply, { kind: 'answered' }>
    return readFound({ ...made, body: { object: 'list', data: [{ ...made.body as object, operation: 'write', outputs: [], usage: null, text, details: { finish: 'stop', tokens: { input: 12, output: 5 } } }], next: null, has_more: false } }, root)!
  }
  const outcome = task('Kostenloser Versand')
  assert.ok(outcome.kind === 'done')
  assert.deepEqual([outcome.value.made, outcome.value.text, outcome.value.usage, outcome.value.details?.finish], [[], 'Kostenloser Versand', { textIn: 12, textOut: 5 }, 'stop'])
  assert.equal(said(task(null)), 'bad_output')
})

test('a cancelled task says so', () => assert.deepEqual(['cancelled', 'running', 'gateway'].map(name => readCancelled(reply(name))), [true, false, false]))
