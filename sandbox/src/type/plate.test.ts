import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setPlate } from './plate.ts'

const ink = ({ pixels, width, height }: ReturnType<typeof setPlate>) => {
  let [edges, count] = [0, 0]
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      if (pixels[(y * width + x) * 4 + 3] === 0) continue
      count++
      if (x === 0) edges |= 1
      if (y === 0) edges |= 2
      if (x === width - 1) edges |= 4
      if (y === height - 1) edges |= 8
    }
  }
  return { edges, count }
}

for (const text of ['Plantain', 'Größe 12\nzwei Zeilen', '犬と猫', 'مرحبا', 'שלום', 'สวัสดี', '© 2026 — “ok”']) {
  test(`${JSON.stringify(text)} is set inside its box, cut to its ink, and the same every time`, () => {
    const plate = setPlate(text, { width: 400, height: 120, fill: '#ff0000' })
    assert.equal(plate.pixels.length, plate.width * plate.height * 4)
    assert.ok(plate.width <= 404 && plate.height <= 140 && plate.width > 40 && plate.height > 15, `${plate.width} × ${plate.height}`)
    const { edges, count } = ink(plate)
    assert.equal(edges, 15, 'ink reaches each side')
    assert.ok(count > 200)
    assert.ok(setPlate(text, { width: 400, height: 120, fill: '#ff0000' }).pixels.equals(plate.pixels))
  })
}
test('lines of different letters stand level', () => {
  const [flat, deep] = ['xxx', 'xgx'].map(text => setPlate(text, { width: 300, height: 60, maxSize: 40 }))
  assert.equal(flat!.top, deep!.top)
  assert.ok(deep!.height > flat!.height)
})
for (const text of ['', '   ', '\n']) test(`${JSON.stringify(text)} is nothing to see`, () => assert.deepEqual(setPlate(text, { width: 50, height: 20 }), { pixels: Buffer.alloc(4), width: 1, height: 1, left: 0, top: 0, size: 20 }))
test('however much room there is, a letter is no larger than four million pixels, and stands in its middle', () => {
  const plate = setPlate('.', { width: 16_000, height: 4_000 })
  assert.ok(plate.width < 600 && plate.height < 600, `${plate.width} × ${plate.height}`)
  assert.ok(Math.abs(plate.left + plate.width / 2 - 8_000) < 200, String(plate.left))
})
test('a size is kept where it fits, and given up where it does not', () => {
  const [small, large] = [20, 200].map(maxSize => setPlate('Size', { width: 100, height: 200, maxSize }))
  assert.ok(small!.height < 24 && large!.width > 90 && large!.width <= 104)
})
