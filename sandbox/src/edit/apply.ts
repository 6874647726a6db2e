/**
 * Carries out an edit instruction on the caller's pictures.
 *
 * Our own pictures are drawn again from their recipe where the edit can be said in a recipe; everything else works on
 * pixels. What was done is listed, and what could not be is said in the picture.
 */
import { workSize } from '../compose.ts'
import { RenderError, sideMax } from '../contract.ts'
import { workPixelsMax } from '../decode.ts'
import type { Picture } from '../decode.ts'
import { copyCanvas, makeCanvas, resizeCanvas, shadePixels } from '../kernel/canvas.ts'
import type { Canvas } from '../kernel/canvas.ts'
import { smooth } from '../kernel/colour.ts'
import { layOver } from '../kernel/composite.ts'
import { hash32 } from '../kernel/random.ts'
import { emptied, stage } from '../picture.ts'
import type { Plan, Subject } from '../plan/plan.ts'
import { tokenise } from '../plan/tokens.ts'
import { settings } from '../plan/words/settings.ts'
import type { Recipe } from '../provenance.ts'
import type { Light, Scene } from '../scenes/scene.ts'
import { applyStyle } from '../styles/style.ts'
import { softened } from '../styles/pixels.ts'
import { cutOut as cutOutSubject } from '../subjects/subject.ts'
import { combine, drawShadow } from './combine.ts'
import { crop, flip, rotate } from './frame.ts'
import { readInstruction } from './instruction.ts'
import type { Edit, Instruction, Place } from './instruction.ts'
import { addCaptionBand, addTexts } from './lettering.ts'
import { boundsOf, cutOut, fillFromAround, joinByMask, readMask, withoutFringe } from './mask.ts'
import { grownSize, outpaint } from './outpaint.ts'
import { drawRecipe, proven, subjectLayers, subjectsOf } from './recompose.ts'
import { segment } from './segment.ts'
import { findSky, relightGround, replaceSky } from './sky.ts'
import { matchPalette } from './palette.ts'
import { applyTone, blurWhole, sharpen } from './tone.ts'

export interface EditOptions {
  seed: number
  /** Called between steps: the place to stop. */
  pause(): Promise<void>
  /** Output size, where the caller gave one. */
  width?: number | undefined
  height?: number | undefined
}

export interface Edited {
  canvas: Canvas
  recipe: Recipe | null
  plan: Plan
  edits: string[]
  texts: string[]
  unmatched: string[]
  maskConfidence: number | undefined
  /** Something was done that the words asked for. */
  isDone: boolean
}

/** One picture on the bench. */
interface Bench {
  canvas: Canvas
  recipe: Recipe | null
  mask: Canvas | null
  edits: string[]
  confidence: number | undefined
  readonly instruction: Instruction
  readonly seed: number
}

export async function applyEdits(prompt: string, pictures: Picture[], { seed, pause, width, height }: EditOptions): Promise<Edited> {
  const { subjects, style, mask } = sortPictures(pictures)
  const [first, ...others] = subjects
  if (!first) throw new RenderError('An edit needs a picture to start from.')
  const recipe = proven(first.recipe, first.canvas)
  await pause()
  const labels = (recipe?.plan.subjects ?? []).flatMap(namesOf)
  const instruction = readInstruction(prompt, { pictures: subjects.length, hasMask: mask !== null, seed, width: first.canvas.width, height: first.canvas.height, labels })
  const bench: Bench = {
    canvas: first.canvas, recipe, edits: [], confidence: undefined, instruction, seed,
    mask: mask && readMask(mask.canvas, first.canvas.width, first.canvas.height),
  }
  for (const edit of instruction.edits) {
    if (edit.kind === 'combine') combineAll(bench, [first, ...others], width ?? first.canvas.width, height ?? first.canvas.height)
    else carryOut(bench, edit)
    await pause()
  }
  if (style) {
    bench.canvas = matchPalette(bench.canvas, style.canvas)
    bench.recipe = null
    bench.edits.push('took the colours of the style picture')
  }
  if (bench.mask && bench.canvas.width === first.canvas.width && bench.canvas.height === first.canvas.height) {
    bench.canvas = joinByMask(first.canvas, bench.canvas, bench.mask)
    bench.recipe = null
  }
  const isDone = bench.edits.length > 0
  if (!isDone) {
    bench.canvas = addCaptionBand(bench.canvas, prompt.trim() ? `Not understood: ${prompt.trim().slice(0, 200)}` : 'No instruction was given.')
    bench.recipe = null
  }
  const texts = instruction.edits.flatMap((edit) => (edit.kind === 'text' ? edit.texts : []))
  return { canvas: bench.canvas, recipe: bench.recipe, plan: instruction.plan, edits: bench.edits, texts, unmatched: isDone ? instruction.unmatched : allWords(instruction, prompt), maskConfidence: bench.confidence, isDone }
}

