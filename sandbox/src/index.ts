/**
 * The sandbox renderer: draws what a prompt says, edits pictures, cuts out, enlarges and makes short videos, all by
 * procedure. No model, no network, no clock.
 */
import { isDrawn, paint } from './compose.ts'
import { RenderError, pixelsMax, rendererVersion, sideMax, sideMin } from './contract.ts'
import type { Format, RenderRequest, Rendering, Understood } from './contract.ts'
import { decodePicture } from './decode.ts'
import type { Picture } from './decode.ts'
import { applyEdits } from './edit/apply.ts'
import { cover } from './edit/frame.ts'
import { boundsOf, cutOut, withoutFringe } from './edit/mask.ts'
import { proven, subjectsOf } from './edit/recompose.ts'
import { segment } from './edit/segment.ts'
import { encodeCanvas, encodePixels, mimeOf } from './encode.ts'
import { resizeCanvas } from './kernel/canvas.ts'
import type { Canvas } from './kernel/canvas.ts'
import { hash32 } from './kernel/random.ts'
import { plan, understood } from './plan/plan.ts'
import type { Plan } from './plan/plan.ts'
import type { Provenance, Recipe, SourceType } from './provenance.ts'
import { softened } from './styles/pixels.ts'
import { upscale } from './upscale.ts'
import { readMove } from './video/camera.ts'
import { encodeVideo } from './video/encode.ts'
import { encodeGif, gifPixelsMax } from './video/gif.ts'
import { film, shootPicture, shootPlan } from './video/frames.ts'
import type { Shot } from './video/frames.ts'

export * from './contract.ts'

export interface RenderOptions {
  /** Hears in-between pictures, blurred to sharp, as many as `partials` asks for. */
  onPartial?: ((rendering: Rendering) => void) | undefined
  signal?: AbortSignal | undefined
}

/** What an operation made, before it is a file. */
interface Made {
  canvas: Canvas
  understood: Understood
  description: string
  sourceType: SourceType
  recipe: Recipe | null
  maskConfidence?: number | undefined
}

interface Room {
  request: RenderRequest
  seed: number
  /** Lets other work in, and stops here when the caller has gone. */
  pause(): Promise<void>
  offer(canvas: Canvas, made: Pick<Made, 'understood' | 'description' | 'sourceType'>): Promise<void>
  /** In-between pictures not yet handed out. */
  offersLeft(): number
}

/** Carries out one request. @throws {RenderError} when it cannot be honoured, with a sentence for the caller. */
export async function render(request: RenderRequest, { onPartial, signal }: RenderOptions = {}): Promise<Rendering> {
  check(request)
  signal?.throwIfAborted()
  const seed = request.seed ?? hash32(request.prompt.trim().toLowerCase())
  let left = onPartial ? Math.min(3, request.partials ?? 0) : 0
  const room: Room = {
    request,
    seed,
    async pause() {
      await new Promise((resolve) => setImmediate(resolve))
      signal?.throwIfAborted()
    },
    offersLeft: () => left,
    async offer(canvas, made) {
      if (left <= 0) return
      left--
      onPartial!(await finishStill(room, { ...made, canvas, recipe: null }))
    },
  }
  switch (request.operation) {
    case 'generate': return generate(room)
    case 'edit': return edit(room)
    case 'remove_background': return removeBackground(room)
    case 'upscale': return enlarge(room)
    case 'video': return makeVideo(room)
  }
}

function check({ operation, width, height, seed, inputs, video, quality, prompt }: RenderRequest): void {
  const most = operation === 'video' ? videoSideMax : sideMax
  for (const [name, side] of [['width', width], ['height', height]] as const) {
    if (side !== undefined && !(Number.isInteger(side) && side >= sideMin && side <= most)) throw new RenderError(`${name} must be a whole number between ${sideMin} and ${most}, not ${side}.`)
  }
  if ((width ?? 1) * (height ?? 1) > pixelsMax) throw new RenderError(`${width}x${height} is too much: a picture may have ${pixelsMax.toLocaleString('en')} pixels in all (18 megapixels, as 12288x1536 has).`)
  if (seed !== undefined && !(Number.isSafeInteger(seed) && seed >= 0)) throw new RenderError(`seed must be a whole number between 0 and 2^53-1, not ${seed}.`)
  if (quality !== undefined && !(quality >= 1 && quality <= 100)) throw new RenderError(`quality must be between 1 and 100, not ${quality}.`)
  if (video && !(video.seconds >= 1 && video.seconds <= 25 && Number.isInteger(video.fps) && video.fps >= 4 && video.fps <= 24)) {
    throw new RenderError('A video lasts 1 to 25 seconds at 4 to 24 frames a second.')
  }
  const needsPicture = operation === 'edit' || operation === 'upscale' || operation === 'remove_background'
  if (needsPicture && !inputs.some(({ role }) => role !== 'mask')) throw new RenderError(`${operation} needs a picture.`)
  if (operation === 'generate' && prompt.trim() === '' && inputs.length === 0) throw new RenderError('There is nothing to draw: the prompt is empty.')
}

