/** Headers and locations, on pictures made here. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { crc32 } from 'node:zlib'
import * as fc from 'fast-check'
import sharp from 'sharp'
import { atOnce } from '../kit/turns.ts'
import { readHeader as read } from './header.ts'
import { stripLocation as strip } from './location.ts'
import { Broken } from './parts.ts'
import type { ImageMime } from './sniff.ts'
import { readOrientation, removeLocation, writeOrientation } from './tiff.ts'
import { draws } from '../../test/kit/chance.ts'

const readHeader = (...given: Parameters<typeof read>) => atOnce(read(...given))
const stripLocation = (...given: Parameters<typeof strip>) => atOnce(strip(...given))
const gps = { IFD0: { Make: 'Plantain', Orientation: '6' }, IFD3: { GPSLatitudeRef: 'N', GPSLatitude: '48/1 51/1 2952/100', GPSLongitudeRef: 'E', GPSLongitude: '2/1 17/1 4016/100' } }
const xmp = '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description rdf:about="" xmlns:exif="http://ns.adobe.com/exif/1.0/" exif:GPSLatitude="48,51.492N"/></rdf:RDF></x:xmpmeta>'
type Format = 'png' | 'jpeg' | 'webp' | 'gif' | 'avif'
const mimes: [ImageMime, Format][] = [['image/png', 'png'], ['image/jpeg', 'jpeg'], ['image/webp', 'webp'], ['image/gif', 'gif'], ['image/avif', 'avif']]
const noise = (width: number, height: number) => sharp({ create: { width, height, channels: 3, background: '#808080', noise: { type: 'gaussian', mean: 128, sigma: 30 } } })
const make = (format: Format, width = 60, height = 40) => noise(width, height).toFormat(format).toBuffer()
const photo = (format: Format) => noise(60, 40).withExif(gps).withXmp(xmp).withMetadata({ orientation: 6 }).toFormat(format).toBuffer()
const pixels = (bytes: Buffer) => sharp(bytes).raw().toBuffer()

for (const [mime, format] of mimes) {
  test(`${format}: size, frames and end are read without decoding`, async () => {
    const bytes = await make(format, 61, 43)
    assert.deepEqual(readHeader(bytes, mime), { width: 61, height: 43, frames: 1, orientation: 1, endsAt: bytes.length })
  })

  test(`${format}: cut off anywhere it is found out`, async () => {
    const bytes = await make(format)
    for (const kept of [0, 1, 12, 16, 24, 33, bytes.length >> 2, bytes.length >> 1, bytes.length - 2, bytes.length - 1]) {
      assert.throws(() => readHeader(bytes.subarray(0, kept), mime), error => error instanceof Broken || error instanceof RangeError, `${kept} of ${bytes.length}`)
    }
  })

  test(`${format}: nothing to remove, nothing changed`, async () => {
    const bytes = await make(format)
    assert.equal(stripLocation(bytes, mime, readHeader(bytes, mime)), bytes)
  })

  test(`${format}: damaged bytes never end in anything but a clear word`, async () => {
    const bytes = await make(format, 16, 16)
    fc.assert(fc.property(fc.array(fc.tuple(fc.nat(bytes.length - 1), fc.nat(255)), { minLength: 1, maxLength: 8 }), changes => {
      const damaged = Buffer.from(bytes)
      for (const [at, value] of changes) damaged[at] = value
      try {
        stripLocation(damaged, mime, readHeader(damaged, mime))
      } catch (error) {
        assert.ok(error instanceof Broken || error instanceof RangeError, String(error))
      }
    }), draws(300))
  })
}

for (const [mime, format] of mimes.filter(([, format]) => format !== 'gif')) {
  test(`${format}: the place is gone, pixels and the rest are not`, async () => {
    const bytes = await photo(format)
    const before = await sharp(bytes).metadata()
    assert.ok(before.exif && tags(before.exif).includes(0x8825), 'the test picture has a GPS directory')
    const header = readHeader(bytes, mime)
    const clean = stripLocation(bytes, mime, header)
    const after = await sharp(clean).metadata()
    assert.ok(!clean.includes('GPSLatitude'))
    assert.ok(!after.exif || !tags(after.exif).includes(0x8825), 'no GPS directory')
    assert.ok(!clean.includes(rational(2952, 100)) && !clean.includes(rational(4016, 100)), 'no coordinates')
    assert.ok(clean.includes('Plantain'), 'the camera is still named')
    assert.equal(after.orientation, before.orientation)
    assert.deepEqual(await pixels(clean), await pixels(bytes))
    assert.equal(readHeader(clean, mime).endsAt, clean.length)
    assert.equal(stripLocation(clean, mime, readHeader(clean, mime)), clean)
  })
}

/** Both ways a rational may be written. */
const rational = (above: number, below: number) => { const bytes = Buffer.alloc(8); bytes.writeUInt32LE(above, 0); bytes.writeUInt32LE(below, 4); return bytes }