/** An instruction that parsed but changed nothing (a sky that is not there) leaves its words unserved. */
const allWords = ({ unmatched }: Instruction, prompt: string) =>
  unmatched.length > 0 ? unmatched : [...new Set(prompt.toLowerCase().match(/[\p{L}\p{M}\p{N}-]{3,}/gu) ?? [])].slice(0, 30)

function sortPictures(pictures: Picture[]) {
  const mask = pictures.find(({ role }) => role === 'mask') ?? null
  const style = pictures.find(({ role }) => role === 'style') ?? null
  const subjects = pictures.filter(({ role }) => role !== 'mask' && role !== 'style')
  // A style picture alone is the picture to change.
  return subjects.length === 0 && style ? { subjects: [style], style: null, mask } : { subjects, style, mask }
}

function carryOut(bench: Bench, edit: Exclude<Edit, { kind: 'combine' }>): void {
  const { plan } = bench.instruction
  switch (edit.kind) {
    case 'remove_background': return changePixels(bench, 'removed the background', cutOutThing(bench))
    case 'background': return changeBackground(bench, edit.colour)
    case 'blur_background': return blurBackground(bench)
    case 'sky': return changeSky(bench)
    case 'time': return changeTime(bench)
    case 'recolour': return recolour(bench, edit.colour)
    case 'erase': return erase(bench)
    case 'add': return addThing(bench, edit.place)
    case 'tone': return changePixels(bench, toneNames[edit.tone], applyTone(bench.canvas, edit.tone))
    case 'blur': return changePixels(bench, 'blurred', blurWhole(bench.canvas))
    case 'sharpen': return changePixels(bench, 'sharpened', sharpen(bench.canvas))
    case 'style': return changePixels(bench, `style: ${edit.style}`, applyStyle(bench.canvas, edit.style, bench.seed))
    case 'crop': return changePixels(bench, edit.ratio ? 'cropped to the ratio' : 'cropped', crop(bench.canvas, edit.ratio))
    case 'outpaint': return extend(bench, edit.ratio)
    case 'enlarge': {
      const factor = Math.min(edit.factor, Math.sqrt(workPixelsMax / (bench.canvas.width * bench.canvas.height)), sideMax / Math.max(bench.canvas.width, bench.canvas.height))
      if (factor <= 1) return
      return changePixels(bench, `enlarged ${factor === edit.factor ? factor : factor.toFixed(2)} times`, resizeCanvas(sharpen(bench.canvas, 0.5), bench.canvas.width * factor, bench.canvas.height * factor))
    }
    case 'rotate': return changePixels(bench, `rotated ${edit.quarters * 90}°`, rotate(bench.canvas, edit.quarters))
    case 'flip': return changePixels(bench, edit.axis === 'across' ? 'mirrored' : 'flipped upside down', flip(bench.canvas, edit.axis))
    case 'text': return changePixels(bench, 'added text', addTexts(bench.canvas, { ...edit, plan, isGold: plan.features.includes('gold'), isLarge: /\b(?:large|big|huge|giant)\b/.test(plan.prompt.toLowerCase()) }))
  }
}

const toneNames = {
  brighten: 'brightened', darken: 'darkened', warm: 'warmed', cool: 'cooled', contrast: 'raised the contrast', saturate: 'raised the saturation',
  mute: 'lowered the saturation', grayscale: 'made it grayscale', sepia: 'toned it sepia', invert: 'inverted it',
} as const

/** From here on the picture is no longer what its recipe draws. */
function changePixels(bench: Bench, name: string, canvas: Canvas): void {
  bench.canvas = canvas
  bench.recipe = null
  bench.edits.push(name)
}

