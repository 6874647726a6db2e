import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { Json } from './outcome.ts'
import { readCssColour, readDocument, withRecord } from './layers.ts'

const stage = { width: 400, height: 300 }
const read = (layer: Json) => readDocument({ layers: { one: layer }, order: ['one'], stage }, new Set(['layer1', 'images.0']))
const flawed = (title: string, layer: Json, words: RegExp) => test(title, () => { const { layers, flaws } = read(layer); assert.equal(layers.length, 0); assert.match(flaws.join(' '), words) })

describe('a layer that would come out otherwise is refused with what to do', () => {
  flawed('freehand', { type: 'draw', points: [1] }, /freehand drawings are not drawn here; save it as a picture/)
  flawed('of no kind', { type: 'video' }, /there is no kind "video"\. Layers are text, rectangle or image/)
  flawed('that says nothing', { x: 1 }, /neither text nor url nor fill/)
  flawed('that is no object', 'x', /must be an object/)
  flawed('a word in another colour', { text: 'a b', highlightWord: 'a' }, /set that word as a text layer of its own/)
  flawed('a block behind a text', { text: 'a', textBg: { color: '#fff' } }, /put a rectangle with cornerRadius under it/)
  flawed('a text that is turned', { text: 'a', rotation: 5 }, /texts are not turned here/)
  flawed('a text without words', { type: 'text' }, /text is missing/)
  flawed('a border', { type: 'image', url: 'layer1', imageBorderWidth: 3, imageBorderColor: '#fff' }, /put a rectangle under it/)
  flawed('a shadow of a picture', { type: 'image', url: 'layer1', shadowBlur: 3, shadowColor: '#000' }, /wire a picture of one/)
  flawed('a colour nobody knows', { text: 'a', fill: 'hotpink' }, /"hotpink" is no colour/)
  flawed('a radial colour', { type: 'rectangle', fill: { kind: 'radial', cx: 0, cy: 0, r: 3, stops: [] } }, /"radial" is not drawn here; use a solid colour, a linear one/)
  flawed('colours across', { type: 'rectangle', angle: 90, stops: [{ offset: 0, color: '#fff' }] }, /only 0 \(downwards\) and 180 \(upwards\)/)
  flawed('stops without a place', { type: 'rectangle', stops: [{ color: '#fff' }] }, /stops\[0\]\.offset must be a number from 0 to 1/)
  flawed('a share where hundredths are meant', { text: 'a', opacity: 0.5 }, /Write 50 for that share/)
  flawed('a size that is no number', { text: 'a', fontSize: 'large' }, /fontSize must be a number/)
  flawed('a fit there is not', { type: 'image', url: 'layer1', fit: 'fill' }, /fit must be cover, contain or stretch/)
})

describe('a layer in the words of the house', () => {
  const is = (title: string, layer: Json, wanted: object, notes: RegExp | null = null) => test(title, () => {
    const found = read(layer)
    assert.deepEqual([found.flaws, found.layers], [[], [{ name: 'one', x: 0, y: 0, rotate: 0, opacity: 1, radius: 0, ...wanted }]])
    if (notes === null) assert.deepEqual(found.notes, [])
    else assert.match(found.notes.join(' '), notes)
  })
  is('a headline', { type: 'text', text: 'HI', fill: '#ffffff', fontFamily: 'Anton', fontSize: 170, x: 90, y: 60, width: 200, letterSpacing: 1, lineHeight: 1, autoFit: true, autoFitMaxHeight: 100, shadowColor: 'rgba(0,0,0,0.5)' },
    { x: 90, y: 60, text: 'HI', colour: '#ffffff', face: 'cond', size: 170, align: 'left', width: 200, height: 100, shadow: '#00000080' }, /Anton is set in the nearest face/)
  is('a plain text has the room that is left', { text: 7, x: 100 }, { x: 100, text: '7', colour: '#000000', face: 'body', size: 48, align: 'left', width: 300, height: 300 })
  is('a scrim', { type: 'gradient', x: 0, y: 10, width: 400, height: 290, opacity: 100, angle: 0, stops: [{ color: '#00000000', offset: 1 }, { color: '#000', offset: 0.2 }] }, { y: 10, width: 400, height: 290, fill: { angle: 0, stops: [{ at: 0.2, colour: '#000000' }, { at: 1, colour: '#00000000' }] } })
  is('a chip', { type: 'rectangle', width: 40, height: 20, cornerRadius: 8, fill: { kind: 'solid', color: '#E11D48' } }, { width: 40, height: 20, radius: 8, fill: '#e11d48' })
  is('a rectangle without a size', { type: 'rectangle', fill: '#123456' }, { width: 400, height: 300, fill: '#123456' }, /it fills the whole/)
  is('a picture by its size', { type: 'image', url: 'images.0', width: 220 }, { image: 'images.0', width: 220 })
  is('a picture as large as it is', { type: 'image', url: 'layer1', x: 3, rotation: 45 }, { image: 'layer1', x: 3, rotate: 45, scale: { x: 1, y: 1 } })
  is('a picture in the whole', { type: 'image', url: 'layer1', fit: 'contain' }, { image: 'layer1', fit: 'inside', width: 400, height: 300 })
  is('what nobody reads', { text: 'a', blur: 4 }, { text: 'a', colour: '#000000', face: 'body', size: 48, align: 'left', width: 400, height: 300 }, /blur is not known and does nothing/)
  test('one that is not to be seen is not drawn', () => assert.deepEqual(read({ type: 'draw', visible: false }), { layers: [], flaws: [], notes: [] }))
})

test('a record changes what it names, deep inside a transform too', () => {
  const { layers, order, strange } = withRecord({ layers: { a: { type: 'text', text: 'x', transform: { x: 1, y: 2 } }, b: { type: 'image', url: 'layer1' } }, order: ['a', 'b'], stage }, { a: { fill: '#fff', transform: { x: 9 } }, b: 'images.0', bg: 'images.1', c: 1 })
  assert.deepEqual([layers, order, strange], [{ a: { type: 'text', text: 'x', fill: '#fff', transform: { x: 9, y: 2 } }, b: { type: 'image', url: 'images.0' }, background: { url: 'images.1' } }, ['background', 'a', 'b'], ['c']])
})

for (const [text, wanted] of [['#FfF', '#ffffff'], ['#abcd', '#aabbccdd'], [' #00FF0080 ', '#00ff0080'], ['rgb(1,2,3)', '#010203'], ['rgba(0, 0, 0, 0.45)', '#00000073'], ['rgb(0 0 0 / 50%)', '#00000080'], ['white', '#ffffff'], ['transparent', '#00000000'], ['rgb(256,0,0)', null], ['#12345', null], ['url(x)', null], ['constructor', null], [7, null]] as const) {
  test(`${text} is ${wanted ?? 'no colour'}`, () => assert.equal(readCssColour(text), wanted))
}
