import assert from 'node:assert/strict'
import { test } from 'node:test'
import { composeScene, isDrawn, paint, workSize } from '../src/compose.ts'
import { readPixels } from '../src/kernel/canvas.ts'
import type { Canvas } from '../src/kernel/canvas.ts'
import { plan } from '../src/plan/plan.ts'
import { models as words } from '../src/plan/words/things.ts'
import { scenes } from '../src/scenes/scenes.ts'
import type { Setting } from '../src/plan/words/settings.ts'
import { models } from '../src/subjects/models/models.ts'

const draw = (prompt: string, width = 96, height = width): Canvas => paint(plan(prompt, { width, height, seed: 5 }), width, height)

/** Mean colour and how much the brightness varies: a blank or black picture has no spread. */
function look(canvas: Canvas, box?: [number, number, number, number]) {
  const data = readPixels(canvas)
  const [left, top, right, bottom] = box ?? [0, 0, canvas.width, canvas.height]
  const sum = [0, 0, 0, 0]
  let squares = 0
  let count = 0
  for (let y = Math.floor(top); y < bottom; y++) {
    for (let x = Math.floor(left); x < right; x++) {
      const i = (y * canvas.width + x) * 4
      for (let c = 0; c < 4; c++) sum[c]! += data[i + c]!
      const tone = (data[i]! + data[i + 1]! + data[i + 2]!) / 3
      squares += tone * tone
      count++
    }
  }
  const [red, green, blue, alpha] = sum.map((x) => x / count) as [number, number, number, number]
  const mean = (red + green + blue) / 3
  return { red, green, blue, alpha, spread: Math.sqrt(Math.max(0, squares / count - mean * mean)) }
}

const isPicture = (canvas: Canvas): void => {
  const { alpha, spread } = look(canvas)
  assert.equal(alpha, 255)
  assert.ok(spread > 4, `spread is ${spread}`)
}

for (const setting of Object.keys(scenes) as Setting[]) {
  for (const time of ['day', 'night'] as const) {
    test(`${setting} by ${time} is a picture, with a subject in it`, () => {
      const p = { ...plan('an apple', { width: 80, height: 60, seed: 3 }), setting, time }
      const { layers } = composeScene(p, 80, 60)
      const subject = layers.find(({ name }) => name === 'subject0')
      assert.ok(subject?.bbox)
      assert.ok(subject.bbox[2] > subject.bbox[0] && subject.bbox[3] > subject.bbox[1])
      for (const layer of layers) assert.deepEqual([layer.canvas.width, layer.canvas.height], [80, 60])
      isPicture(paint(p, 80, 60))
    })
  }
}

test('every model a word can name is built', () => {
  assert.deepEqual([...new Set(words.values())].filter((name) => !models[name]), [])
})

for (const prompt of ['poster "SALE"', 'poster "SALE" with a dog', 'neon sign "OPEN"', 'poster "GALA" art deco', 'infographic in 3 steps: sow, water, harvest', 'logo for a bakery "Crumb"', 'app icon of a cat', 'pattern of lemons', 'geometric pattern', '海报“你好”', 'ملصق «مرحبا»', 'पोस्टर "नमस्ते"']) {
  test(`${prompt} is a picture`, () => isPicture(draw(prompt)))
}

for (const [width, height] of [[16, 16], [16, 128], [128, 16], [320, 40], [40, 320], [33, 77]] as const) {
  test(`${width}x${height} works for every kind`, () => {
    for (const prompt of ['a dog in a meadow', 'two people in the city at night', 'poster "HI"', 'neon sign "HI"', 'poster "HI" art deco', 'infographic in 6 steps', 'logo "Acme"', 'app icon of a rocket', 'pattern of cats', 'an apple on a table', 'blorf']) {
      const canvas = draw(prompt, width, height)
      assert.deepEqual([canvas.width, canvas.height], [width, height])
      assert.ok(look(canvas).alpha > 254)
    }
  })
}

const subjectColour = (prompt: string) => {
  const { layers } = composeScene(plan(prompt, { width: 128, height: 128, seed: 4 }), 128, 128)
  const { canvas, bbox } = layers.find(({ name }) => name === 'subject0')!
  const [left, top, right, bottom] = bbox!
  return look(canvas, [left + (right - left) * 0.3, top + (bottom - top) * 0.4, left + (right - left) * 0.7, top + (bottom - top) * 0.8])
}

test('a subject wears the colour it was given', () => {
  const red = subjectColour('a red apple')
  const green = subjectColour('a green apple')
  const blue = subjectColour('a blue mug')
  assert.ok(red.red > red.green * 1.5 && red.red > red.blue * 1.5)
  assert.ok(green.green > green.red && green.green > green.blue)
  assert.ok(blue.blue > blue.red * 1.2)
})

test('as many subjects as were asked for, none on top of another', () => {
  const boxes = composeScene(plan('three red balloons in the sky', { width: 200, height: 120, seed: 4 }), 200, 120).layers.filter(({ name }) => name.startsWith('subject')).map(({ bbox }) => bbox!)
  assert.equal(boxes.length, 3)
  boxes.sort((a, b) => a[0] - b[0])
  for (let i = 1; i < 3; i++) assert.ok(boxes[i]![0] > (boxes[i - 1]![0] + boxes[i - 1]![2]) / 2)
})

test('night is darker than day', () => {
  const mean = (prompt: string) => { const { red, green, blue } = look(draw(prompt)); return red + green + blue }
  for (const place of ['city street', 'meadow', 'mountain lake', 'beach']) assert.ok(mean(`${place} at night`) < mean(`${place}, noon`) * 0.75, place)
})

test('a background keeps its colour', () => {
  const { red, blue } = look(draw('headphones on a blue background'), [0, 0, 96, 12])
  assert.ok(blue > red * 1.5)
})

test('what could not be read is written under the picture', () => {
  const p = plan('blorf zmeep', { width: 128, height: 128, seed: 1 })
  assert.equal(isDrawn(p), false)
  const band = look(paint(p, 128, 128), [0, 122, 30, 128])
  const same = look(paint({ ...p, prompt: '' }, 128, 128), [0, 122, 30, 128])
  assert.ok(band.green < same.green)
})

test('large pictures are composed small', () => {
  assert.deepEqual(workSize(1024, 1024), { width: 1024, height: 1024 })
  assert.deepEqual(workSize(4096, 4096), { width: 1536, height: 1536 })
  // A panorama keeps a short side worth enlarging.
  assert.deepEqual(workSize(12288, 1536), { width: 3072, height: 384 })
  for (const [width, height] of [[4096, 4096], [5504, 3072], [12288, 1536], [1536, 12288], [2048, 16]] as const) {
    const work = workSize(width, height)
    assert.ok(work.width * work.height <= 1536 * 1536 && work.width <= width && work.height <= height)
  }
})