function redraw(bench: Bench, name: string, recipe: Recipe): void {
  bench.canvas = drawRecipe(recipe, bench.canvas.width, bench.canvas.height)
  bench.recipe = recipe
  bench.edits.push(name)
}

/** The subject alone: from the recipe exactly, else found by its looks. */
function cutOutThing(bench: Bench): Canvas {
  const { width, height } = bench.canvas
  if (bench.mask) return cutOut(bench.canvas, inverted(bench.mask))
  const exact = bench.recipe && cutFromRecipe(bench.recipe, bench.canvas)
  if (exact) {
    bench.confidence = 1
    return exact
  }
  const { mask, confidence } = segment(bench.canvas)
  bench.confidence = confidence
  if (!boundsOf(mask)) return makeCanvas(width, height)
  return mask === bench.canvas ? copyCanvas(mask) : withoutFringe(cutOut(bench.canvas, mask))
}

function cutFromRecipe(recipe: Recipe, canvas: Canvas): Canvas | null {
  const work = workSize(canvas.width, canvas.height)
  const things = subjectsOf(recipe, work.width, work.height)
  return things && resizeCanvas(things, canvas.width, canvas.height)
}

function inverted(mask: Canvas): Canvas {
  const result = makeCanvas(mask.width, mask.height)
  const context = result.getContext('2d')
  context.fillStyle = '#000'
  context.fillRect(0, 0, mask.width, mask.height)
  context.globalCompositeOperation = 'destination-out'
  context.drawImage(mask, 0, 0)
  return result
}

/** The plan of the new ground: a studio in that colour, or the place the words name. */
function backdropOf(bench: Bench, colour: string | null): Plan {
  const { plan } = bench.instruction
  const { width, height } = bench.canvas
  const seed = hash32(`${bench.seed}:backdrop`)
  return { ...emptied(plan, width, height), seed, style: 'photo', ...(colour ? { setting: 'studio', background: colour, weather: [], features: [] } : {}) }
}

function changeBackground(bench: Bench, colour: string | null): void {
  const backdrop = backdropOf(bench, colour)
  const name = colour ? `background: ${colour}` : `background: ${backdrop.setting}`
  if (bench.recipe && bench.recipe.plan.subjects.length > 0 && !bench.mask) {
    bench.confidence = 1
    return redraw(bench, name, { plan: bench.recipe.plan, backdrop })
  }
  const { width, height } = bench.canvas
  // With a mask, the mask is the cut: everything is repainted and joined along it at the end.
  const thing = bench.mask ? null : cutOutThing(bench)
  const stood = (scene: Scene, w: number, h: number) => (thing && !colour ? [standUp(resizeCanvas(thing, w, h), scene)] : [])
  changePixels(bench, name, stage(backdrop, width, height, stood))
  if (thing && colour) layOver(bench.canvas, [thing])
}

/** Brings a cut-out down (or up) to the ground of its new place, with a shadow under it; what the frame cut off stays put. */
function standUp(thing: Canvas, scene: Scene): Canvas {
  const { width, height } = thing
  const bounds = boundsOf(thing)
  if (!bounds || scene.floats || bounds.y + bounds.height > height * 0.985) return thing
  const ground = scene.groundY * height
  const layer = makeCanvas(width, height)
  const context = layer.getContext('2d')
  drawShadow(context, bounds.x + bounds.width / 2, ground, bounds.width * 0.42, height)
  context.drawImage(thing, 0, Math.round(ground - bounds.y - bounds.height))
  return layer
}

function blurBackground(bench: Bench): void {
  const thing = cutOutThing(bench)
  const blurred = softened(bench.canvas, Math.max(bench.canvas.width, bench.canvas.height) * 0.012)
  const original = bench.canvas
  // The thing's own pixels go back over the blur, not its undeveloped drawing.
  changePixels(bench, 'blurred the background', joinByMask(blurred, original, thing))
}