/** Tags of the first directory (sharp writes little-endian EXIF behind a mark). */
function tags(exif: Buffer): number[] {
  const tiff = exif.toString('latin1', 0, 6) === 'Exif\0\0' ? exif.subarray(6) : exif
  const little = tiff.toString('latin1', 0, 2) === 'II'
  const u16 = (at: number) => little ? tiff.readUInt16LE(at) : tiff.readUInt16BE(at)
  const first = little ? tiff.readUInt32LE(4) : tiff.readUInt32BE(4)
  return Array.from({ length: u16(first) }, (_, index) => u16(first + 2 + 12 * index))
}

test('what hangs behind the end of a picture goes', async () => {
  for (const [mime, format] of mimes.filter(([, format]) => format !== 'avif')) {
    const bytes = await make(format)
    const followed = Buffer.concat([bytes, Buffer.from('PK\x03\x04 secret place')])
    const header = readHeader(followed, mime)
    assert.equal(header.endsAt, bytes.length, format)
    assert.deepEqual(stripLocation(followed, mime, header), bytes, format)
  }
})

test('unreadable EXIF goes as a whole, but the picture stays upright', async () => {
  const plain = await make('jpeg')
  const orientation = writeOrientation(6)
  orientation.writeUInt32BE(0xfffffff0, 22)
  const segment = Buffer.concat([Buffer.from([0xff, 0xe1, 0, 8 + orientation.length]), Buffer.from('Exif\0\0'), orientation])
  const bytes = Buffer.concat([plain.subarray(0, 2), segment, plain.subarray(2)])
  assert.equal(removeLocation(Buffer.from(orientation)), 'unreadable')
  const clean = stripLocation(bytes, 'image/jpeg', readHeader(bytes, 'image/jpeg'))
  assert.equal((await sharp(clean).metadata()).orientation, 6)
})

test('both byte orders of EXIF', () => {
  for (const order of ['II', 'MM'] as const) {
    const bytes = bigExif(order)
    assert.equal(readOrientation(bytes), 3)
    assert.equal(removeLocation(bytes), 'removed')
    assert.ok(!bytes.includes('SECRET'), order)
    assert.equal(readOrientation(bytes), 3)
    assert.equal(removeLocation(bytes), 'clean')
  }
})

/** IFD0 with an orientation, a pointer to GPS, and a maker note; GPS with one text that lies elsewhere. */
function bigExif(order: 'II' | 'MM'): Buffer {
  const bytes = Buffer.alloc(120)
  const u16 = (value: number, at: number) => order === 'II' ? bytes.writeUInt16LE(value, at) : bytes.writeUInt16BE(value, at)
  const u32 = (value: number, at: number) => order === 'II' ? bytes.writeUInt32LE(value, at) : bytes.writeUInt32BE(value, at)
  const entry = (at: number, tag: number, type: number, count: number, value: number) => { u16(tag, at); u16(type, at + 2); u32(count, at + 4); if (type === 3) u16(value, at + 8); else u32(value, at + 8) }
  bytes.write(order === 'II' ? 'II*\0' : 'MM\0*', 'latin1')
  u32(8, 4)
  u16(3, 8)
  entry(10, 0x8825, 4, 1, 60)
  entry(22, 0x927c, 7, 8, 110)
  entry(34, 0x0112, 3, 1, 3)
  u16(1, 60)
  entry(62, 0x001d, 2, 10, 90)
  bytes.write('SECRET-GPS', 90)
  bytes.write('SECRETMK', 110)
  return bytes
}

