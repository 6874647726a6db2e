/**
 * Draws the contact sheet, `docs/sandbox.png`: prompts, edits, video frames, many scripts, and honest misses.
 *
 * `node sandbox/tools/contact.ts [file]`
 */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import sharp from 'sharp'
import { loadImage, makeCanvas } from '../src/kernel/canvas.ts'
import { render } from '../src/index.ts'
import type { InputPicture, RenderRequest, Rendering } from '../src/index.ts'
import { drawText } from '../src/type/draw.ts'

const columns = 6
const side = 320
const captionHeight = 44
const bytesMax = 2_900_000

type Kind = 'prompt' | 'edit' | 'video' | 'miss'

interface Tile {
  label: string
  kind: Kind
  pictures: Uint8Array[]
}

const tiles: Tile[] = []

async function draw(prompt: string, more: Partial<RenderRequest> = {}, kind: Kind = 'prompt'): Promise<Rendering> {
  const startedAt = performance.now()
  const rendering = await render({ operation: 'generate', prompt, inputs: [], format: 'png', width: 768, height: 768, ...more })
  tiles.push({ label: kind === 'miss' ? `MISS (not drawn: ${rendering.understood.unmatched.join(', ') || 'the relation'}): ${prompt}` : prompt, kind, pictures: [rendering.bytes] })
  console.log(`${Math.round(performance.now() - startedAt)} ms  ${prompt}  →  ${rendering.description}  [${rendering.understood.unmatched.join(' ')}]`)
  return rendering
}

async function edit(prompt: string, pictures: (Rendering | Uint8Array)[], more: Partial<RenderRequest> = {}): Promise<Rendering> {
  const startedAt = performance.now()
  const inputs: InputPicture[] = pictures.map((picture) => ({ bytes: picture instanceof Uint8Array ? picture : picture.bytes, role: 'reference' }))
  const rendering = await render({ operation: 'edit', prompt, inputs, format: 'png', seed: 5, ...more })
  tiles.push({ label: `EDIT: ${prompt}`, kind: 'edit', pictures: [rendering.bytes] })
  console.log(`${Math.round(performance.now() - startedAt)} ms  EDIT ${prompt}  →  ${rendering.description}  [${rendering.understood.unmatched.join(' ')}]`)
  return rendering
}

/** Somebody else's picture: the same pixels without our metadata. */
const foreign = (rendering: Rendering): Promise<Uint8Array> => sharp(rendering.bytes).png().toBuffer()

await draw('a lighthouse by the sea at sunset')
const dog = await draw('A golden retriever sitting in a sunlit meadow, photorealistic, 4K', { seed: 4 })
await draw('A golden retriever sitting in a sunlit meadow, photorealistic, 4K', { seed: 2 })
const headphones = await draw('Minimalist product shot of wireless headphones on a white background')
await draw('an aerial view of a dense urban skyline with glass towers reflecting a pink sunset', { seed: 3 })
await draw('poster that says "GRAND OPENING" in gold art-deco letters')
await draw('infographic with 3 steps: grind the beans, pour hot water, enjoy your coffee')
await draw('portrait of two characters: a bearded wizard and a girl with curly red hair, forest background')
await draw('a latte in a teal mug on a wooden table in a cozy cafe at night, bokeh')
await draw('海报，写着“夏日特卖”，蓝色背景，草莓和柠檬', { width: 576 })
await draw('قطة بيضاء على الشاطئ عند الغروب')
await draw('पहाड़ों के बीच एक झील, सूर्योदय', { seed: 11 })
await draw('ポスター「夏まつり」 神社 夜')
await draw('poster "여름 세일" 수박, 노란 배경')
await draw('плакат «Летняя распродажа», клубника')
await draw('desert dunes at golden hour with a camel')
await draw('logo for a coffee brand named "Ember & Oak"')
await draw('app icon of a rocket')
await draw('seamless pattern of strawberries and lemons on mint background')
await draw('neon sign that says "OPEN LATE"')
await draw('watercolor of a sailboat on the ocean at sunset')
await draw('oil painting of mountains and a lake')
for (const prompt of [
  'a lighthouse at night in a storm', 'a fox in a snowy forest', 'a castle on a hill at dawn', 'an elephant walking through the savanna', 'an astronaut', 'a dragon in the mountains',
  'a hot air balloon over the mountains at sunrise', 'a pepperoni pizza on a wooden table', 'a tiger in the jungle', 'a woman with a red bicycle in the park', 'a cozy mountain cabin in the snow at night',
]) await draw(prompt)
const car = await draw('a red car on a city street at night, rain')
const mug = await draw('product shot of a red coffee mug, white background')
const hills = await draw('rolling green hills, clear blue sky', { seed: 5 })
await edit('make the background blue', [dog])
await edit('replace the background with a beach at sunset', [dog])
await edit('make the car yellow', [car])
await edit('add the text "SALE" top left in red', [headphones])
await edit('أضف النص «تخفيضات الصيف» في الأسفل', [hills])
await edit('turn it into a pencil sketch', [dog])
await edit('make it pixel art', [car])
await edit('combine these two product photos on one shelf', [await foreign(headphones), await foreign(mug)])
await edit('replace the sky with a starry night', [await foreign(hills)])
await edit('outpaint to 16:9', [dog])
await edit('add a hot air balloon at the top left', [hills])
await edit('把背景换成绿色', [await foreign(mug)])
const cut = await render({ operation: 'remove_background', prompt: '', inputs: [{ bytes: await foreign(mug), role: 'reference' }], format: 'png' })
tiles.push({ label: 'REMOVE BACKGROUND (no metadata)', kind: 'edit', pictures: [cut.bytes] })