function changeSky(bench: Bench): void {
  const { plan } = bench.instruction
  const time = plan.named.time ? plan.time : 'sunset'
  if (bench.recipe && isOutdoors(bench.recipe)) return redraw(bench, `sky: ${time}`, withTime(bench.recipe, plan, time))
  const sky = findSky(bench.canvas)
  if (sky.share < 0.03) return
  bench.confidence = Math.round(Math.min(1, sky.share * 3) * 80) / 100
  changePixels(bench, `sky: ${time}`, replaceSky(bench.canvas, sky, time, bench.seed))
}

const outdoorSettings = new Set<Plan['setting']>(['meadow', 'mountains', 'ocean', 'city', 'forest', 'desert', 'snow', 'sky'])
const isOutdoors = ({ plan, backdrop }: Recipe) => outdoorSettings.has((backdrop ?? plan).setting)

function withTime(recipe: Recipe, words: Plan, time: Plan['time']): Recipe {
  const lit = (plan: Plan): Plan => ({ ...plan, time, weather: [...new Set([...plan.weather, ...words.weather])], named: { ...plan.named, time: true } })
  return { plan: lit(recipe.plan), backdrop: recipe.backdrop && lit(recipe.backdrop) }
}

function changeTime(bench: Bench): void {
  const { plan } = bench.instruction
  if (bench.recipe && isOutdoors(bench.recipe)) return redraw(bench, `time: ${plan.time}`, withTime(bench.recipe, plan, plan.time))
  const sky = findSky(bench.canvas)
  changePixels(bench, `light: ${plan.time}`, sky.share >= 0.03 ? replaceSky(bench.canvas, sky, plan.time, bench.seed) : relightGround(bench.canvas, plan.time))
}

/** What a caller may call it: a retriever is a dog, too. */
const namesOf = (subject: Subject): string[] => [subject.label.toLowerCase(), ...(subject.kind === 'model' ? [subject.model] : []), ...(subject.kind === 'person' ? ['person', subject.person.gender === 'female' ? 'woman' : 'man'] : [])]

function namedInWords(bench: Bench): (subject: Subject) => boolean {
  const text = bench.instruction.plan.prompt.toLowerCase()
  return (subject) => namesOf(subject).some((name) => name.split(/\s+/).some((word) => word.length > 2 && text.includes(word)))
}

function recolour(bench: Bench, colour: string): void {
  if (!bench.recipe) return
  const isNamed = namedInWords(bench)
  const { plan } = bench.recipe
  const subjects = plan.subjects.map((subject) => {
    if (!isNamed(subject)) return subject
    return subject.kind === 'person' ? { ...subject, person: { ...subject.person, outfit: colour } } : { ...subject, colour }
  })
  redraw(bench, `colour: ${colour}`, { ...bench.recipe, plan: { ...plan, subjects } })
}

function erase(bench: Bench): void {
  if (bench.mask) return changePixels(bench, 'filled the masked part from its surroundings', fillFromAround(bench.canvas, bench.mask))
  if (!bench.recipe) return
  const isNamed = namedInWords(bench)
  const { plan } = bench.recipe
  const kept = plan.subjects.filter((subject) => !isNamed(subject))
  if (kept.length < plan.subjects.length) redraw(bench, 'removed the subject', { ...bench.recipe, plan: { ...plan, subjects: kept, named: { setting: true, time: true } } })
}

/** Soft light from the upper left, neutral enough for any photo. */
const anyLight: Light = { key: [-0.5, 0.95, 0.7], colour: [255, 246, 232], strength: 2.1, sky: [195, 208, 226], ground: [150, 145, 130], haze: [220, 224, 228], ambient: 1.1, studio: true }

