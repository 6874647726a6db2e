import assert from 'node:assert/strict'
import { randomFillSync } from 'node:crypto'
import fs from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { after, before, test } from 'node:test'
import { writeDurably } from './write.ts'

let folder = ''
before(async () => { folder = await fs.mkdtemp(path.join(tmpdir(), 'plantain-write-')) })
after(() => fs.rm(folder, { recursive: true, force: true }))

const sizes = [0, 1, 65_535, 65_536, 65_537, 100_000, 1_504_211, 2 * 1024 * 1024, 2 * 1024 * 1024 + 1, 5_000_001]
for (const sizeBytes of sizes) {
  test(`${sizeBytes} bytes come out as they went in`, async () => {
    const bytes = randomFillSync(Buffer.alloc(sizeBytes))
    const file = path.join(folder, String(sizeBytes))
    await writeDurably(file, bytes, folder)
    assert.ok((await fs.readFile(file)).equals(bytes))
    assert.equal((await fs.stat(file)).mode & 0o777, 0o600)
  })
}

test('many at once keep apart', async () => {
  const all = Array.from({ length: 20 }, (_, index) => ({ file: path.join(folder, `many-${index}`), bytes: randomFillSync(Buffer.alloc(900_000 + index * 177_777)) }))
  await Promise.all(all.map(({ file, bytes }) => writeDurably(file, bytes, folder)))
  for (const { file, bytes } of all) assert.ok((await fs.readFile(file)).equals(bytes))
})

test('a file that is there already is not touched', async () => {
  const file = path.join(folder, 'there')
  await fs.writeFile(file, 'mine')
  await assert.rejects(writeDurably(file, Buffer.alloc(100_000), folder), { code: 'EEXIST' })
  assert.equal(await fs.readFile(file, 'utf8'), 'mine')
})

test('where nothing can be written past the cache, it is written through it', async t => {
  const memory = await fs.mkdtemp('/dev/shm/plantain-write-').catch(() => null)
  if (memory === null) { t.skip('there is no disk of another kind here'); return }
  t.after(() => fs.rm(memory, { recursive: true, force: true }))
  for (const name of ['first', 'second']) {
    await writeDurably(path.join(memory, name), Buffer.alloc(1_000_000, name), memory)
    assert.ok((await fs.readFile(path.join(memory, name))).equals(Buffer.alloc(1_000_000, name)))
  }
})
