import assert from 'node:assert/strict'
import { test } from 'node:test'
import sharp from 'sharp'
import { RenderError } from '../src/contract.ts'
import { readInstruction } from '../src/edit/instruction.ts'
import { render } from '../src/index.ts'
import { as, changedShare, disc, edit, generate, pixelAt, pixelsOf, svg } from './pictures.ts'

const photo = await disc()
const before = await pixelsOf(photo)

test('a foreign background turns blue and the thing on it stays', async () => {
  const { bytes, maskConfidence, understood } = await edit('make the background blue', [as(photo)])
  const after = await pixelsOf(bytes)
  const [r, , b] = pixelAt(after, 8, 8)
  assert.ok(b > r + 60, `the corner is blue: ${pixelAt(after, 8, 8)}`)
  assert.ok(pixelAt(after, 80, 80)[0] > 150 && pixelAt(after, 80, 80)[2] < 80, 'the disc is still red')
  assert.ok(maskConfidence! > 0.5, `a disc on grey is an easy cut, ${maskConfidence}`)
  assert.equal(understood.edits.length, 1)
  assert.deepEqual(understood.unmatched, [])
})

test('our own background is replaced exactly, by the recipe in the file', async () => {
  const mug = await generate('product shot of a red mug, white background')
  const blue = await edit('make the background blue', [as(mug.bytes)])
  assert.equal(blue.maskConfidence, 1)
  const corner = pixelAt(await pixelsOf(blue.bytes), 4, 60)
  assert.ok(corner[2] > corner[0] + 60)
  const again = await edit('make the background green', [as(blue.bytes)])
  assert.equal(again.maskConfidence, 1, 'the edited file carries a recipe, too')
})

test('a recipe is not believed when the picture is another', async () => {
  const mug = await generate('product shot of a red mug, white background')
  const { xmp } = await sharp(mug.bytes).metadata()
  const forged = await sharp(await disc(160, { ground: '#101820', colour: '#30e040' })).withXmp(xmp!.toString('utf8')).png().toBuffer()
  const after = await pixelsOf((await edit('make the background blue', [as(forged)])).bytes)
  const [r, g] = pixelAt(after, 80, 80)
  assert.ok(g > r + 80, 'the green disc of the pixels was kept, not the mug of the metadata')
})

test('removing the background leaves alpha, and JPEG is refused', async () => {
  const cut = await render({ operation: 'remove_background', prompt: '', inputs: [as(photo)], format: 'png' })
  const after = await pixelsOf(cut.bytes)
  assert.equal(pixelAt(after, 5, 5)[3], 0)
  assert.equal(pixelAt(after, 80, 80)[3], 255)
  await assert.rejects(render({ operation: 'remove_background', prompt: '', inputs: [as(photo)], format: 'jpeg' }), RenderError)
})

const maskCase = async (mask: Uint8Array) => {
  const after = await pixelsOf((await edit('make it darker', [as(photo), as(mask, 'mask')])).bytes)
  assert.equal(changedShare(before, after, (x) => x < 78), 0, 'kept to the byte on the left')
  assert.ok(changedShare(before, after, (x) => x > 82) > 0.9, 'changed on the right')
}
test('a mask: black changes, white stays', async () => maskCase(await svg(160, 160, '<rect width="100%" height="100%" fill="#fff"/><rect x="80" width="80" height="160" fill="#000"/>')))
test('a mask: clear changes, opaque stays', async () => maskCase(await svg(160, 160, '<rect width="80" height="160" fill="#000"/>')))

test('a masked thing is filled from around', async () => {
  const mask = await svg(160, 160, '<rect width="100%" height="100%" fill="#fff"/><circle cx="80" cy="80" r="52" fill="#000"/>')
  const [r, g, b] = pixelAt(await pixelsOf((await edit('remove this object', [as(photo), as(mask, 'mask')])).bytes), 80, 80)
  assert.ok(Math.max(r, g, b) - Math.min(r, g, b) < 20, `the red is gone: ${r},${g},${b}`)
})

test('text goes where it was asked for', async () => {
  const after = await pixelsOf((await edit('add the text "SALE" top left', [as(photo)])).bytes)
  assert.ok(changedShare(before, after, (x, y) => x < 80 && y < 45) > 0.05)
  assert.equal(changedShare(before, after, (x, y) => x > 90 || y > 60), 0)
})

const sized = async (prompt: string, width: number, height: number) => {
  const picture = await svg(160, 120, '<rect width="100%" height="100%" fill="#789"/><rect x="20" y="20" width="40" height="40" fill="#e22"/>')
  const result = await edit(prompt, [as(picture)])
  assert.deepEqual([result.width, result.height], [width, height])
  return pixelsOf(result.bytes)
}
test('crop keeps the middle', async () => { await sized('crop to 1:1', 120, 120) })
test('outpaint grows and loses nothing', async () => {
  const after = await sized('outpaint to 16:9', 213, 120)
  assert.ok(pixelAt(after, 26 + 40, 40)[0] > 190, 'the red square is where it was, shifted by the new margin')
})
test('rotation goes clockwise', async () => {
  const after = await sized('rotate 90 degrees clockwise', 120, 160)
  assert.ok(pixelAt(after, 120 - 40, 40)[0] > 190)
  assert.ok(pixelAt(after, 40, 40)[0] < 190)
})
test('mirroring swaps left and right', async () => {
  const after = await sized('flip it horizontally', 160, 120)
  assert.ok(pixelAt(after, 120, 40)[0] > 190)
})
test('grayscale has no colour left', async () => {
  const after = await sized('make it grayscale', 160, 120)
  const [r, g, b] = pixelAt(after, 40, 40)
  assert.ok(r === g && g === b)
})

