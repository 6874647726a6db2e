import assert from 'node:assert/strict'
import { Readable } from 'node:stream'
import { test } from 'node:test'
import { readRange, respondWithAsset, writeDisposition } from './respond.ts'

const bytes = Buffer.from('0123456789')
const open = (name: string | null = 'a.png') => ({
  asset: { sha256: 'ab'.repeat(32), mime: 'image/png', sizeBytes: bytes.length, name },
  stream: (range?: { start: number; end: number }) => Readable.from([range ? bytes.subarray(range.start, range.end + 1) : bytes]),
})
const etag = `"${'ab'.repeat(32)}"`

const check = (title: string, headers: Record<string, string>, status: number, text: string, range: string | null = null) => test(title, async () => {
  const response = respondWithAsset(open(), headers)
  assert.deepEqual([response.status, await response.text(), response.headers.get('content-range')], [status, text, range])
  assert.equal(response.headers.get('etag'), etag)
})

check('the whole', {}, 200, '0123456789')
check('a piece', { range: 'bytes=2-4' }, 206, '234', 'bytes 2-4/10')
check('from a place on', { range: 'bytes=7-' }, 206, '789', 'bytes 7-9/10')
check('the last bytes', { range: 'bytes=-3' }, 206, '789', 'bytes 7-9/10')
check('more last bytes than there are', { range: 'bytes=-99' }, 206, '0123456789', 'bytes 0-9/10')
check('an end beyond the end', { range: 'bytes=8-99' }, 206, '89', 'bytes 8-9/10')
check('a piece that is not there', { range: 'bytes=10-' }, 416, '', 'bytes */10')
check('the last no bytes', { range: 'bytes=-0' }, 416, '', 'bytes */10')
check('several pieces are the whole', { range: 'bytes=0-1,3-4' }, 200, '0123456789')
check('an unknown unit is the whole', { range: 'lines=1-2' }, 200, '0123456789')
check('a piece backwards is the whole', { range: 'bytes=4-2' }, 200, '0123456789')
check('what the reader has already', { 'if-none-match': `"x", W/${etag}` }, 304, '')
check('what the reader has in another form', { 'if-none-match': '"x"' }, 200, '0123456789')
check('a piece of what the reader has', { 'if-range': etag, range: 'bytes=0-0' }, 206, '0', 'bytes 0-0/10')
check('a piece of something else is the whole', { 'if-range': '"x"', range: 'bytes=0-0' }, 200, '0123456789')

test('HEAD gets the headers and no bytes', async () => {
  const response = respondWithAsset({ ...open(), stream: () => assert.fail('nothing may be read') }, {}, { method: 'HEAD' })
  assert.deepEqual([response.status, response.headers.get('content-length'), await response.text()], [200, '10', ''])
})

test('a picture can never act as a page, and what never changes is never asked for again', () => {
  const { headers } = respondWithAsset(open(), {}, { immutable: true, download: true })
  assert.equal(headers.get('x-content-type-options'), 'nosniff')
  assert.equal(headers.get('content-security-policy'), "default-src 'none'; sandbox")
  assert.equal(headers.get('cache-control'), 'private, max-age=31536000, immutable')
  assert.equal(headers.get('content-disposition'), 'attachment; filename="a.png"')
  assert.equal(respondWithAsset(open(), {}).headers.get('cache-control'), 'private, no-cache')
})

test('names are safe in a header', () => {
  assert.equal(writeDisposition('inline', 'Überraschung.png'), `inline; filename="Uberraschung.png"; filename*=UTF-8''%C3%9Cberraschung.png`)
  assert.equal(writeDisposition('inline', '猫.png'), `inline; filename=".png"; filename*=UTF-8''%E7%8C%AB.png`)
  for (const name of ['a"\r\nSet-Cookie: x', '\ud800', '../../etc/passwd', 'a;b', '']) {
    assert.match(writeDisposition('inline', name), /^inline; filename="[^"\\\r\n;/]+"(; filename\*=UTF-8''[A-Za-z0-9._~!$&+%^`|#-]*)?$/, JSON.stringify(name))
    assert.doesNotThrow(() => respondWithAsset(open(name), {}))
  }
})

test('a range of an empty file cannot be met', () => assert.equal(readRange('bytes=0-', 0), 'unsatisfiable'))
