/** The room of pictures: on a real PostgreSQL, a real disk and a real loopback web server. */
import assert from 'node:assert/strict'
import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import fs from 'node:fs/promises'
import http from 'node:http'
import type { AddressInfo } from 'node:net'
import os from 'node:os'
import path from 'node:path'
import { Readable } from 'node:stream'
import { after, before, beforeEach, test } from 'node:test'
import { crc32, deflateSync, gzipSync } from 'node:zlib'
import sharp from 'sharp'
import { createAssets, type Assets } from '../src/assets/assets.ts'
import { openDiskStore, type DiskStore } from '../src/assets/disk.ts'
import type { Database } from '../src/db/pool.ts'
import type { Asset } from '../src/domain/asset.ts'
import { Problem, type ProblemCode } from '../src/domain/problem.ts'
import { createFetch, intakeCodes, providerCodes, type Fetch } from '../src/kit/fetch.ts'
import { newId } from '../src/kit/id.ts'
import { respondWithAsset } from '../src/kit/respond.ts'
import type { Upload } from '../src/protocols/contract.ts'
import { testDatabase } from './kit/database.ts'

let database: Database
let closeDatabase: () => Promise<void>
let folder: string
let store: DiskStore
let assets: Assets
let port: number
let clock = new Date()
const fetches: Fetch[] = []
const answers = new Map<string, http.RequestListener>()
const server = http.createServer((request, response) => {
  const answer = answers.get(new URL(request.url!, 'http://x').pathname)
  if (answer) answer(request, response)
  else response.writeHead(404).end('nothing here')
})

const day = 86_400_000
const owner = { projectId: newId(), livemode: false, inputDays: 7 as number | null }
const limits = { imageBytesMax: 400_000, videoBytesMax: 600_000, pixelsMax: 1_000_000, framesMax: 10 }
const picture = (width = 40, height = 30) => sharp({ create: { width, height, channels: 3, background: '#336699', noise: { type: 'gaussian', mean: 128, sigma: 30 } } })
const shaOf = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex')
let png: Buffer
let jpeg: Buffer

before(async () => {
  ({ database, close: closeDatabase } = await testDatabase())
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  port = (server.address() as AddressInfo).port
  png = await picture().png().toBuffer()
  jpeg = await picture(64, 48).jpeg().toBuffer()
  folder = await fs.mkdtemp(path.join(os.tmpdir(), 'assets-'))
  store = await openDiskStore({ folder, now: () => clock })
  assets = make()
})
after(async () => {
  await Promise.all(fetches.map(one => one.close().catch(() => {})))
  server.closeAllConnections()
  server.close()
  await closeDatabase()
  await fs.rm(folder, { recursive: true, force: true })
})
beforeEach(() => { clock = new Date() })

const openFetch = (codes: typeof intakeCodes, options: Partial<Parameters<typeof createFetch>[0]> = {}) => {
  const made = createFetch({ ...codes, allowPrivate: (host, asked) => host === '127.0.0.1' && asked === port, deadlineMs: 60_000, sizeMax: 600_000, redirectsMax: 3, ...options })
  fetches.push(made)
  return made
}
function make(options: Partial<Parameters<typeof createAssets>[0]> = {}): Assets {
  return createAssets({
    database, store, linkSecret: Buffer.from('secret'), publicUrl: () => 'http://127.0.0.1:7700', limits, fetch: openFetch(intakeCodes), fetchMade: openFetch(providerCodes),
    now: () => clock, log: { info() {}, warn() {} }, ...options,
  })
}
const serve = (bytes: Uint8Array | string, headers: Record<string, string> = {}, status = 200) => {
  const name = `/${newId()}.png`
  answers.set(name, (_request, response) => { response.writeHead(status, headers).end(bytes) })
  return `http://127.0.0.1:${port}${name}`
}
const problemOf = async (work: Promise<unknown>): Promise<Problem> => {
  const thrown = await work.then(() => assert.fail('should have been refused'), (error: unknown) => error)
  assert.ok(thrown instanceof Problem, thrown instanceof Error ? thrown.stack : String(thrown))
  return thrown
}
const read = async (stream: Readable) => Buffer.concat(await stream.toArray())
const rowCounts = async () => (await database.query<{ assets: number; blobs: number }>('select (select count(*) from asset)::int as assets, (select count(*) from blob)::int as blobs')).rows[0]!
const files = async () => { const found: string[] = []; for await (const { key } of store.list()) found.push(key); return found }
const staged = () => fs.readdir(path.join(folder, 'staging'))
const fileOf = (key: string) => path.join(folder, key.slice(0, 2), key.slice(2, 4), key)
const age = (key: string, ms: number) => { const at = new Date(clock.getTime() - ms); return fs.utimes(fileOf(key), at, at) }

// Bytes made by hand ---------------------------------------------------------------------------------------------------

const box = (name: string, ...parts: Buffer[]) => {
  const bytes = Buffer.concat([Buffer.alloc(4), Buffer.from(name, 'latin1'), ...parts])
  bytes.writeUInt32BE(bytes.length, 0)
  return bytes
}
const film = (...inMoov: Buffer[]) => Buffer.concat([box('ftyp', Buffer.from('isom\0\0\0\0isomiso2mp41')), box('moov', box('mvhd', Buffer.alloc(100)), ...inMoov), box('mdat', Buffer.alloc(5_000, 7))])
const chunk = (name: string, data: Buffer) => {
  const bytes = Buffer.concat([Buffer.alloc(4), Buffer.from(name, 'latin1'), data, Buffer.alloc(4)])
  bytes.writeUInt32BE(data.length, 0)
  bytes.writeUInt32BE(crc32(bytes.subarray(4, -4)), bytes.length - 4)
  return bytes
}
/** A PNG that claims a size and holds whatever it is given. */
const claiming = (width: number, height: number, data: Buffer) => {
  const header = Buffer.from([0, 0, 0, 0, 0, 0, 0, 0, 8, 2, 0, 0, 0])
  header.writeUInt32BE(width, 0)
  header.writeUInt32BE(height, 4)
  return Buffer.concat([Buffer.from('\x89PNG\r\n\x1a\n', 'latin1'), chunk('IHDR', header), chunk('IDAT', data), chunk('IEND', Buffer.alloc(0))])
}