test('EXIF that points at itself comes to an end', () => {
  const bytes = bigExif('MM')
  bytes.writeUInt32BE(8, 46)
  assert.equal(removeLocation(bytes), 'removed')
  fc.assert(fc.property(fc.uint8Array({ minLength: 0, maxLength: 200 }), fc.boolean(), (tail, little) => {
    const wild = Buffer.concat([Buffer.from(little ? 'II*\0\x08\0\0\0' : 'MM\0*\0\0\0\x08', 'latin1'), tail])
    const length = wild.length
    assert.ok(['clean', 'removed', 'unreadable'].includes(removeLocation(wild)))
    assert.equal(wild.length, length)
  }), draws(100))
})

test('frames of animations are counted', async () => {
  const frames = await Promise.all([0, 1, 2].map(() => make('png', 20, 20)))
  for (const [mime, format] of [['image/gif', 'gif'], ['image/webp', 'webp']] as const) {
    const bytes = await sharp(frames, { join: { animated: true } }).toFormat(format).toBuffer()
    assert.deepEqual([readHeader(bytes, mime).frames, readHeader(bytes, mime).width, readHeader(bytes, mime).height], [3, 20, 20], format)
  }
})

test('text in a PNG that tells a place goes, a prompt stays', async () => {
  const bytes = await make('png')
  const chunk = (name: string, text: string) => {
    const made = Buffer.alloc(12 + text.length)
    made.writeUInt32BE(text.length, 0)
    made.write(name + text, 4, 'latin1')
    made.writeUInt32BE(crc32(made.subarray(4, 8 + text.length)), 8 + text.length)
    return made
  }
  const extra = ['Raw profile type exif\0abc', 'Location\0Paris', 'parameters\0a cat'].map(text => chunk('tEXt', text))
  const full = Buffer.concat([bytes.subarray(0, 33), ...extra, bytes.subarray(33)])
  assert.deepEqual(stripLocation(full, 'image/png', readHeader(full, 'image/png')), Buffer.concat([bytes.subarray(0, 33), extra[2]!, bytes.subarray(33)]))
})

/** How often a walk says that others may come in. */
function pauses(work: Generator<void, unknown>): number {
  let count = 0
  try { for (const _ of work) count++ } catch (error) { if (!(error instanceof Broken)) throw error }
  return count
}
const chunk = (name: string, data: Buffer) => {
  const made = Buffer.concat([Buffer.alloc(4), Buffer.from(name, 'latin1'), data, Buffer.alloc(4)])
  made.writeUInt32BE(data.length, 0)
  made.writeUInt32BE(crc32(made.subarray(4, -4)), made.length - 4)
  return made
}
const repeated = (bytes: number[], times: number) => Buffer.alloc(bytes.length * times, Buffer.from(bytes))