async function generate(room: Room): Promise<Rendering> {
  const { request, seed, pause } = room
  // Pictures to go by make it an edit of them, whatever the caller's dialect calls it.
  if (request.inputs.some(({ role }) => role !== 'mask')) return edit(room)
  const { prompt, width = 1024, height = 1024, variation } = request
  const meant = plan(prompt, { seed, width, height, variation })
  const made = { understood: understood(meant), description: describe(meant), sourceType: 'algorithmicMedia' as const }
  await offerSketches(room, meant, made, width, height)
  await pause()
  const canvas = paint(meant, width, height)
  await pause()
  if (room.offersLeft() > 0) await room.offer(softened(canvas, Math.max(width, height) / 160), made)
  return finishStill(room, { ...made, canvas, recipe: { plan: meant, backdrop: null } })
}

/** Early pictures come from a quarter-size drawing: there long before the real one, and blurred enough to pass for it. */
async function offerSketches(room: Room, meant: Plan, made: Pick<Made, 'understood' | 'description' | 'sourceType'>, width: number, height: number): Promise<void> {
  const sketches = Math.max(1, room.offersLeft() - 1)
  if (room.offersLeft() === 0) return
  const shrink = Math.min(1, Math.max(0.25, 64 / Math.max(width, height)))
  const sketch = resizeCanvas(paint(meant, Math.max(1, Math.round(width * shrink)), Math.max(1, Math.round(height * shrink))), width, height)
  for (let index = 0; index < sketches; index++) {
    await room.pause()
    await room.offer(softened(sketch, Math.max(width, height) / (index === 0 ? 28 : 70)), made)
  }
}

async function edit(room: Room): Promise<Rendering> {
  const { request, seed, pause } = room
  const pictures = await decodeAll(request, pause)
  const { prompt, width, height } = request
  const edited = await applyEdits(prompt, pictures, { seed, pause, width, height })
  let { canvas } = edited
  const target = targetSize(request, canvas)
  const isResized = target.width !== canvas.width || target.height !== canvas.height
  canvas = cover(canvas, target.width, target.height)
  // The file's recipe must draw the file: another shape is another composition.
  const isSameShape = Math.abs(target.width / target.height - edited.canvas.width / edited.canvas.height) < 0.01
  const made: Made = {
    canvas,
    understood: {
      ...understood(edited.plan), kind: 'edit', texts: edited.texts, edits: edited.edits, unmatched: edited.unmatched,
      ...(edited.isDone ? {} : { subjects: [], setting: null, time: null, style: null }),
    },
    description: edited.isDone ? `Edited: ${edited.edits.join(', ')}.` : 'Nothing was changed: the instruction holds no edit this renderer can do.',
    sourceType: pictures.every(({ isOurs }) => isOurs) ? 'algorithmicMedia' : edited.edits.length > 0 && pictures.filter(({ role }) => role !== 'mask').length === 1 && !/background|added|sky|extended/.test(edited.edits.join()) ? 'algorithmicallyEnhanced' : 'compositeSynthetic',
    recipe: edited.recipe && (!isResized || isSameShape) ? edited.recipe : null,
    maskConfidence: edited.maskConfidence,
  }
  for (const blur of [28, 70, 160].slice(0, room.offersLeft())) await room.offer(softened(canvas, Math.max(target.width, target.height) / blur), made)
  return finishStill(room, made)
}

/** What the caller asked for; one side alone keeps the shape. */
function targetSize({ width, height }: RenderRequest, canvas: Canvas): { width: number; height: number } {
  if (width === undefined && height === undefined) return { width: canvas.width, height: canvas.height }
  return {
    width: width ?? Math.max(1, Math.round((canvas.width * height!) / canvas.height)),
    height: height ?? Math.max(1, Math.round((canvas.height * width!) / canvas.width)),
  }
}