// Intake ---------------------------------------------------------------------------------------------------------------

const forms: [string, () => Upload][] = [
  ['bytes', () => ({ bytes: png, name: 'a.png' })],
  ['a stream', () => ({ stream: Readable.from([png.subarray(0, 10), png.subarray(10, 11), png.subarray(11)]), name: 'a.png' })],
  ['base64', () => ({ base64: png.toString('base64'), name: 'a.png' })],
  ['base64 in lines', () => ({ base64: png.toString('base64').replace(/.{76}/g, '$&\r\n'), name: 'a.png' })],
  ['base64 for the web', () => ({ base64: png.toString('base64url'), name: 'a.png' })],
  ['a data URL', () => ({ dataUrl: `data:image/png;base64,${png.toString('base64')}`, name: 'a.png' })],
  ['a data URL that errs about its type', () => ({ dataUrl: `data:text/html;charset=utf-8;base64,${png.toString('base64')}`, name: 'a.png' })],
  ['a data URL where base64 was asked for', () => ({ base64: `data:image/png;base64,${png.toString('base64')}`, name: 'a.png' })],
  ['a link', () => ({ url: serve(png, { 'content-type': 'application/octet-stream' }), name: 'a.png' })],
  ['a data URL as a link', () => ({ url: `data:image/png;base64,${png.toString('base64')}`, name: 'a.png' })],
]
for (const [title, upload] of forms) {
  test(`taken in from ${title}`, async () => {
    const asset = await assets.keep(owner, upload())
    const { id, createdAt, expiresAt, ...rest } = asset
    assert.deepEqual(rest, { projectId: owner.projectId, livemode: false, kind: 'input', sha256: shaOf(png), mime: 'image/png', sizeBytes: png.length, width: 40, height: 30, name: 'a.png', taskId: null })
    assert.equal(expiresAt!.getTime() - createdAt.getTime(), 7 * day)
    assert.deepEqual(await assets.find(owner, id), asset)
    assert.deepEqual(await assets.read(asset.sha256), png)
  })
}

test('the same bytes many times are one file and one blob', async () => {
  const bytes = await picture(33, 22).png().toBuffer()
  const kept = await Promise.all(Array.from({ length: 8 }, () => assets.keep(owner, { bytes })))
  assert.equal(new Set(kept.map(asset => asset.id)).size, 8)
  assert.deepEqual((await files()).filter(key => key === shaOf(bytes)), [shaOf(bytes)])
  assert.deepEqual(await staged(), [])
})

test('every kind of picture and film we name is taken', async () => {
  const kinds: [Buffer, string, number | null][] = [
    [jpeg, 'image/jpeg', 64], [await picture().webp().toBuffer(), 'image/webp', 40], [await picture().gif().toBuffer(), 'image/gif', 40], [await picture().avif().toBuffer(), 'image/avif', 40],
    [await picture().jpeg({ progressive: true }).toBuffer(), 'image/jpeg', 40], [film(), 'video/mp4', null],
  ]
  for (const [bytes, mime, width] of kinds) {
    const asset = await assets.keep(owner, { bytes })
    assert.deepEqual([asset.mime, asset.width, asset.sizeBytes], [mime, width, bytes.length])
    assert.deepEqual(await assets.read(asset.sha256), bytes)
  }
  assert.deepEqual(await staged(), [])
})

test('names are taken from the caller or the link, without anything that could act', async () => {
  const nameOf = async (upload: Upload) => (await assets.keep(owner, upload)).name
  assert.equal(await nameOf({ bytes: png }), null)
  assert.equal(await nameOf({ bytes: png, name: '../../etc/pass\r\nwd"<b>.png' }), 'pass wd b .png')
  assert.equal(await nameOf({ bytes: png, name: '..' }), null)
  assert.equal([...(await nameOf({ bytes: png, name: '猫'.repeat(500) }))!].length, 200)
  assert.match((await nameOf({ url: serve(png) }))!, /^[0-9a-f]{32}\.png$/)
})

test('the place a photo was made at is not kept', async () => {
  const photo = await picture().withExif({ IFD0: { Make: 'Plantain' }, IFD3: { GPSLatitudeRef: 'N', GPSLatitude: '48/1 51/1 2952/100' } }).withMetadata({ orientation: 6 }).jpeg().toBuffer()
  const coordinate = Buffer.alloc(8)
  coordinate.writeUInt32LE(2952, 0)
  coordinate.writeUInt32LE(100, 4)
  assert.ok(photo.includes(coordinate), 'the test photo has a place')
  const asset = await assets.keep(owner, { bytes: photo })
  const kept = await assets.read(asset.sha256)
  assert.ok(!kept.includes(coordinate))
  assert.equal((await sharp(kept).metadata()).orientation, 6)
  assert.deepEqual([asset.width, asset.height], [30, 40], 'sizes are as people see it')
  assert.deepEqual(await sharp(kept).raw().toBuffer(), await sharp(photo).raw().toBuffer())
  const clip = await assets.keep(owner, { bytes: film(box('udta', box('\xa9xyz', Buffer.from('\0\x12\x15\xc7+48.8584+002.2945/')))) })
  assert.ok((await assets.read(clip.sha256)).includes('+00.0000+000.0000/'))
})