test('the sky is replaced above, not below', async () => {
  const view = await svg(160, 120, '<defs><linearGradient id="s" x2="0" y2="1"><stop stop-color="#6fa8e8"/><stop offset="1" stop-color="#cfe4f5"/></linearGradient></defs><rect width="160" height="60" fill="url(#s)"/><rect y="60" width="160" height="60" fill="#3c6b25"/>')
  const after = await pixelsOf((await edit('replace the sky with a starry night', [as(view)])).bytes)
  const [r, g, b] = pixelAt(after, 12, 6)
  assert.ok(r + g + b < 200, `the sky is dark: ${r},${g},${b}`)
  const [gr, gg] = pixelAt(after, 80, 110)
  assert.ok(gg > gr, 'the ground is still green')
})

test('two pictures stand together', async () => {
  const other = await disc(160, { colour: '#2040c0' })
  const result = await edit('combine these two products on a shelf', [as(photo), as(other)], { width: 240, height: 160 })
  assert.deepEqual([result.width, result.height], [240, 160])
  const { data } = await pixelsOf(result.bytes)
  const count = (test: (r: number, g: number, b: number) => boolean) => {
    let sum = 0
    for (let i = 0; i < data.length; i += 4) if (test(data[i]!, data[i + 1]!, data[i + 2]!)) sum++
    return sum
  }
  assert.ok(count((r, g, b) => r > 150 && g < 70 && b < 70) > 300, 'red is there')
  assert.ok(count((r, g, b) => b > 140 && r < 80) > 300, 'blue is there')
})

test('what it cannot do it says, in the words and in the picture', async () => {
  const { bytes, understood, description } = await edit('give her a friendlier expression', [as(photo)])
  assert.deepEqual(understood.edits, [])
  assert.ok(understood.unmatched.includes('friendlier') && understood.unmatched.includes('expression'))
  assert.match(description, /Nothing was changed/)
  const after = await pixelsOf(bytes)
  assert.equal(changedShare(before, after, (_, y) => y < 140), 0, 'the picture above the band is untouched')
  assert.ok(changedShare(before, after, (_, y) => y > 150) > 0.9, 'the band is there')
})

test('upscale multiplies, and says no beyond 8192', async () => {
  const large = await render({ operation: 'upscale', prompt: '', inputs: [as(photo)], format: 'jpeg', factor: 4 })
  const { width, height } = await pixelsOf(large.bytes)
  assert.deepEqual([width, height, large.width], [640, 640, 640])
  const wide = await svg(1100, 16, '<rect width="1100" height="16" fill="#567"/>')
  await assert.rejects(render({ operation: 'upscale', prompt: '', inputs: [as(wide)], format: 'png', factor: 8 }), /8192/)
})

test('unreadable bytes are refused with a sentence', () => assert.rejects(edit('make it darker', [as(new Uint8Array([1, 2, 3]))]), RenderError))

const read = (prompt: string, kind: string, more: Partial<Parameters<typeof readInstruction>[1]> = {}) => {
  const { edits } = readInstruction(prompt, { pictures: 1, hasMask: false, seed: 1, width: 512, height: 512, labels: [], ...more })
  assert.deepEqual(edits.map((each) => each.kind), kind ? kind.split(' ') : [])
  return edits
}
const reads: [prompt: string, kinds: string, more?: Partial<Parameters<typeof readInstruction>[1]>][] = [
  ['Put the shoe on a beach', 'background'], ['put a cat on the beach', 'add'], ['把背景换成绿色', 'background'], ['背景を青にして', 'background'], ['배경을 파란색으로 바꿔줘', 'background'],
  ['сделай фон синим', 'background'], ['اجعل الخلفية زرقاء', 'background'], ['mach den Hintergrund grün', 'background'], ['去除背景', 'remove_background'], ['blur the background', 'blur_background'],
  ['make the car red', 'recolour', { labels: ['car'] }], ['make the car red', ''], ['remove this', 'erase', { hasMask: true }], ['a red apple', 'add', { hasMask: true }], ['make it brighter and warmer', 'tone tone'], ['Change the background to a plain warm grey', 'background'],
  ['convert to anime style', 'style'], ['extend to 16:9', 'outpaint'], ['upscale 2x', 'enlarge'], ['Make her smile', ''],
]
for (const [prompt, kinds, more] of reads) test(`reads: ${prompt}${more ? ` ${JSON.stringify(more)}` : ''}`, () => { read(prompt, kinds, more) })
test('reads the corner and the colour of a text', () => {
  const [text] = read('write "Hi" in yellow at the bottom right', 'text')
  assert.deepEqual(text, { kind: 'text', texts: ['Hi'], place: { across: 'right', down: 'bottom', isNamed: true }, colour: '#f5c93a' })
})

test('a recipe holds for busy scenes and lossy files', async () => {
  const { bytes } = await generate('watercolor of a red car in the forest', { format: 'jpeg', quality: 70, width: 320, height: 224 })
  assert.equal((await edit('make the background blue', [as(bytes)])).maskConfidence, 1)
})