async function decodeAll({ inputs }: RenderRequest, pause: () => Promise<void>): Promise<Picture[]> {
  const pictures: Picture[] = []
  for (const input of inputs) {
    pictures.push(await decodePicture(input))
    await pause()
  }
  return pictures
}

const nothingUnderstood = (edits: string[]): Understood => ({ kind: 'edit', subjects: [], setting: null, time: null, style: null, texts: [], edits, unmatched: [] })

const mainInput = ({ inputs }: RenderRequest) => inputs.find(({ role }) => role !== 'mask')!

async function removeBackground(room: Room): Promise<Rendering> {
  const { request, pause } = room
  if (request.format === 'jpeg') throw new RenderError('JPEG has no transparency: ask for PNG or WebP.')
  const picture = await decodePicture(mainInput(request))
  await pause()
  const recipe = proven(picture.recipe, picture.canvas)
  const exact = recipe && subjectsOf(recipe, picture.canvas.width, picture.canvas.height)
  const found = exact ? { mask: exact, confidence: 1 } : segment(picture.canvas)
  await pause()
  const isFound = boundsOf(found.mask) !== null
  const canvas = exact ?? (found.mask === picture.canvas ? picture.canvas : withoutFringe(cutOut(picture.canvas, found.mask)))
  const target = targetSize(request, canvas)
  return finishStill(room, {
    canvas: cover(canvas, target.width, target.height),
    understood: nothingUnderstood(['removed the background']),
    description: isFound ? `The subject was cut out${found.confidence < 0.5 ? '; the cut is doubtful, since the ground is busy' : ''}.` : 'No subject could be told from the ground.',
    sourceType: picture.isOurs ? 'algorithmicMedia' : 'algorithmicallyEnhanced',
    recipe: null,
    maskConfidence: found.confidence,
  })
}

async function enlarge(room: Room): Promise<Rendering> {
  const { request, seed, pause } = room
  const picture = await decodePicture(mainInput(request))
  await pause()
  const factor = request.factor ?? 2
  const { pixels, width, height } = await upscale(picture.canvas, factor)
  await pause()
  const provenance = provenanceOf(request, seed, picture.isOurs ? 'algorithmicMedia' : 'algorithmicallyEnhanced', picture.recipe)
  return {
    bytes: await encodePixels(pixels, width, height, { ...request, format: stillOf(request) }, provenance),
    mime: mimeOf(request.format), width, height, seed,
    understood: nothingUnderstood([`enlarged ${factor} times`]),
    description: `Enlarged ${factor} times by resampling and sharpening; no detail was invented.`,
    rendererVersion,
  }
}

/** Frames times pixels: 25 seconds at 24 frames of 1280x720. Beyond it the file and the wait are nobody's wish. */
const videoPixelsMax = 560_000_000
/** A film's layers are all held at full size. */
const videoSideMax = 4096

async function makeVideo(room: Room): Promise<Rendering> {
  const { request, seed, pause } = room
  const { prompt, variation, video = { seconds: 5, fps: 12 } } = request
  const pictures = await decodeAll(request, pause)
  const last = pictures.find(({ role }) => role === 'last_frame') ?? null
  const first = pictures.find(({ role }) => role !== 'mask' && role !== 'last_frame' && role !== 'style') ?? null
  const model = first ?? last
  const { width, height } = model && request.width === undefined && request.height === undefined ? videoSizeOf(model.canvas) : { width: request.width ?? 848, height: request.height ?? 480 }
  const count = Math.max(1, Math.round(video.seconds * video.fps))
  if (width * height * count > videoPixelsMax) throw new RenderError(`${count} frames of ${width}x${height} are too much for one animated WebP here: ask for a smaller picture, fewer seconds or fewer frames a second.`)
  const meant = plan(prompt, { seed, width, height, variation })
  const recipe = first && proven(first.recipe, first.canvas)
  const shot: Shot = recipe && !recipe.backdrop ? shootPlan(recipe.plan, width, height) : first ? shootPicture(first.canvas, width, height) : shootPlan(meant, width, height)
  await pause()
  const move = readMove(prompt)
  const frames = film(shot, move, { width, height, count, fps: video.fps, last: last && cover(last.canvas, width, height), pause })
  const sourceType = pictures.every(({ isOurs }) => isOurs) ? 'algorithmicMedia' : 'compositeSynthetic'
  const bytes = await encodeVideo(frames, { width, height, fps: video.fps, quality: request.quality }, provenanceOf(request, seed, sourceType, null))
  const words = understood(meant)
  return {
    bytes, mime: 'image/webp', width, height, seed,
    understood: first ? { ...words, kind: 'video', subjects: [], setting: null, time: null } : { ...words, kind: 'video' },
    description: `${first ? 'The picture' : describe(meant).replace(/\.$/, '')}, filmed by ${moveNames[move]}: ${count} frames at ${video.fps} a second.`,
    ...(shot.maskConfidence === undefined ? {} : { maskConfidence: shot.maskConfidence }),
    rendererVersion,
  }
}

