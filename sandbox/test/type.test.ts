import assert from 'node:assert/strict'
import { test } from 'node:test'
import { hasIcon, iconCanvas } from '../src/icons.ts'
import { GlobalFonts, makeCanvas, readPixels } from '../src/kernel/canvas.ts'
import { applyStyle, styleNames } from '../src/styles/style.ts'
import { drawText } from '../src/type/draw.ts'
import type { TextOptions } from '../src/type/draw.ts'

const set = (text: string, options: Partial<TextOptions> = {}) => {
  const canvas = makeCanvas(240, 100)
  const drawn = drawText(canvas.getContext('2d'), text, { x: 10, y: 10, width: 220, height: 80, fill: '#000', ...options })
  const pixels = readPixels(canvas)
  let ink = 0
  let outside = 0
  for (let i = 3; i < pixels.length; i += 4) if (pixels[i]! > 40) {
    ink++
    const x = ((i - 3) / 4) % 240
    const y = Math.floor((i - 3) / 960)
    if (x < drawn.x - 8 || x > drawn.x + drawn.width + 8 || y < drawn.y - 8 || y > drawn.y + drawn.height + 8) outside++
  }
  return { drawn, ink, outside, pixels }
}

test('no font of the machine is seen', () => assert.ok(GlobalFonts.families.every(({ family }) => family.startsWith('plantain '))))

/** A missing glyph is the same box for every character: real type differs from character to character. */
const isSet = (text: string) => {
  const whole = set(text)
  assert.ok(whole.ink > 150, `${text} left ${whole.ink} pixels of ink`)
  assert.equal(whole.outside, 0, `${text} stays in the box it reports`)
  const shapes = new Set([...text.replaceAll(/[\s\p{M}]/gu, '')].slice(0, 4).map((character) => Buffer.from(set(character).pixels).toString('base64')))
  assert.ok(shapes.size >= 2, `${text}: its characters look alike`)
}
for (const text of ['Grand Opening', 'Żółć', 'Распродажа', 'Καλοκαίρι', '夏日特卖', '國際龍門', 'セール開催', '여름세일', 'تخفيضات', 'מבצע', 'बिक्री', 'ลดราคา', 'বিক্রয়', 'விற்பனை', 'Ưu đãi']) {
  test(`type: ${text}`, () => isSet(text))
}

test('Arabic is joined: the word is not its letters side by side', () => {
  const word = set('بيت', { maxSize: 40 }).drawn.width
  const letters = [...'بيت'].reduce((sum, letter) => sum + set(letter, { maxSize: 40 }).drawn.width, 0)
  assert.ok(word < letters * 0.85, `${word} against ${letters}`)
})

test('long text wraps and shrinks to its box', () => {
  const { drawn } = set('The quick brown fox jumps over the lazy dog and goes home', { face: 'body', maxLines: 4 })
  assert.ok(drawn.lines.length > 1 && drawn.lines.length <= 4)
  assert.ok(drawn.width <= 220 && drawn.height <= 80)
})

test('CJK wraps without spaces, and never starts a line with a full stop', () => {
  const { drawn } = set('夏日特卖全场五折欢迎光临。', { maxLines: 3 })
  assert.ok(drawn.lines.length > 1)
  assert.ok(drawn.lines.every((line) => !line.startsWith('。')))
})

test('faces differ', () => {
  const shapes = (['display', 'sans', 'serif', 'deco', 'neon', 'script', 'marker', 'roman', 'cond', 'pixel'] as const).map((face) => Buffer.from(set('Ag', { face }).pixels).toString('base64'))
  assert.equal(new Set(shapes).size, shapes.length)
})

test('icons draw at any size, on nothing; an unknown one is null', () => {
  const rocket = iconCanvas('1f680', 48)!
  const pixels = readPixels(rocket)
  let solid = 0
  for (let i = 3; i < pixels.length; i += 4) if (pixels[i] === 255) solid++
  assert.ok(rocket.width === 48 && solid > 400 && solid < 48 * 48 * 0.9)
  assert.ok(hasIcon('1f680') && !hasIcon('toString') && iconCanvas('zz', 10) === null)
})

test('every style changes the picture, keeps its size and repeats itself', () => {
  const canvas = makeCanvas(72, 48)
  canvas.getContext('2d').drawImage(iconCanvas('1f34e', 48)!, 12, 0)
  for (const style of styleNames) {
    const once = applyStyle(canvas, style, 5)
    assert.deepEqual([once.width, once.height], [72, 48], style)
    assert.ok(Buffer.from(readPixels(once)).equals(Buffer.from(readPixels(applyStyle(canvas, style, 5)))), `${style} repeats`)
    assert.ok(!Buffer.from(readPixels(once)).equals(Buffer.from(readPixels(canvas))), `${style} changes`)
    assert.equal(readPixels(once)[3], 0, `${style} keeps clear pixels clear`)
  }
})
