import assert from 'node:assert/strict'
import { test } from 'node:test'
import { judgeBooks, judgeClock, judgeNode, judgePublicUrl, judgeSpace, type Finding } from './doctor.ts'

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