const moveNames = {
  in: 'a camera moving in', out: 'a camera moving out', left: 'a camera panning left', right: 'a camera panning right',
  up: 'a camera rising', down: 'a camera sinking', sway: 'a swaying camera', still: 'a still camera',
} as const

/** A photo's shape at a video's size: the longer side 848, both even. */
function videoSizeOf({ width, height }: Canvas): { width: number; height: number } {
  const scale = Math.min(1, 848 / Math.max(width, height))
  const even = (side: number) => Math.max(16, Math.round((side * scale) / 2) * 2)
  return { width: even(width), height: even(height) }
}

function describe(meant: Plan): string {
  const { kind, subjects, setting, time, style, texts } = understood(meant)
  if (!isDrawn(meant)) return 'An abstract picture with the prompt as its caption: none of its words could be drawn.'
  const what = subjects.length > 0 ? countNames(meant.subjects.map(({ label }) => label)) : kind === 'scene' ? 'a view' : ''
  const where = kind === 'scene' || kind === 'poster' ? `${setting ? `, ${setting}` : ''}${time ? `, ${time}` : ''}` : ''
  const says = texts.length > 0 ? `, saying ${texts.map((text) => `“${text}”`).join(' and ')}` : ''
  const sentence = `${kind === 'scene' ? '' : `${kind}${what ? ' with ' : ''}`}${what}${where}${says}${style && style !== 'photo' ? `, ${style} style` : ''}.`
  return sentence.charAt(0).toUpperCase() + sentence.slice(1)
}

/** "apple, apple, pear" → "2 × apple, pear" */
function countNames(names: string[]): string {
  const counts = new Map<string, number>()
  for (const name of names) counts.set(name, (counts.get(name) ?? 0) + 1)
  return [...counts].map(([name, count]) => (count > 1 ? `${count} × ${name}` : name)).join(', ')
}

function provenanceOf({ prompt, provenance }: RenderRequest, seed: number, sourceType: SourceType, recipe: Recipe | null): Provenance {
  const isEmbedded = provenance?.embedPrompt !== false
  return { sourceType, seed, taskId: provenance?.taskId, prompt: isEmbedded ? prompt : undefined, recipe: recipe ?? undefined }
}

/** @throws {RenderError} for a GIF: only what was drawn here can be filmed */
function stillOf({ format, operation }: RenderRequest): Exclude<Format, 'gif'> {
  if (format === 'gif') throw new RenderError(`No GIF comes of ${operation}. Ask for png, jpeg or webp.`)
  return format
}

/** A picture that moves a little, as a GIF. */
async function animate({ request, pause }: Room, canvas: Canvas, provenance: Provenance): Promise<Uint8Array> {
  const { prompt, animation: { frames = 9, delayMs = 200 } = {} } = request
  const { width, height } = canvas
  if (width * height * frames > gifPixelsMax) throw new RenderError(`${frames} frames of ${width}x${height} are too much for one GIF here: ask for a smaller picture or fewer frames.`)
  const shot = shootPicture(canvas, width, height)
  await pause()
  return encodeGif(film(shot, readMove(prompt), { width, height, count: frames, fps: Math.max(1, Math.round(1000 / delayMs)), last: null, pause }), { width, height, count: frames, delayMs }, provenance)
}

async function finishStill(room: Room, { canvas, understood: words, description, sourceType, recipe, maskConfidence }: Made): Promise<Rendering> {
  const { request, seed } = room
  const { format } = request
  const provenance = provenanceOf(request, seed, sourceType, recipe)
  return {
    bytes: format === 'gif' ? await animate(room, canvas, provenance) : await encodeCanvas(canvas, { ...request, format }, provenance),
    mime: mimeOf(format), width: canvas.width, height: canvas.height, seed,
    understood: words, description,
    ...(maskConfidence === undefined ? {} : { maskConfidence }),
    rendererVersion,
  }
}
