import assert from 'node:assert/strict'
import { test } from 'node:test'
import sharp from 'sharp'
import type { Format, RenderRequest } from '../src/contract.ts'
import { render } from '../src/index.ts'
import { readRecipe } from '../src/provenance.ts'
import { as, disc, edit, generate, pixelsOf } from './pictures.ts'

const prompt = 'a red apple on a wooden table & a “secret” 草莓 <b>'
const xmpOf = async (bytes: Uint8Array) => (await sharp(bytes).metadata()).xmp!.toString('utf8')

const carries = async (format: Format) => {
  const rendering = await generate(prompt, { format, provenance: { taskId: 'task_7' } })
  const { format: found, width, exif } = await sharp(rendering.bytes).metadata()
  assert.deepEqual([found, width, rendering.mime], [format, 160, `image/${format}`])
  assert.ok(exif!.toString('latin1').includes('Plantain sandbox-1'))
  const xmp = await xmpOf(rendering.bytes)
  for (const expected of ['Plantain sandbox-1', 'digitalsourcetype/algorithmicMedia', 'task_7', '<plantain:Seed>3</plantain:Seed>', '草莓', '&amp;']) assert.ok(xmp.includes(expected), expected)
  const recipe = readRecipe(xmp)!
  assert.equal(recipe.plan.prompt, prompt)
  assert.ok(recipe.plan.subjects.length > 0)
}
test('PNG says where it comes from', () => carries('png'))
test('JPEG says where it comes from', () => carries('jpeg'))
test('WebP says where it comes from', () => carries('webp'))
test('a GIF moves as it was asked to, and says where it comes from', async () => {
  const request: RenderRequest = { operation: 'generate', prompt: 'a red boat', inputs: [], format: 'gif', seed: 2, width: 160, height: 96, animation: { frames: 4, delayMs: 120 } }
  const { bytes, mime, width, height } = await render(request)
  const { pages, delay, format, width: wide, pageHeight } = await sharp(bytes, { animated: true }).metadata()
  assert.deepEqual([mime, width, height, format, wide, pageHeight, pages, delay], ['image/gif', 160, 96, 'gif', 160, 96, 4, [120, 120, 120, 120]])
  assert.match(Buffer.from(bytes).toString('latin1'), /XMP DataXMP.*DigitalSourceType.*algorithmicMedia/s)
  const raw = async (page: number) => (await sharp(bytes, { page }).raw().toBuffer()).toString('hex')
  assert.notEqual(await raw(0), await raw(3))
  assert.deepEqual((await render(request)).bytes, bytes)
  await assert.rejects(render({ ...request, width: 4096, height: 4096 }), /too much for one GIF/)
})

test('a private prompt is nowhere in the file', async () => {
  const { bytes } = await generate('zanzibarian apple xylograph', { provenance: { embedPrompt: false } })
  const text = `${Buffer.from(bytes).toString('latin1')}${await xmpOf(bytes)}`
  assert.doesNotMatch(text, /zanzibarian|xylograph/i)
  assert.ok(readRecipe(await xmpOf(bytes)), 'the plan without the words is still there')
})

test('the same request gives the same bytes, another variation another picture', async () => {
  const [one, two, three] = [await generate('mountains and a lake at sunset'), await generate('mountains and a lake at sunset'), await generate('mountains and a lake at sunset', { variation: 1 })]
  assert.ok(Buffer.from(one.bytes).equals(Buffer.from(two.bytes)))
  assert.ok(!Buffer.from(one.bytes).equals(Buffer.from(three.bytes)))
})

test('the seed that comes back repeats the picture', async () => {
  const { seed, bytes } = await generate('a lighthouse', { seed: undefined })
  assert.ok(Buffer.from((await generate('a lighthouse', { seed })).bytes).equals(Buffer.from(bytes)))
})

test('editing a photo is not called our own work', async () => {
  const photo = await disc()
  assert.match(await xmpOf((await edit('make it brighter', [as(photo)])).bytes), /algorithmicallyEnhanced/)
  assert.match(await xmpOf((await edit('make the background blue', [as(photo)])).bytes), /compositeSynthetic/)
})

test('opaque means no alpha', async () => {
  const cut: RenderRequest = { operation: 'remove_background', prompt: '', inputs: [as(await disc())], format: 'png' }
  assert.equal((await sharp((await render(cut)).bytes).metadata()).hasAlpha, true)
  assert.equal((await sharp((await render({ ...cut, background: 'opaque' })).bytes).metadata()).hasAlpha, false)
})

test('in-between pictures come first and get sharper', async () => {
  const sharpness: number[] = []
  const heard: Uint8Array[] = []
  const final = await render({ operation: 'generate', prompt: 'city skyline at night', inputs: [], format: 'png', seed: 1, width: 192, height: 192, partials: 3 }, { onPartial: ({ bytes }) => heard.push(bytes) })
  assert.equal(heard.length, 3)
  for (const bytes of [...heard, final.bytes]) {
    const { data, width } = await pixelsOf(bytes)
    let sum = 0
    for (let i = 0; i < data.length - width * 4; i += 4) sum += Math.abs(data[i]! - data[i + width * 4]!)
    sharpness.push(sum)
  }
  assert.deepEqual(sharpness, [...sharpness].sort((a, b) => a - b))
})

test('a video has its frames, its length and its provenance', async () => {
  const request: RenderRequest = { operation: 'video', prompt: 'ocean at sunset, camera pans right', inputs: [], format: 'webp', seed: 2, width: 160, height: 96, video: { seconds: 1, fps: 12 } }
  const { bytes, mime } = await render(request)
  const { pages, delay, width, pageHeight, xmp } = await sharp(bytes, { pages: -1 }).metadata()
  assert.deepEqual([mime, pages, width, pageHeight], ['image/webp', 12, 160, 96])
  assert.equal(delay!.reduce((sum, each) => sum + each, 0), 1000)
  assert.ok(xmp!.toString('utf8').includes('algorithmicMedia'))
  const [first, last] = await Promise.all([0, 11].map((page) => sharp(bytes, { page }).raw().toBuffer()))
  assert.ok(!first!.equals(last!), 'the camera moved')
  assert.ok(Buffer.from((await render(request)).bytes).equals(Buffer.from(bytes)))
})

test('a picture becomes a video of its shape', async () => {
  const { width, height, maskConfidence } = await render({ operation: 'video', prompt: 'slow zoom in', inputs: [as(await disc(120), 'first_frame')], format: 'webp', video: { seconds: 1, fps: 4 } })
  assert.deepEqual([width, height], [120, 120])
  assert.ok(maskConfidence! > 0.5)
})