test('files made to be walked through for long let others in', async () => {
  const [png, jpeg, gif, webp] = await Promise.all((['png', 'jpeg', 'gif', 'webp'] as const).map(format => make(format)))
  const scan = jpeg!.indexOf(Buffer.from([0xff, 0xda]))
  const toScan = jpeg!.subarray(0, scan + 2 + jpeg!.readUInt16BE(scan + 2))
  const crumbs = Buffer.concat([Buffer.from('GIF89a\x10\0\x10\0\0\0\0\x2c\0\0\0\0\x10\0\x10\0\0\x02', 'latin1'), repeated([1, 0], 500_000), Buffer.from([0, 0x3b])])
  const riff = Buffer.concat([webp!, repeated([0x46, 0x49, 0x4c, 0x4c, 0, 0, 0, 0], 200_000)])
  riff.writeUInt32LE(riff.length - 8, 4)
  for (const [what, mime, bytes] of [
    ['a million restart marks', 'image/jpeg', Buffer.concat([toScan, repeated([0xff, 0xd0], 1_000_000), Buffer.from([0xff, 0xd9])])],
    ['a million fill bytes', 'image/jpeg', Buffer.concat([jpeg!.subarray(0, 2), repeated([0xff], 1_000_000), jpeg!.subarray(2)])],
    ['chunks of nothing', 'image/png', Buffer.concat([png!.subarray(0, 33), ...Array.from({ length: 50_000 }, () => chunk('tIME', Buffer.alloc(0))), png!.subarray(33)])],
    ['a chunk of sixty megabytes', 'image/png', Buffer.concat([png!.subarray(0, 33), chunk('teSt', Buffer.alloc(60_000_000)), png!.subarray(33)])],
    ['blocks of a byte', 'image/gif', crumbs],
    ['empty parts', 'image/webp', riff],
  ] as [string, ImageMime, Buffer][]) {
    assert.ok(pauses(read(bytes, mime)) >= 40, `${what}: the header, ${pauses(read(bytes, mime))} pauses`)
    assert.ok(pauses(strip(bytes, mime, { orientation: 1, endsAt: bytes.length })) >= 40, `${what}: the place`)
  }
  for (const [mime, bytes] of [['image/png', png], ['image/jpeg', jpeg], ['image/gif', gif], ['image/webp', webp]] as [ImageMime, Buffer][]) assert.equal(pauses(read(bytes, mime)), 0, `${mime}: nobody is let in for a small one`)
})

test('an EXIF of nothing but places is not cleaned but dropped', () => {
  const entries = 60_000
  const exif = Buffer.alloc(8 + 2 + 12 * entries + 4)
  exif.write('II*\0', 'latin1')
  exif.writeUInt32LE(8, 4)
  exif.writeUInt16LE(entries, 8)
  for (let index = 0; index < entries; index++) {
    const at = 10 + 12 * index
    exif.writeUInt16LE(0x927c, at)
    exif.writeUInt16LE(7, at + 2)
    exif.writeUInt32LE(exif.length, at + 4)
    exif.writeUInt32LE(exif.length - 1 - index % 99, at + 8)
  }
  assert.equal(removeLocation(Buffer.from(exif)), 'unreadable')
  exif.writeUInt16LE(99, 8)
  assert.equal(removeLocation(exif), 'removed')
})

test('each packet of an AVIF is looked at once, however many say that they begin', async () => {
  const bytes = await make('avif')
  const inside = Buffer.from('<x:xmpmeta'.repeat(1_000))
  const box = Buffer.concat([Buffer.alloc(4), Buffer.from('free'), inside])
  box.writeUInt32BE(box.length, 0)
  const many = Buffer.concat([bytes, box])
  assert.ok(pauses(strip(many, 'image/avif', { orientation: 1, endsAt: many.length })) < 20)
  const place = Buffer.concat([bytes, box, Buffer.from(xmp)])
  const clean = stripLocation(place, 'image/avif', { orientation: 1, endsAt: place.length })
  assert.ok(!clean.includes('GPSLatitude') && clean.length === place.length)
})

test('XMP that is too long to be looked through goes', async () => {
  const png = await make('png')
  const packet = (length: number) => chunk('iTXt', Buffer.concat([Buffer.from('XML:com.adobe.xmp\0\0\0\0\0', 'latin1'), Buffer.alloc(length, 'x')]))
  const withPacket = (length: number) => Buffer.concat([png.subarray(0, 33), packet(length), png.subarray(33)])
  assert.equal(stripLocation(withPacket(1_000), 'image/png', { orientation: 1, endsAt: 0 }).length, withPacket(1_000).length)
  assert.deepEqual(stripLocation(withPacket(2_000_000), 'image/png', { orientation: 1, endsAt: 0 }), png)
})

test('a PNG of nothing but texts is no picture', async () => {
  const png = await make('png')
  const texts = (name: string, count: number) => Buffer.concat([png.subarray(0, 33), ...Array.from({ length: count }, () => chunk(name, Buffer.from('Comment\0x'))), png.subarray(33)])
  for (const name of ['tEXt', 'zTXt', 'iTXt']) assert.throws(() => readHeader(texts(name, 1_001), 'image/png'), /more than 1000 texts/, name)
  assert.equal(readHeader(texts('tEXt', 1_000), 'image/png').width, 60)
})
