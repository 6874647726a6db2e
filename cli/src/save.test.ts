import assert from 'node:assert/strict'
import { test } from 'node:test'
import { exitCodeOf } from './exit.ts'
import { nameFiles, showPath } from './save.ts'
import { formatBytes, formatTable, openScreen, plainLine } from './terminal.ts'
import { showProgress } from './waiting.ts'
import { readPair } from './make.ts'

const output = (mime: string) => ({ url: '', mime, width: 1, height: 1 })
const names = (model: string, mimes: string[], out: string | undefined, expected: string[]) => test(`${mimes.length} of ${model} into ${out ?? 'here'}`, () =>
  assert.deepEqual(nameFiles({ id: '0190a3c8d2f07abc8def0123456789ab', model, outputs: mimes.map(output) }, out), expected))
names('nano-banana', ['image/png'], undefined, ['nano-banana-456789ab-1.png'])
names('google/nano-banana', ['image/jpeg', 'image/webp'], 'shots', ['shots/google-nano-banana-456789ab-1.jpg', 'shots/google-nano-banana-456789ab-2.webp'])
names('../../etc/x', ['video/mp4'], undefined, ['etc-x-456789ab-1.mp4'])
names('m', ['image/png', 'image/png'], 'a/dog.png', ['a/dog.png', 'a/dog-2.png'])
names('m', ['application/odd'], 'v1.2', ['v1.2/m-456789ab-1.bin'])

test('sizes, paths and tables read well', () => {
  assert.deepEqual([0, 999, 1_000, 1_500_000, 84e9].map(formatBytes), ['0 B', '999 B', '1.0 kB', '1.5 MB', '84.0 GB'])
  assert.deepEqual([showPath('/a/b/c.png', '/a/b'), showPath('/x/c.png', '/a/b')], ['c.png', '/x/c.png'])
  assert.deepEqual(formatTable([['a', 'bb', ''], ['ccc', 'd', 'e f']]), ['a    bb', 'ccc  d   e f'])
  assert.equal(plainLine('a\u001b[31m\nb'), 'a [31m b')
  assert.equal(plainLine('abcdef', 4), 'abc…')
})
test('progress names the state, the share and the time', () => {
  assert.match(showProgress({ state: 'waiting', progress: 40 }, 12, 3), /^. waiting 40 % {2}12 s$/)
  assert.match(showProgress({ state: 'queued', progress: null }, 0, 0), /^. queued {2}0 s$/)
})
test('a parameter is JSON where it can be, text otherwise', () => {
  assert.deepEqual(['a=1', 'b=true', 'c=oil', 'd=16:9', 'e=a=b', 'f='].reduce<Record<string, unknown>>((before, text) => readPair(text, before), {}), { a: 1, b: true, c: 'oil', d: '16:9', e: 'a=b', f: '' })
})
test('statuses become exit codes', () => {
  assert.deepEqual([400, 401, 402, 403, 404, 409, 422, 429, 500, 502, 503, 504].map(exitCodeOf), [2, 4, 5, 4, 2, 2, 2, 2, 1, 3, 3, 3])
})

test('a note that comes while a line is drawn stands on a line of its own, and the line goes on below it', () => {
  let written = ''
  const screen = openScreen(text => { written += text }, true)
  screen.redraw('running  3 of 4')
  screen.note('somebody is asked')
  screen.redraw(null)
  screen.note('done')
  assert.deepEqual(written.split('\r\u001b[2K'), ['', 'running  3 of 4', 'somebody is asked\n', 'running  3 of 4', 'done\n'])
  let narrow = ''
  openScreen(text => { narrow += text }, true, () => 10).redraw('a line that is longer')
  assert.equal(narrow, '\r\u001b[2Ka line th')
  let plain = ''
  const unseen = openScreen(text => { plain += text }, false)
  unseen.redraw('running')
  unseen.note('done')
  assert.equal(plain, 'done\n')
})
