import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { after, test } from 'node:test'
import { checkFilm } from './verify.ts'

const folder = mkdtempSync(path.join(tmpdir(), 'films-'))
after(() => rmSync(folder, { recursive: true }))

const box = (name: string, ...inside: Buffer[]) => {
  const body = Buffer.concat(inside)
  const head = Buffer.alloc(8, name.padStart(8, '\0'), 'latin1')
  head.writeUInt32BE(body.length + 8, 0)
  return Buffer.concat([head, body])
}
/** A film's header of either version, with its clock and how many ticks it plays. */
function mvhd(scale: number, ticks: number, version: 0 | 1): Buffer {
  const body = Buffer.alloc(version === 1 ? 108 : 96)
  body[0] = version
  body.writeUInt32BE(scale, version === 1 ? 20 : 12)
  if (version === 1) body.writeBigUInt64BE(BigInt(ticks), 24)
  else body.writeUInt32BE(ticks, 16)
  return box('mvhd', body)
}
const lengthOf = async (...inMoov: Buffer[]): Promise<number | null> => {
  const bytes = Buffer.concat([box('ftyp', Buffer.from('isom\0\0\0\0isom')), box('mdat', Buffer.alloc(500, 7)), box('moov', ...inMoov)])
  const file = path.join(folder, 'film.mp4')
  writeFileSync(file, bytes)
  return (await checkFilm(file, bytes.length, 'video/mp4')).seconds
}

test('how long a film plays is read off its header, in both of its forms, wherever it stands', async () => {
  assert.equal(await lengthOf(mvhd(1_000, 8_000, 0)), 8)
  assert.equal(await lengthOf(mvhd(90_000, 450_000, 1)), 5)
  assert.equal(await lengthOf(box('free', Buffer.alloc(30)), mvhd(600, 2_424, 0)), 4.04)
})

test('a film that does not say is no worse for it', async () => {
  assert.equal(await lengthOf(), null)
  assert.equal(await lengthOf(mvhd(0, 8_000, 0)), null)
  assert.equal(await lengthOf(mvhd(1_000, 0, 0)), null, 'fragments say it themselves')
  assert.equal(await lengthOf(mvhd(1, 0xffff_ffff, 0)), null)
  assert.equal(await lengthOf(box('mvhd', Buffer.alloc(8))), null)
  assert.equal(await lengthOf(Buffer.from([0, 0, 0, 2, 1, 1, 1, 1])), null)
})