// Refusals ---------------------------------------------------------------------------------------------------------------

const cut = (bytes: Buffer, part: number) => bytes.subarray(0, Math.floor(bytes.length * part))
const refusals: [title: string, upload: () => Upload | Promise<Upload>, code: ProblemCode, says: RegExp][] = [
  ['nothing', () => ({ bytes: Buffer.alloc(0) }), 'bad_input_image', /empty/],
  ['an empty stream', () => ({ stream: Readable.from([]) }), 'bad_input_image', /empty/],
  ['an empty link', () => ({ url: serve('') }), 'bad_input_image', /empty/],
  ['text', () => ({ bytes: Buffer.from('hello') }), 'unsupported_media', /text/],
  ['HTML', () => ({ bytes: Buffer.from('<!doctype html><p>hi') }), 'unsupported_media', /web page/],
  ['HTML called a picture', () => ({ url: serve('<html><body>Sign in</body></html>', { 'content-type': 'image/png' }) }), 'unsupported_media', /web page/],
  ['JSON', () => ({ bytes: Buffer.from('{"error":1}') }), 'unsupported_media', /JSON/],
  ['SVG', () => ({ bytes: Buffer.from('<svg xmlns="http://www.w3.org/2000/svg"><script>x</script></svg>') }), 'unsupported_media', /SVG/],
  ['SVG behind an XML head', () => ({ bytes: Buffer.from('<?xml version="1.0"?>\n<!DOCTYPE svg>\n<svg/>') }), 'unsupported_media', /SVG/],
  ['ZIP', () => ({ bytes: Buffer.from('PK\x03\x04xxxx') }), 'unsupported_media', /ZIP/],
  ['gzip', () => ({ bytes: gzipSync(png) }), 'unsupported_media', /gzip/],
  ['PDF', () => ({ bytes: Buffer.from('%PDF-1.7\n') }), 'unsupported_media', /PDF/],
  ['TIFF', async () => ({ bytes: await picture().tiff().toBuffer() }), 'unsupported_media', /TIFF/],
  ['BMP', () => ({ bytes: Buffer.from('BM\x36\0\0\0\0\0\0\0\x36\0\0\0') }), 'unsupported_media', /BMP/],
  ['HEIC', () => ({ bytes: box('ftyp', Buffer.from('heic\0\0\0\0mif1heic')) }), 'unsupported_media', /HEIC.*JPEG/],
  ['sound', () => ({ bytes: Buffer.from('ID3\x03\0') }), 'unsupported_media', /MP3/],
  ['a program', () => ({ bytes: Buffer.from('\x7fELF\x02') }), 'unsupported_media', /program/],
  ['random bytes', () => ({ bytes: Buffer.concat([Buffer.from([0, 1]), randomBytes(500)]) }), 'unsupported_media', /no kind/],
  ['half a PNG', () => ({ bytes: cut(png, 0.5) }), 'bad_input_image', /cut off/],
  ['half a JPEG', () => ({ bytes: cut(jpeg, 0.6) }), 'bad_input_image', /cut off/],
  ['half a WebP', async () => ({ bytes: cut(await picture().webp().toBuffer(), 0.5) }), 'bad_input_image', /cut off/],
  ['half a GIF', async () => ({ bytes: cut(await picture().gif().toBuffer(), 0.5) }), 'bad_input_image', /cut off|damaged/],
  ['half an AVIF', async () => ({ bytes: cut(await picture().avif().toBuffer(), 0.5) }), 'bad_input_image', /cut off/],
  ['a JPEG with its middle missing', () => ({ bytes: Buffer.concat([cut(jpeg, 0.7), Buffer.from([0xff, 0xd9])]) }), 'bad_input_image', /cannot be decoded/],
  ['a PNG with a flipped bit', () => ({ bytes: Buffer.from(png.map((byte, at) => at === png.length >> 1 ? byte ^ 1 : byte)) }), 'bad_input_image', /checksum/],
  ['the head of a PNG before a web page', () => ({ bytes: Buffer.concat([png.subarray(0, 33), Buffer.from('<script>alert(1)</script>'.repeat(9))]) }), 'bad_input_image', /cut off|checksum/],
  ['the head of a GIF before a script', () => ({ bytes: Buffer.from('GIF89a/*\0\0\0*/=1;alert(1)//;') }), 'bad_input_image', /cut off|damaged|size/],
  ['a PNG with no pixels', () => ({ bytes: Buffer.concat([png.subarray(0, 33), chunk('IEND', Buffer.alloc(0))]) }), 'bad_input_image', /no pixels/],
  ['a PNG of no size', () => ({ bytes: claiming(0, 10, deflateSync(Buffer.alloc(10))) }), 'bad_input_image', /size|no pixels/],
  ['a PNG with too few lines', () => ({ bytes: claiming(100, 100, deflateSync(Buffer.alloc(301))) }), 'bad_input_image', /cannot be decoded/],
  ['a PNG with pixels that are none', () => ({ bytes: claiming(10, 10, randomBytes(300)) }), 'bad_input_image', /cannot be decoded/],
  ['a decompression bomb', () => ({ bytes: claiming(60_000, 60_000, deflateSync(Buffer.alloc(100_000))) }), 'bad_input_image', /60000 × 60000/],
  ['a little too many pixels', () => ({ bytes: claiming(1001, 1000, deflateSync(Buffer.alloc(100))) }), 'bad_input_image', /1001 × 1000/],
  ['too many frames', async () => ({ bytes: await sharp(await Promise.all(Array.from({ length: 11 }, () => picture(8, 8).png().toBuffer())), { join: { animated: true } }).webp().toBuffer() }), 'bad_input_image', /11 frames/],
  ['too many bytes', () => ({ bytes: Buffer.concat([png, Buffer.alloc(400_000)]) }), 'too_large', /0\.4 MB/],
  ['too many bytes in base64', () => ({ base64: Buffer.concat([png, Buffer.alloc(400_000)]).toString('base64') }), 'too_large', /0\.4 MB/],
  ['base64 beyond anything', () => ({ base64: 'A'.repeat(2_000_000) }), 'too_large', /0\.6 MB/],
  ['an endless stream', () => ({ stream: Readable.from((function* () { yield png; for (;;) yield Buffer.alloc(10_000) })()) }), 'too_large', /0\.4 MB/],
  ['an endless link', () => { answers.set('/endless', (_request, response) => { response.write(png); const more = () => { while (!response.destroyed && response.write(Buffer.alloc(16_384))); }; response.on('drain', more); more() }); return { url: `http://127.0.0.1:${port}/endless` } }, 'too_large', /0\.4 MB/],
  ['a film of too many bytes', () => ({ stream: Readable.from((function* () { yield film(); for (;;) yield Buffer.alloc(10_000) })()) }), 'too_large', /0\.6 MB/],
  ['a stream that breaks off', () => ({ stream: Readable.from((async function* () { yield png.subarray(0, 50); throw new Error('gone') })()) }), 'bad_input_image', /broke off/],
  ['half a film', () => ({ bytes: cut(film(), 0.5) }), 'bad_input_image', /film ends in the middle/],
  ['a film without an index', () => ({ bytes: box('ftyp', Buffer.from('isom\0\0\0\0isom')) }), 'bad_input_image', /moov/],
  ['base64 that is none', () => ({ base64: 'not base64!' }), 'bad_input_image', /base64/],
  ['a data URL without base64', () => ({ dataUrl: 'data:image/svg+xml,<svg/>' }), 'bad_input_image', /data URL/],
  ['a data URL that is none', () => ({ dataUrl: 'hello' }), 'bad_input_image', /data URL/],
  ['a link to nothing', () => ({ url: `http://127.0.0.1:${port}/missing` }), 'input_unreachable', /404/],
  ['a link to a broken server', () => ({ url: serve('', {}, 500) }), 'input_unreachable', /500/],
  ['a link to nobody', () => ({ url: 'http://nobody.invalid/a.png' }), 'input_unreachable', /nobody/],
  ['no link', () => ({ url: 'a cat' }), 'input_unreachable', /not a link/],
  ['a file link', () => ({ url: 'file:///etc/passwd' }), 'input_unreachable', /http/],
  ['a link with a password', () => ({ url: `http://a:b@127.0.0.1:${port}/` }), 'input_unreachable', /password/],
  ['a link to loopback', () => ({ url: 'http://127.0.0.1/a.png' }), 'private_address', /private/],
  ['a link to loopback by another notation', () => ({ url: 'http://0x7f.1/a.png' }), 'private_address', /private/],
  ['a link to the cloud metadata', () => ({ url: 'http://169.254.169.254/latest/' }), 'private_address', /private/],
  ['a link to loopback by IPv6', () => ({ url: 'http://[::ffff:127.0.0.1]/' }), 'private_address', /private/],
  ['a link that leads on to a private address', () => ({ url: serve('', { location: 'http://10.0.0.1/a.png' }, 302) }), 'private_address', /private/],
  ['a link that leads in circles', () => { answers.set('/circle', (_request, response) => { response.writeHead(302, { location: '/circle' }).end() }); return { url: `http://127.0.0.1:${port}/circle` } }, 'input_unreachable', /again and again/],
  ['a link that breaks off', () => { answers.set('/cut', (_request, response) => { response.writeHead(200, { 'content-length': String(png.length) }); response.write(cut(png, 0.5), () => response.socket!.destroy()) }); return { url: `http://127.0.0.1:${port}/cut` } }, 'input_unreachable', /broke off/],
]
for (const [title, upload, code, says] of refusals) {
  test(`refused: ${title}`, async () => {
    const rows = await rowCounts()
    const stored = await files()
    const problem = await problemOf(assets.keep(owner, await upload()))
    assert.deepEqual([problem.code, says.test(problem.message)], [code, true], problem.message)
    assert.match(problem.message, /^[A-Z0-9"].*[.!]$/s)
    assert.deepEqual([await rowCounts(), await files(), await staged()], [rows, stored, []])
  })
}

test('a slow drip ends with the deadline', async () => {
  answers.set('/drip', (_request, response) => {
    response.write(png.subarray(0, 40))
    const timer = setInterval(() => response.write('.'), 10)
    response.on('close', () => clearInterval(timer))
  })
  const problem = await problemOf(make({ fetch: openFetch(intakeCodes, { deadlineMs: 2_000 }) }).keep(owner, { url: `http://127.0.0.1:${port}/drip` }))
  assert.deepEqual([problem.code, problem.details['late']], ['input_unreachable', true])
})

test('a name that leads to loopback is refused', async () => {
  const fetch = openFetch(intakeCodes, { lookup: (_host, _options, callback) => callback(null, [{ address: '127.0.0.1', family: 4 }]) })
  assert.equal((await problemOf(make({ fetch }).keep(owner, { url: `http://inside.example:${port}/a.png` }))).code, 'private_address')
})

test('an upload that is refused early is read to its end, so that the refusal can be answered', async () => {
  const stream = Readable.from([Buffer.alloc(5_000, 'x'), ...Array.from({ length: 20 }, () => Buffer.alloc(10_000))])
  await problemOf(assets.keep(owner, { stream }))
  if (!stream.readableEnded) await once(stream, 'end')
})

// What was made ------------------------------------------------------------------------------------------------------------

test('what was made is stored without rows, and again at almost no cost', async () => {
  const bytes = await picture(50, 20).png().toBuffer()
  const rows = await rowCounts()
  let puts = 0
  const counting = make({ store: { ...store, put: (...given) => { puts += 1; return store.put(...given) } } })
  const blob = await counting.storeMade({ bytes }, { kind: 'image' })
  assert.deepEqual(blob, { sha256: shaOf(bytes), mime: 'image/png', sizeBytes: bytes.length, width: 50, height: 20 })
  for (let round = 0; round < 10; round += 1) assert.deepEqual(await counting.storeMade({ bytes }, { kind: 'image' }), blob)
  assert.equal(puts, 1)
  await age(blob.sha256, 3 * 3_600_000)
  clock = new Date(clock.getTime() + 61_000)
  await counting.storeMade({ bytes }, { kind: 'image' })
  assert.equal(puts, 2)
  assert.ok((await store.head(blob.sha256))!.touchedAt.getTime() >= clock.getTime() - 1_000, 'the file is young again')
  assert.deepEqual(await rowCounts(), rows)
})

test('what was made is fetched', async () => {
  assert.equal((await assets.storeMade({ url: serve(jpeg) }, { kind: 'image' })).sha256, shaOf(jpeg))
  assert.equal((await assets.storeMade({ url: serve(film()) }, { kind: 'video' })).mime, 'video/mp4')
  const animated = await sharp(await Promise.all([1, 2].map(() => picture(9, 9).png().toBuffer())), { join: { animated: true } }).webp().toBuffer()
  assert.equal((await assets.storeMade({ bytes: animated }, { kind: 'video' })).mime, 'image/webp')
})

test('a picture that was paid for may be heavier than one that is sent in', async () => {
  const bytes = await picture(420, 420).png({ compressionLevel: 0 }).toBuffer()
  assert.equal((await problemOf(assets.keep(owner, { bytes }))).code, 'too_large')
  assert.equal((await assets.storeMade({ bytes }, { kind: 'image' })).sizeBytes, bytes.length)
})

const badMade: [string, () => Parameters<Assets['storeMade']>[0], 'image' | 'video', ProblemCode, RegExp][] = [
  ['no picture', () => ({ bytes: Buffer.from('oops') }), 'image', 'bad_output', /text instead/],
  ['a web page', () => ({ url: serve('<html>') }), 'image', 'bad_output', /web page instead/],
  ['nothing', () => ({ bytes: Buffer.alloc(0) }), 'image', 'bad_output', /empty/],
  ['half a picture', () => ({ bytes: cut(png, 0.5) }), 'image', 'bad_output', /cut off/],
  ['too large a picture', () => ({ bytes: claiming(60_000, 60_000, Buffer.alloc(9)) }), 'image', 'bad_output', /60000/],
  ['a film for a picture', () => ({ bytes: film() }), 'image', 'bad_output', /film where a picture/],
  ['a picture for a film', () => ({ bytes: png }), 'video', 'bad_output', /picture where a film/],
  ['half a film', () => ({ bytes: cut(film(), 0.5) }), 'video', 'bad_output', /film ends/],
  ['an expired link', () => ({ url: serve('', {}, 403) }), 'image', 'output_expired', /403/],
  ['a link that is gone', () => ({ url: serve('', {}, 410) }), 'image', 'output_expired', /410/],
  ['a broken server', () => ({ url: serve('', {}, 503) }), 'image', 'provider_down', /503/],
  ['a link to nobody', () => ({ url: 'http://nobody.invalid/' }), 'image', 'provider_down', /fetched|nobody/],
  ['a link into our network', () => ({ url: 'http://10.0.0.1/' }), 'image', 'provider_failed', /private/],
]
for (const [title, made, kind, code, says] of badMade) {
  test(`made badly: ${title}`, async () => {
    const stored = await files()
    const problem = await problemOf(assets.storeMade(made(), { kind }))
    assert.deepEqual([problem.code, says.test(problem.message)], [code, true], problem.message)
    assert.deepEqual([await files(), await staged()], [stored, []])
  })
}

test('whoever calls it off hears his own reason', async () => {
  answers.set('/hang', () => {})
  const controller = new AbortController()
  const work = assets.storeMade({ url: `http://127.0.0.1:${port}/hang` }, { kind: 'image' }, controller.signal)
  const reason = new Error('enough')
  controller.abort(reason)
  await assert.rejects(work, error => error === reason)
})

// Rows ---------------------------------------------------------------------------------------------------------------------

test('assets are listed newest first, in pages, and only to their owner', async () => {
  const mine = { projectId: newId(), livemode: true, inputDays: null }
  const kept: Asset[] = []
  for (let index = 0; index < 5; index += 1) kept.unshift(await assets.keep(mine, { bytes: png, name: `${index}.png` }))
  const ids = kept.map(asset => asset.id)
  const first = await assets.list(mine, { limit: 2 })
  const second = await assets.list(mine, { limit: 3, after: first.next! })
  assert.deepEqual([first.items.map(asset => asset.id), second.items.map(asset => asset.id), second.next], [ids.slice(0, 2), ids.slice(2), null])
  assert.deepEqual((await assets.list(mine, { limit: 9, kind: 'output' })).items, [])
  assert.deepEqual((await assets.list({ ...mine, livemode: false }, { limit: 9 })).items, [])
  assert.equal(await assets.find({ ...mine, livemode: false }, ids[0]!), null)
  assert.equal(await assets.find(owner, ids[0]!), null)
  assert.equal(await assets.find(mine, 'nonsense'), null)
  assert.deepEqual((await assets.findMany(mine, [ids[3]!, newId(), ids[1]!])).map(asset => asset.id), [ids[3], ids[1]])
  assert.equal((await problemOf(assets.list(mine, { limit: 1, after: 'x' }))).code, 'bad_request')
  assert.equal((await problemOf(assets.remove(owner, ids[0]!))).code, 'not_found')
})

const insertTask = async (inputs: string[], state: string) => {
  const id = newId()
  await database.query(
    `insert into task (id, account_id, project_id, livemode, state, attempts_max, model, model_asked, operation, prompt, parameters, inputs, count, priority, rank, provider, upstream_model, price_micros, end_by)
     values ($1, $2, $3, false, $4, 3, 'm', 'm', 'edit', '', '{}', $5, 1, 'interactive', 1, 'sandbox', 'm', 0, now())`,
    [id, newId(), owner.projectId, state, JSON.stringify(inputs.map(assetId => ({ assetId, role: 'reference' })))])
  return id
}

test('an asset in use cannot be removed, and afterwards it can', async () => {
  for (const state of ['queued', 'running', 'waiting']) {
    const asset = await assets.keep(owner, { bytes: png })
    const task = await insertTask([asset.id], state)
    assert.equal((await problemOf(assets.remove(owner, asset.id))).code, 'conflict', state)
    await database.query(`update task set state = 'done' where id = $1`, [task])
    await assets.remove(owner, asset.id)
    assert.equal(await assets.find(owner, asset.id), null)
  }
  assert.equal((await problemOf(assets.remove(owner, newId()))).code, 'not_found')
})

// Looking ------------------------------------------------------------------------------------------------------------------

test('thumbnails are made once, upright, and no larger than the picture', async () => {
  const wide = await assets.keep(owner, { bytes: await picture(400, 100).withMetadata({ orientation: 6 }).jpeg().toBuffer(), name: 'wide.jpg' })
  const opened = await Promise.all([assets.thumbnail(wide, 64), assets.thumbnail(wide, 64)])
  const bytes = await read(opened[0]!.stream())
  const { format, width, height } = await sharp(bytes).metadata()
  assert.deepEqual([format, width, height, opened[0]!.asset.mime, opened[0]!.asset.name, opened[0]!.asset.sizeBytes], ['webp', 16, 64, 'image/webp', 'wide.webp', bytes.length])
  const before = (await store.head(`${wide.sha256}.64.webp`))!
  assert.deepEqual(await read((await assets.thumbnail(wide, 64)).stream()), bytes)
  assert.deepEqual(await store.head(`${wide.sha256}.64.webp`), before)
  assert.equal((await sharp(await read((await assets.thumbnail(wide, 1024)).stream())).metadata()).height, 400)
  assert.equal((await problemOf(assets.thumbnail(wide, 100))).code, 'bad_request')
  assert.equal((await problemOf(assets.thumbnail(await assets.keep(owner, { bytes: film() }), 64))).code, 'unsupported_media')
})

test('an open asset answers ranges and revalidation', async () => {
  const asset = await assets.keep(owner, { bytes: png, name: 'a.png' })
  const open = await assets.open(asset)
  const whole = respondWithAsset(open, {}, { immutable: true })
  assert.deepEqual([whole.status, whole.headers.get('etag'), Buffer.from(await whole.arrayBuffer())], [200, `"${asset.sha256}"`, png])
  const piece = respondWithAsset(open, { range: 'bytes=10-19' })
  assert.deepEqual([piece.status, Buffer.from(await piece.arrayBuffer())], [206, png.subarray(10, 20)])
  assert.equal(respondWithAsset(open, { 'if-none-match': whole.headers.get('etag')! }).status, 304)
  assert.equal(respondWithAsset(open, { range: `bytes=${png.length}-` }).status, 416)
  assert.equal((await problemOf(assets.open({ ...asset, sha256: '0'.repeat(64) }))).code, 'not_found')
})

const follow = (link: string, change: (url: URL) => void = () => {}) => {
  const url = new URL(link)
  change(url)
  return assets.openLink(url.pathname, url.searchParams)
}

test('a link opens without a key, for its time', async () => {
  const asset = await assets.keep(owner, { bytes: png, name: 'Katze & Hund.png' })
  const link = assets.link(asset)
  assert.match(link, new RegExp(`^http://127\\.0\\.0\\.1:7700/files/${asset.id}/Katze-Hund\\.png\\?expires=\\d+&signature=[\\w-]{43}$`))
  const opened = await follow(link)
  assert.deepEqual([opened.asset.sha256, opened.asset.name, await read(opened.stream())], [asset.sha256, 'Katze & Hund.png', png])
  assert.equal((await follow(assets.link(asset, { side: 64 }))).asset.mime, 'image/webp')
  const start = clock.getTime()
  clock = new Date(start + 14 * day - 1)
  // The asset's own week has passed.
  assert.equal((await problemOf(follow(link))).code, 'not_found')
  clock = new Date(start + 14 * day + 3_600_001)
  assert.equal((await problemOf(follow(link))).code, 'link_expired')
  assert.equal((await problemOf(follow(assets.link(asset, { seconds: 60 }), () => { clock = new Date(clock.getTime() + 61_000) }))).code, 'link_expired')
})

test('links are the same text within an hour', async () => {
  const asset = await assets.keep(owner, { bytes: png })
  const hour = 3_600_000
  const begin = Math.ceil(Date.now() / hour) * hour
  const at = (ms: number) => { clock = new Date(ms); return assets.link(asset) }
  assert.equal(at(begin + 1), at(begin + hour))
  assert.notEqual(at(begin + hour), at(begin + hour + 1))
})

test('a link that was changed opens nothing', async () => {
  const asset = await assets.keep(owner, { bytes: png, name: 'a.png' })
  const other = await assets.keep(owner, { bytes: jpeg })
  const link = assets.link(asset, { side: 256 })
  const changes: ((url: URL) => void)[] = [
    url => url.searchParams.set('expires', '99999999999'), url => url.searchParams.set('side', '1024'), url => url.searchParams.delete('side'), url => url.searchParams.set('download', '1'),
    url => url.searchParams.delete('signature'), url => url.searchParams.set('signature', 'x'.repeat(43)), url => url.searchParams.set('signature', ''), url => url.searchParams.delete('expires'),
    url => url.searchParams.set('expires', '1e9'), url => url.searchParams.set('side', '-1'), url => { url.pathname = url.pathname.replace(asset.id, other.id) },
    url => { url.pathname = url.pathname.replace('a.webp', 'b.webp') }, url => { url.pathname = '/files/' }, url => { url.pathname = `/files/${asset.id}/../x` },
  ]
  await follow(link)
  for (const change of changes) assert.equal((await problemOf(follow(link, change))).code, 'not_found', String(change))
  assert.equal((await problemOf(make({ linkSecret: Buffer.from('another') }).openLink(new URL(link).pathname, new URL(link).searchParams))).code, 'not_found')
  assert.equal((await problemOf((async () => assets.link(asset, { seconds: 31 * 86_400 }))())).code, 'bad_request')
})

test('our own links are known in every form, foreign ones and foreign assets are not', async () => {
  const asset = await assets.keep(owner, { bytes: png })
  const link = assets.link(asset)
  const known = [link, link.replace(/\?.*/, ''), link.replace('127.0.0.1', 'localhost'), link.replace(/expires=\d+/, 'expires=1'), `http://127.0.0.1:7700/plantain/v1/assets/${asset.id}`, `http://127.0.0.1:7700/plantain/v1/assets/${asset.id}/content`]
  for (const one of known) assert.equal((await assets.resolveLink(owner, one))?.id, asset.id, one)
  const foreign = [link.replace('7700', '7701'), link.replace('127.0.0.1', 'example.com'), link.replace('http:', 'https:'), 'nonsense', `http://127.0.0.1:7700/other/${asset.id}`, link.replace(asset.id, newId())]
  for (const one of foreign) assert.equal(await assets.resolveLink(owner, one), null, one)
  assert.equal(await assets.resolveLink({ ...owner, livemode: true }, link), null)
})

// Letting go ---------------------------------------------------------------------------------------------------------------

test('the collector takes what has expired and what nobody names, and nothing else', async () => {
  const fresh = async (width: number) => picture(width, 11).png().toBuffer()
  const kept = await assets.keep({ ...owner, inputDays: null }, { bytes: await fresh(101) })
  const expired = await assets.keep({ ...owner, inputDays: 1 }, { bytes: await fresh(102) })
  const used = await assets.keep({ ...owner, inputDays: 1 }, { bytes: await fresh(103) })
  const task = await insertTask([used.id], 'waiting')
  const young = await assets.storeMade({ bytes: await fresh(104) }, { kind: 'image' })
  const orphan = await assets.storeMade({ bytes: await fresh(105) }, { kind: 'image' })
  for (const asset of [kept, expired, used]) await assets.thumbnail(asset, 64)
  const has = async (key: string) => await store.head(key) !== null

  await age(orphan.sha256, 2 * 3_600_000)
  await assets.collect()
  assert.deepEqual([await has(orphan.sha256), await has(young.sha256), await has(expired.sha256)], [false, true, true])

  clock = new Date(clock.getTime() + 2 * day)
  const counts = await assets.collect()
  assert.ok(counts.assets >= 1 && counts.blobs >= 1 && counts.files >= 2 && counts.thumbnails >= 1, JSON.stringify(counts))
  assert.deepEqual([await has(kept.sha256), await has(expired.sha256), await has(used.sha256), await has(young.sha256)], [true, false, true, false])
  assert.deepEqual([await has(`${kept.sha256}.64.webp`), await has(`${expired.sha256}.64.webp`)], [true, false])
  assert.equal(await assets.find(owner, used.id), null, 'expired is expired')
  assert.equal((await assets.findMany(owner, [used.id], { expiredToo: true }))[0]?.id, used.id, 'but the task may still read it')
  assert.ok(await assets.find(owner, kept.id))

  await database.query(`update task set state = 'failed' where id = $1`, [task])
  await assets.collect()
  assert.equal(await has(used.sha256), false)

  clock = new Date(clock.getTime() + 31 * day)
  await assets.collect()
  assert.deepEqual([await has(kept.sha256), await has(`${kept.sha256}.64.webp`)], [true, false])
  assert.deepEqual(await assets.collect(), { assets: 0, blobs: 0, files: 0, thumbnails: 0 })
  // The bytes that were taken away can come again, also in the process that had just seen them.
  const again = await assets.storeMade({ bytes: await fresh(105) }, { kind: 'image' })
  assert.equal(again.width, 105)
})

test('a writer between the two looks of the collector keeps its file', async () => {
  const bytes = await picture(77, 7).png().toBuffer()
  const key = shaOf(bytes)
  const old = () => age(key, 5 * 3_600_000)
  const untouchedSince = new Date(clock.getTime() - 3_600_000)
  const race = async (between: () => Promise<unknown>, answers: boolean[] = [false, false]) => {
    await store.put(key, bytes, { mime: 'image/png' })
    await old()
    let looks = 0
    const gone = await store.delete(key, { untouchedSince, wanted: async () => { const answer = answers[looks]!; if (looks++ === 0) await between(); return answer } })
    return [gone, (await store.head(key)) !== null, looks]
  }
  assert.deepEqual(await race(async () => {}), [true, false, 2], 'nobody wants it')
  assert.deepEqual(await race(() => store.put(key, bytes, { mime: 'image/png' })), [false, true, 1], 'a writer touched it')
  assert.deepEqual(await race(async () => {}, [false, true]), [false, true, 2], 'a row appeared')
  assert.deepEqual(await race(async () => {}, [true]), [false, true, 1], 'a row was there')
  // A writer that comes when the file has been moved aside writes anew, and what was aside does not come over it.
  const late = store.put.bind(store)
  await late(key, bytes, { mime: 'image/png' })
  await old()
  let looks = 0
  const gone = await store.delete(key, { untouchedSince, wanted: async () => { if (looks++ === 1) await late(key, bytes, { mime: 'image/png' }); return false } })
  assert.deepEqual([gone, (await store.head(key))!.touchedAt > untouchedSince], [true, true])
  assert.deepEqual(await fs.readdir(path.join(folder, 'trash')), [])
})

test('a settling task wins against the collector of its blob', async () => {
  const blob = await assets.storeMade({ bytes: await picture(88, 8).png().toBuffer() }, { kind: 'image' })
  const sha = Buffer.from(blob.sha256, 'hex')
  await database.query(`insert into blob (sha256, mime, size_bytes, created_at) values ($1, 'image/png', 1, now() - interval '9 days')`, [sha])
  await database.transaction(async client => {
    await client.query(`insert into blob (sha256, mime, size_bytes) values ($1, 'image/png', 1) on conflict do nothing`, [sha])
    const collecting = assets.collect()
    let ended = false
    const note = () => { ended = true }
    collecting.then(note, note)
    // It stands before the lock, and so it has already chosen this blob.
    for (;;) {
      const { rowCount } = await database.query(`select from pg_locks where locktype = 'relation' and relation = 'blob'::regclass and not granted`)
      if (rowCount !== 0) break
      assert.ok(!ended, 'the collector did not wait')
    }
    await client.query(`insert into asset (id, project_id, livemode, kind, sha256) values ($1, $2, false, 'output', $3)`, [newId(), owner.projectId, sha])
    settled = collecting
  })
  await settled
  assert.equal((await database.query('select from blob where sha256 = $1', [sha])).rowCount, 1)
  assert.ok(await store.head(blob.sha256))
})
let settled: Promise<unknown> = Promise.resolve()

// The store ----------------------------------------------------------------------------------------------------------------

test('what dead processes left half written is swept, and what a dead collector moved aside comes back', async () => {
  const own = await fs.mkdtemp(path.join(os.tmpdir(), 'store-'))
  const first = await openDiskStore({ folder: own })
  const host = os.hostname().replace(/[^a-zA-Z0-9-]/g, '-')
  const key = shaOf(png)
  await first.put(key, png, { mime: 'image/png' })
  await fs.rename(path.join(own, key.slice(0, 2), key.slice(2, 4), key), path.join(own, 'trash', key))
  const living = first.stagingFile()
  await fs.writeFile(living, 'mine')
  await fs.writeFile(path.join(own, 'staging', `${host}.${process.pid}.aaaaaaaaaaaa.0`), 'an earlier life with our number')
  await fs.writeFile(path.join(own, 'staging', `${host}.999999999.aaaaaaaaaaaa.0`), 'dead')
  await fs.writeFile(path.join(own, 'staging', 'elsewhere.1.aaaaaaaaaaaa.0'), 'another machine, busy')
  assert.deepEqual(await first.sweep(), { staged: 2, restored: 1 })
  assert.deepEqual((await fs.readdir(path.join(own, 'staging'))).sort(), ['elsewhere.1.aaaaaaaaaaaa.0', path.basename(living)].sort())
  assert.deepEqual(await read(first.get(key)), png)
  await first.copy(key, `${key}.64.webp`)
  assert.deepEqual(await read(first.get(`${key}.64.webp`)), png)
  assert.equal(await first.signedUrl(key, 60), null)
  assert.equal(await first.delete(key), true)
  assert.equal(await first.delete(key), false)
  await assert.rejects(async () => first.put('../../etc/passwd', png, { mime: '' }), /not a key/)
  await fs.rm(own, { recursive: true })
})

test('a file that was cut short on the disk is written again', async () => {
  const bytes = await picture(66, 6).png().toBuffer()
  await store.put(shaOf(bytes), bytes, { mime: 'image/png' })
  await fs.truncate(fileOf(shaOf(bytes)), 5)
  await store.put(shaOf(bytes), bytes, { mime: 'image/png' })
  assert.deepEqual(await assets.read(shaOf(bytes)), bytes)
})

test('what is said to be new is written without a look, also where it is there, and where its folders were tidied away', async () => {
  const bytes = await picture(67, 6).png().toBuffer()
  const key = shaOf(bytes)
  await store.put(key, bytes, { mime: 'image/png' })
  const before = await fs.stat(fileOf(key))
  await store.put(key, bytes, { mime: 'image/png', isNew: true })
  assert.notEqual((await fs.stat(fileOf(key))).ino, before.ino)
  await fs.rm(path.dirname(path.dirname(fileOf(key))), { recursive: true })
  await store.put(key, bytes, { mime: 'image/png', isNew: true })
  assert.deepEqual(await assets.read(key), bytes)
  assert.deepEqual(await fs.readdir(path.join(folder, 'staging')), [])
})