function addThing(bench: Bench, place: Place): void {
  const { width, height } = bench.canvas
  const spot = bench.mask && boundsOf(bench.mask)
  const subjects = bench.instruction.plan.subjects.slice(0, 3)
  const layer = makeCanvas(width, height)
  const context = layer.getContext('2d')
  subjects.forEach((subject, index) => {
    const size = Math.max(8, Math.round(spot ? Math.min(spot.width / subjects.length, spot.height) : Math.min(width, height) * (subject.kind === 'person' ? 0.6 : 0.38)))
    const cut = cutOutSubject(subject, { size, light: anyLight, seed: (bench.seed + index * 7919) >>> 0, marchMax: 520 })
    if (!cut) return
    const middle = spot ? spot.x + (spot.width * (index + 0.5)) / subjects.length
      : { left: 0.2, center: 0.5, right: 0.78 }[place.across] * width + (index - (subjects.length - 1) / 2) * size * 0.8
    // People are busts: they rise from the lower edge.
    const foot = spot ? spot.y + spot.height : subject.kind === 'person' ? height * 1.005 : { top: 0.4, middle: 0.62, bottom: 0.93 }[place.down] * height
    const left = Math.round(middle - (size * (cut.box[0] + cut.box[2])) / 2)
    const top = Math.round(foot - size * cut.box[3])
    const stands = place.down === 'bottom' || spot
    if (cut.shadow && stands && subject.kind !== 'person') context.drawImage(cut.shadow, left, top)
    else if (stands && subject.kind !== 'person') drawShadow(context, middle, foot, (size * (cut.box[2] - cut.box[0])) / 2.2, height)
    context.drawImage(cut.canvas, left, top)
  })
  changePixels(bench, `added: ${subjects.map(({ label }) => label).join(', ')}`, layOver(copyCanvas(bench.canvas), [layer]))
}

function extend(bench: Bench, ratio: number | null): void {
  const { canvas, recipe } = bench
  const { width, height } = grownSize(canvas.width, canvas.height, ratio)
  if (width === canvas.width && height === canvas.height) return changePixels(bench, 'extended', canvas)
  if (Math.max(width, height) > 8192) throw new RenderError('The extended picture would be larger than 8192 pixels a side.')
  changePixels(bench, 'extended', recipe ? restage(recipe, canvas, width, height) : outpaint(canvas, width, height))
}

/** The same place drawn wider, with the very same things standing in it: no seam, and one sun. */
function restage({ plan, backdrop }: Recipe, canvas: Canvas, width: number, height: number): Canvas {
  return stage({ ...(backdrop ?? plan), style: plan.style }, width, height, (scene, w, h) => {
    const scale = w / width
    const oldWidth = Math.round(canvas.width * scale)
    const oldHeight = Math.round(canvas.height * scale)
    const layer = makeCanvas(w, h)
    const down = scene.floats ? (h - oldHeight) / 2 : scene.groundY * (h - oldHeight)
    for (const thing of subjectLayers(plan, oldWidth, oldHeight)) layer.getContext('2d').drawImage(withSoftRim(thing), Math.round((w - oldWidth) / 2), Math.round(down))
    return [layer, ...(scene.front?.() ?? []).map((each) => each.canvas)]
  })
}

const readGroundColour = ({ background, prompt }: Plan) => background !== null && /background|backdrop|背景/.test(prompt.toLowerCase())

/** Shadows that the old frame cut off end softly; the things themselves stay whole. */
function withSoftRim(thing: Canvas): Canvas {
  return shadePixels(thing, (data, width, height) => {
    for (let y = 0; y < height; y++) for (let x = 0; x < width; x++) {
      const i = (y * width + x) * 4 + 3
      if (data[i]! > 0 && data[i]! < 210) data[i] = data[i]! * smooth(0, 0.09, Math.min(x / width, 1 - (x + 1) / width))
    }
  })
}

function combineAll(bench: Bench, pictures: Picture[], width: number, height: number): void {
  const { plan } = bench.instruction
  const confidences: number[] = []
  const cutouts = pictures.map(({ canvas, recipe }) => {
    const known = proven(recipe, canvas)
    const exact = known && cutFromRecipe(known, canvas)
    if (exact) return exact
    const { mask, confidence } = segment(canvas)
    confidences.push(confidence)
    return mask === canvas ? canvas : withoutFringe(cutOut(canvas, mask))
  })
  bench.confidence = Math.min(1, ...confidences)
  // "these product photos on one shelf" is a shelf, whatever "product" means elsewhere.
  const named = tokenise(plan.prompt, (word) => settings.has(word)).map((word) => settings.get(word)).find((each) => each && each !== 'studio' && each !== 'abstract')
  const setting = named ?? (readGroundColour(plan) ? 'studio' : 'shelf')
  const backdrop: Plan = { ...emptied(plan, width, height), setting, style: 'photo', seed: hash32(`${bench.seed}:combine`) }
  changePixels(bench, `combined ${pictures.length} pictures: ${setting}`, combine(cutouts, backdrop, width, height))
}