async function filmed(label: string, request: Partial<RenderRequest>): Promise<void> {
  const startedAt = performance.now()
  const { bytes, description } = await render({ operation: 'video', prompt: '', inputs: [], format: 'webp', width: 848, height: 480, seed: 3, video: { seconds: 4, fps: 12 }, ...request })
  console.log(`${Math.round(performance.now() - startedAt)} ms  ${description}  ${bytes.length} bytes`)
  tiles.push({ label, kind: 'video', pictures: await Promise.all([0, 23, 47].map((page) => sharp(bytes, { page }).png().toBuffer())) })
}
await filmed('VIDEO: a golden retriever in a meadow, slow zoom in (frames 1, 24, 48)', { prompt: 'A golden retriever in a meadow, slow zoom in' })
await filmed('VIDEO from a picture: pan left (frames 1, 24, 48)', { prompt: 'pan left', width: 480, height: 480, inputs: [{ bytes: await foreign(mug), role: 'first_frame' }] })
await edit('give the dog a friendlier expression', [await foreign(dog)])
await draw('a steampunk octopus playing chess with a Victorian lady in a library', {}, 'miss')
await draw('quantum entanglement of bureaucracy', {}, 'miss')

const rows = Math.ceil(tiles.length / columns)
const sheet = makeCanvas(columns * side, rows * (side + captionHeight))
const context = sheet.getContext('2d')
context.fillStyle = '#16181d'
context.fillRect(0, 0, sheet.width, sheet.height)
const ink = { prompt: '#e8e8ea', edit: '#8fd3ff', video: '#b9a6ff', miss: '#ff8a80' }
for (const [index, { label, kind, pictures }] of tiles.entries()) {
  const left = (index % columns) * side
  const top = Math.floor(index / columns) * (side + captionHeight)
  const inner = side - 6
  const part = inner / pictures.length
  for (const [place, bytes] of pictures.entries()) {
    const image = await loadImage(Buffer.from(bytes))
    const scale = Math.min(inner / image.width, part / image.height)
    const [width, height] = [image.width * scale, image.height * scale]
    const x = left + 3 + (inner - width) / 2
    const y = top + 3 + place * part + (part - height) / 2
    if (label.startsWith('REMOVE')) for (let cell = 0; cell < 400; cell++) {
      context.fillStyle = (cell + Math.floor(cell / 20)) % 2 ? '#cfd2d6' : '#ffffff'
      context.fillRect(x + ((cell % 20) * width) / 20, y + (Math.floor(cell / 20) * height) / 20, width / 20 + 1, height / 20 + 1)
    }
    context.drawImage(image, x, y, width, height)
  }
  drawText(context, label, { x: left + 8, y: top + side + 1, width: side - 16, height: captionHeight - 4, face: 'body', fill: ink[kind], maxSize: 14.5, maxLines: 2, align: 'left', verticalAlign: 'top' })
}
const file = process.argv[2] ?? join(import.meta.dirname, '../../docs/sandbox.png')
const whole = sheet.toBuffer('image/png')
for (const colours of [256, 200, 160, 128, 96]) {
  const bytes = await sharp(whole).png({ palette: true, colours, effort: 8, dither: 0.7 }).toBuffer()
  if (bytes.length > bytesMax && colours > 96) continue
  writeFileSync(file, bytes)
  console.log(`${tiles.length} tiles, ${colours} colours, ${(bytes.length / 1e6).toFixed(2)} MB → ${file}`)
  break
}
