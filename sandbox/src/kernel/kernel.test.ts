import assert from 'node:assert/strict'
import { test } from 'node:test'
import { GlobalFonts, blurCanvas, fromPixels, makeCanvas, readPixels, resizeCanvas } from './canvas.ts'
import { hex, hsl, rgbToHsl, toHex } from './colour.ts'
import { layOver, screenOver } from './composite.ts'
import { atan2, cos, exp, log, pow, sin, tan } from './math.ts'
import { fbm, noise2, ridge } from './noise.ts'
import { Random } from './random.ts'

const near = (a: number, b: number, within = 1e-9): void => assert.ok(Math.abs(a - b) <= within * Math.max(1, Math.abs(b)), `${a} is not ${b}`)

test('our mathematics agrees with the built-in one', () => {
  for (let i = -400; i <= 400; i++) {
    const x = i / 13
    near(sin(x), Math.sin(x))
    near(cos(x), Math.cos(x))
    near(exp(x), Math.exp(x))
    near(atan2(x, 1.7), Math.atan2(x, 1.7))
    near(atan2(x, -0.3), Math.atan2(x, -0.3))
    if (Math.abs(Math.cos(x)) > 0.01) near(tan(x), Math.tan(x), 1e-8)
    if (x > 0) near(log(x), Math.log(x))
    if (x > 0) near(pow(x, 1.7), Math.pow(x, 1.7))
    near(pow(Math.abs(x), 5), Math.pow(Math.abs(x), 5))
  }
  assert.deepEqual([pow(0, 2.2), pow(3, 0), exp(-800), log(0)], [0, 1, 0, -Infinity])
})

test('noise stays between 0 and 1 and moves', () => {
  const values = Array.from({ length: 500 }, (_, i) => [noise2(i * 0.37, i * 0.11, 3), fbm(i * 0.37, i * 0.11, 3), ridge(i * 0.37, i * 0.11, 3)]).flat()
  assert.ok(Math.min(...values) >= 0 && Math.max(...values) <= 1 && Math.max(...values) - Math.min(...values) > 0.5)
})

test('a random stream repeats, and its forks do not disturb it', () => {
  const a = new Random(5)
  const b = new Random(5)
  b.fork('other').next()
  assert.deepEqual([a.next(), a.int(1, 6), a.next()], [b.next(), b.int(1, 6), b.next()])
  assert.notEqual(new Random(5).fork('x').next(), new Random(5).fork('y').next())
})

test('colours go there and back', () => {
  for (const colour of ['#12ab9f', '#ffffff', '#000000', '#7f7f7f', '#f0c']) {
    const [h, s, l] = rgbToHsl(hex(colour))
    assert.equal(toHex(hsl(h, s, l)), toHex(hex(colour)))
  }
})

const flat = (r: number, g: number, b: number, a: number) => fromPixels(new Uint8ClampedArray(Array.from({ length: 16 }, () => [r, g, b, a]).flat()), 4, 4)
const first = (canvas: ReturnType<typeof flat>) => Array.from(readPixels(canvas).subarray(0, 4))

test('half of black over white is grey; over nothing it is itself', () => {
  assert.deepEqual(first(layOver(flat(255, 255, 255, 255), [flat(0, 0, 0, 128)])), [127, 127, 127, 255])
  assert.deepEqual(first(layOver(makeCanvas(4, 4), [flat(200, 100, 50, 255)])), [200, 100, 50, 255])
})

test('light adds up to white and never darkens', () => {
  assert.deepEqual(first(screenOver(flat(100, 100, 100, 255), flat(0, 0, 0, 255))), [100, 100, 100, 255])
  assert.deepEqual(first(screenOver(flat(100, 100, 100, 255), flat(255, 255, 255, 255))), [255, 255, 255, 255])
})

test('scaling keeps a flat colour flat, and its size is the one asked for', () => {
  for (const [w, h] of [[9, 7], [2, 2], [2, 9], [9, 2], [1, 1]] as const) {
    const scaled = resizeCanvas(flat(10, 200, 90, 255), w, h)
    assert.deepEqual([scaled.width, scaled.height], [w, h])
    assert.deepEqual(first(scaled), [10, 200, 90, 255])
  }
})

test('a cut-out scaled up gets no dark rim', () => {
  const canvas = makeCanvas(8, 8)
  const context = canvas.getContext('2d')
  context.fillStyle = '#f0f0f0'
  context.fillRect(2, 2, 4, 4)
  const data = readPixels(resizeCanvas(canvas, 32, 32))
  for (let i = 0; i < data.length; i += 4) if (data[i + 3]! > 40) assert.ok(data[i]! > 215, `${data[i]} at alpha ${data[i + 3]}`)
})

test('blur does not darken the edge of the picture', () => {
  const [red, green, blue, alpha] = first(blurCanvas(flat(90, 90, 90, 255), 3)) as [number, number, number, number]
  assert.deepEqual([red, green, blue], [90, 90, 90])
  assert.ok(alpha >= 253)
})

test("the system's fonts are not seen", () => assert.deepEqual(GlobalFonts.families.filter(({ family }) => /DejaVu|Liberation|Arial|Noto Mono/.test(family)), []))
