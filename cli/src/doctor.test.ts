import assert from 'node:assert/strict'
import { test } from 'node:test'
import { judgeBooks, judgeClock, judgeLives, judgeLosses, judgeMissing, judgeNode, judgeProbe, judgePublicUrl, judgeSpace, judgeStanding, type Finding } from './doctor.ts'

const finds = (what: string, finding: Finding, verdict: Finding['verdict'], message: RegExp) => test(what, () => {
  assert.equal(finding.verdict, verdict)
  assert.match(finding.message, message)
})
finds('an old Node is a failure', judgeNode('20.20.2'), 'fail', /needs 24/)
finds('a new Node is fine', judgeNode('24.1.0'), 'ok', /24/)
finds('a full disk is a failure', judgeSpace(5e7), 'fail', /make room/)
finds('a filling disk is a warning', judgeSpace(1e9), 'warn', /soon/)
finds('an empty disk is fine', judgeSpace(5e10), 'ok', /50\.0 GB free/)
finds('a clock that is off is a warning', judgeClock(0, 60_000), 'warn', /60 s apart/)
finds('a clock that agrees is fine', judgeClock(0, 400), 'ok', /agrees/)
finds('no PUBLIC_URL is fine on this machine', judgePublicUrl(undefined, '127.0.0.1'), 'ok', /not set/)
finds('no PUBLIC_URL on an open address is a warning', judgePublicUrl(undefined, '0.0.0.0'), 'warn', /0\.0\.0\.0/)
finds('a PUBLIC_URL of this machine is a warning', judgePublicUrl('http://localhost:7700', '0.0.0.0'), 'warn', /this machine only/)
finds('a PUBLIC_URL without TLS is a warning', judgePublicUrl('http://images.example.com', '0.0.0.0'), 'warn', /not encrypted/)
finds('a PUBLIC_URL with a path is a warning', judgePublicUrl('https://example.com/images', '0.0.0.0'), 'warn', /has a path/)
finds('a proper PUBLIC_URL is fine', judgePublicUrl('https://images.example.com', '0.0.0.0'), 'ok', /images\.example\.com/)
finds('books that agree are fine', judgeBooks([])[0]!, 'ok', /agree/)
finds('books that do not are a failure', judgeBooks(['task 1: the ledger says 3, the task 4'])[0]!, 'fail', /ledger says 3/)
test('of many mistakes ten are told, and how many there are', () => assert.equal(judgeBooks(Array.from({ length: 25 }, (_, index) => `task ${index}`)).at(-1)!.message, '15 more do not add up.'))

finds('a provider half set up is a warning', judgeMissing('kie', ['KIE_API_KEY'], ['KIE_WEBHOOK_KEY'])[0]!, 'warn', /KIE_WEBHOOK_KEY is set and KIE_API_KEY is not/)
test('a provider nobody meant to set up is not mentioned', () => assert.deepEqual(judgeMissing('kie', ['KIE_API_KEY'], []), []))
finds('an upstream that answers is fine', judgeProbe('kie', { answers: true, takesKey: true, said: 'api.kie.ai answers and takes our key; 3 credits left' }), 'ok', /3 credits/)
finds('a key that is not taken is a failure', judgeProbe('kie', { answers: true, takesKey: false, said: 'api.kie.ai answers, and does not take our key (HTTP 401).' }), 'fail', /until its key is right/)
finds('an upstream that is silent is a warning', judgeProbe('kie', { answers: false, takesKey: true, said: 'api.kie.ai answers HTTP 502.' }), 'warn', /HTTP 502\. Live orders go to other routes/)

const now = new Date('2026-11-29T12:00:00Z')
const health = { state: 'open' as const, failures: 0, failingSince: null, trips: 2, openUntil: new Date(now.getTime() + 20_000) }
finds('an open breaker is a warning, with the time', judgeStanding({ provider: 'kie', health, pausedUntil: null }, now)[0]!, 'warn', /another 20 s \(opened 2 times/)
finds('a breaker that is finding out is one too', judgeStanding({ provider: 'kie', health: { ...health, state: 'half_open' }, pausedUntil: null }, now)[0]!, 'warn', /half open/)
finds('so is a pause', judgeStanding({ provider: 'kie', health: { ...health, state: 'closed' }, pausedUntil: new Date(now.getTime() + 1_000) }, now)[0]!, 'warn', /left alone for another 1 s/)
test('a closed breaker is not mentioned', () => assert.deepEqual(judgeStanding({ provider: 'kie', health: { ...health, state: 'closed' }, pausedUntil: null }, now), []))

const dated = (ends: string, state: 'deprecated' | 'retired' = 'deprecated') => ({ id: 'm', life: { state, ends, replacement: 'n' }, routes: [{ provider: 'openai', model: 'm', order: 1, weight: 1 }] })
finds('a model that ends soon is a warning, with the day', judgeLives([dated('2026-12-01')], new Set(['openai']), now)[0]!, 'warn', /m ends on 2026-12-01, in 2 days\. Use n\./)
finds('one that ended is too', judgeLives([dated('2026-11-01', 'retired')], new Set(['openai']), now)[0]!, 'warn', /ended on 2026-11-01/)
test('one that ends much later, or that nobody here makes, is not mentioned', () => {
  assert.deepEqual([...judgeLives([dated('2027-12-01')], new Set(['openai']), now), ...judgeLives([dated('2026-12-01')], new Set(['kie']), now)], [])
})

const loss = { model: 'm', provider: 'gemini', facts: {}, costMicros: 67_000, priceMicros: 40_000, per: 'image' as const }
finds('a route that can cost more than callers pay is a warning, with both', judgeLosses([loss], true)[0]!, 'warn', /^One route can cost .*m by gemini \(up to \$0\.067 for \$0\.04 per image\)\. Say/)
finds('of many such routes five are told, and how many there are', judgeLosses(Array.from({ length: 7 }, () => loss), true)[0]!, 'warn', /^7 routes .* and 2 more\./)
finds('a house that leaves them out is told how many', judgeLosses([loss, loss], false)[0]!, 'ok', /ROUTES_AT_A_LOSS=false\): 2 routes are left out/)
test('a house that loses nothing is not told', () => assert.deepEqual(judgeLosses([], true), []))
