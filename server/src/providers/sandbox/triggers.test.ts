import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { Problem } from '../../domain/problem.ts'
import { checkTriggers, countMade, creditsTrigger, failJob, knownTriggers, pauseMs, readTriggers, refuseJob } from './triggers.ts'

const reads = (prompt: string, rest: string, set: object) => test(`"${prompt}" is read`, () => {
  const { triggers, prompt: left } = readTriggers(prompt)
  assert.deepEqual([left, triggers], [rest, { ...readTriggers('').triggers, ...set }])
})
reads('a dog', 'a dog', {})
reads('a  dog\nwith  spaces', 'a  dog\nwith  spaces', {})
reads('a dog sandbox:slow=8s in the sun', 'a dog in the sun', { slowMs: 8_000 })
reads('sandbox:slow=250ms', '', { slowMs: 250 })
reads('sandbox:slow=1.5s, a dog', ', a dog', { slowMs: 1_500 })
reads('a dog (sandbox:fail=501)', 'a dog (', { fail: '501' })
reads('a dog SANDBOX:Busy', 'a dog', { busy: true })
reads('sandbox:slow=1s a dog sandbox:fail=422', 'a dog', { slowMs: 1_000, fail: '422' })
reads('犬 sandbox:partial。', '犬 。', { partial: true })
reads('a sandbox: children play', 'a sandbox: children play', {})
reads('see https://x.example/sandbox:fail', 'see https://x.example/sandbox:fail', {})
reads('my_sandbox:slow', 'my_sandbox:slow', {})

const refuses = (prompt: string) => test(`"${prompt}" is refused with the known ones`, () => {
  assert.throws(() => checkTriggers(prompt), (thrown) => thrown instanceof Problem && thrown.code === 'bad_request' && thrown.details.field === 'prompt' && thrown.details.allowed === knownTriggers)
})
refuses('a dog sandbox:slw=8s')
refuses('sandbox:slow')
refuses('sandbox:slow=8')
refuses('sandbox:slow=2h')
refuses('sandbox:slow=3601s')
refuses('sandbox:fail')
refuses('sandbox:fail=200')
refuses('sandbox:fail=6000')
refuses('sandbox:busy=3')

const fails = (prompt: string, code: string, upstreamCode?: string) => test(`${prompt} ends as ${code}`, () => {
  const outcome = failJob(readTriggers(prompt).triggers)
  assert.ok(outcome?.kind === 'failed')
  assert.deepEqual([outcome.problem.code, outcome.problem.details.upstreamCode], [code, upstreamCode])
})
fails('sandbox:timeout', 'provider_timeout')
fails('sandbox:lost', 'outcome_unknown')
fails('sandbox:moderation', 'content_rejected')
fails('sandbox:fail=501', 'provider_failed', '501')
fails('sandbox:expired_url', 'output_expired')
fails('sandbox:slow=1s sandbox:fail=455', 'provider_failed', '455')

test('what does not end badly is rendered', () => {
  for (const prompt of ['a dog', 'sandbox:slow=1s', 'sandbox:busy', 'sandbox:partial', 'sandbox:bad_image', 'sandbox:credits']) assert.equal(failJob(readTriggers(prompt).triggers), null)
})
test('busy says no twice and then takes the job', () => {
  const { triggers } = readTriggers('sandbox:busy')
  const codes = [1, 2, 3].map((attempt) => { const outcome = refuseJob(triggers, attempt); return outcome?.kind === 'failed' ? [outcome.problem.code, outcome.retryAfterMs] : null })
  assert.deepEqual(codes, [['provider_busy', 1_000], ['provider_busy', 1_000], null])
  assert.equal(refuseJob(readTriggers('a dog').triggers, 1), null)
})
test('pauses add up', () => {
  const pause = (prompt: string) => pauseMs(readTriggers(prompt).triggers)
  assert.deepEqual([pause('a dog'), pause('sandbox:slow=2s'), pause('sandbox:timeout'), pause('sandbox:slow=2s sandbox:timeout'), pause('sandbox:lost')], [null, 2_000, 3_000, 5_000, 1_000])
})
test('partial makes one less, and at least one', () => {
  const { triggers } = readTriggers('sandbox:partial')
  assert.deepEqual([4, 2, 1].map((count) => countMade(triggers, count)), [3, 1, 1])
  assert.equal(countMade(readTriggers('').triggers, 4), 4)
})
test('only sandbox:credits wants to be told that credits are used up', () => {
  assert.deepEqual([creditsTrigger('a dog sandbox:credits'), creditsTrigger('credits for a dog')], [true, false])
})
test('every trigger is documented', () => {
  const page = readFileSync(new URL('../../../../docs/triggers.md', import.meta.url), 'utf8')
  assert.deepEqual(knownTriggers.filter((trigger) => !page.includes(`\`${trigger}\``)), [])
})
