import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Problem, type ProblemCode } from '../domain/problem.ts'
import { hostOf } from './outbox.ts'
import { checkTarget } from './target.ts'

const refused = (url: string, code: ProblemCode, allowPrivate = false) =>
  test(`${url.slice(0, 60)} is refused (${code})`, () => {
    assert.throws(() => checkTarget(url, { allowPrivate }), (error: unknown) => error instanceof Problem && error.code === code && error.details.field === 'url')
  })

const taken = (url: string, as = url, allowPrivate = false) =>
  test(`${url} is taken`, () => assert.equal(checkTarget(url, { allowPrivate }), as))

taken('https://example.com/hooks?team=1')
taken('http://EXAMPLE.com:8080/', 'http://example.com:8080/')
taken('https://93.184.216.34/x')
taken('http://127.0.0.1:9/x', 'http://127.0.0.1:9/x', true)

for (const url of ['hooks', '/hooks', 'ftp://example.com/', 'javascript:alert(1)', 'https://', 'https://user:word@example.com/', 'https://user@example.com/', `https://example.com/${'x'.repeat(2_048)}`]) {
  refused(url, 'bad_request')
  refused(url, 'bad_request', true)
}

for (const host of [
  '127.0.0.1', '0x7f.1', '2130706433', '0177.0.0.1', '10.0.0.1', '172.16.3.4', '192.168.1.1', '169.254.169.254', '100.64.0.1', '0.0.0.0', '255.255.255.255', '224.0.0.1',
  '[::1]', '[::]', '[fe80::1]', '[fc00::1]', '[::ffff:127.0.0.1]', '[::ffff:a00:1]', '[64:ff9b::7f00:1]', '[2002:7f00:1::]',
  'localhost', 'LOCALHOST', 'localhost.', 'printer.local', 'db.internal', 'a.localhost',
]) refused(`http://${host}/x`, 'private_address')

test('the host of a row is the same in both places', () => {
  assert.equal(hostOf('https://Example.com:8443/x?y#z'), 'example.com:8443')
  assert.equal(hostOf('https://[::1]:9/x'), '[::1]:9')
  assert.equal(hostOf('nothing'), '?')
})
