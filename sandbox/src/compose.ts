/**
 * From a Plan to a picture: layers first, each with its name and depth, then all of them flattened and finished.
 *
 * Edits and videos take the layers (`composeScene`); everyone else takes the picture (`paint`).
 */
import { copyCanvas, drawnWithin, makeCanvas, readPixels, fromPixels, release, resizeCanvas, shadePixels, softened } from './kernel/canvas.ts'
import type { Canvas } from './kernel/canvas.ts'
import { css, hex, luminance, multiply, scale } from './kernel/colour.ts'
import { layOver } from './kernel/composite.ts'
import { exp, pow } from './kernel/math.ts'
import { Random } from './kernel/random.ts'
import { drawInfographic } from './layouts/infographic.ts'
import { drawIcon, drawLogo } from './layouts/logo.ts'
import { drawPattern } from './layouts/pattern.ts'
import { drawPoster } from './layouts/poster.ts'
import { faceOf } from './layouts/lettering.ts'
import type { Plan, Subject } from './plan/plan.ts'
import type { Box, Layer, Light, Scene } from './scenes/scene.ts'
import { scenes } from './scenes/scenes.ts'
import { weatherLayers } from './scenes/weather.ts'
import { finishPhoto } from './styles/finish.ts'
import { applyStyle } from './styles/style.ts'
import { shadowReach } from './subjects/march.ts'
import { cutOut } from './subjects/subject.ts'
import { models } from './subjects/models/models.ts'
import { drawText } from './type/draw.ts'

export type { Box, Layer, Light } from './scenes/scene.ts'

export interface Composition {
  /** From the farthest to the nearest. Subjects are called `subject0`, `subject1`… in the Plan's order. */
  layers: Layer[]
  light: Light
  scene: Scene
}

/** A 4096 px picture then takes some 570 MB; at 2048 it was a little sharper and took up to 1,500. */
const workMax = 1536

/** Scenes are composed at no more than this a side and scaled up; text is drawn after, at full size. */
export function workSize(width: number, height: number): { width: number; height: number } {
  const longest = Math.max(width, height)
  const side = longest <= 1280 ? longest : Math.max(1280, Math.min(workMax, longest * 0.5))
  // A panorama gets the pixels of a 2:1 picture, or its short side would be too coarse to enlarge.
  const shrink = Math.min(1, Math.max(side / longest, Math.sqrt((side * side) / 2 / (width * height))))
  return { width: Math.max(1, Math.round(width * shrink)), height: Math.max(1, Math.round(height * shrink)) }
}

const smallIcons = new Set('1f34e 1f34b 1f353 1f352 1f347 1f34a 1f350 1f351 1f36a 1f369 1f95a 1f48d 1f41d 1f98b 1f339 1f337 1f381 1f439 1f401 1f42d 1f40c 1f438 1f410 1f511 1f56f 265f 1f41e 1f577'.split(' '))
const largeIcons = new Set('1f69a 1f68c 1f40e 1f418 1f992 1f3f0 1f686 2708 1f409 1f42a 1f6a2 1f69c 1f996 1f995 1f6f3'.split(' '))
const flyingIcons = new Set('1f98b 1f426 1f985 1f680 1f388 2708 1f41d 1f6f8 1f681 2601 1f99c 1f987 1f54a 1f41e 1fa81 1f382x 2b50 1f31f 1f308 1f319'.split(' '))
const swimmingIcons = new Set('1f41f 1f420 1f421 1f42c 1f40b 1f433 1f419 1f988 1f422 1fabc 1f991'.split(' '))
const indoors = new Set(['studio', 'table', 'shelf', 'room'])

interface Slot {
  subject: Subject
  index: number
  /** Middle, feet and size in pixels. */
  x: number
  footY: number
  size: number
  floats: boolean
  /** A person from head to foot rather than a bust at the picture's lower edge. */
  isWhole: boolean
}

function relativeSize(subject: Subject): number {
  switch (subject.kind) {
    case 'person': return 1.2
    case 'model': return models[subject.model]?.size ?? 0.9
    case 'icon': return smallIcons.has(subject.icon) ? 0.58 : largeIcons.has(subject.icon) ? 1.2 : 0.9
  }
}

/** A tower alone in its picture may be larger than a mug alone in one. */
const grandeur = (subject: Subject): number => (subject.kind === 'model' ? models[subject.model]?.alone ?? 1 : 1)

function isAloft(subject: Subject, scene: Scene, setting: string): boolean {
  if (subject.kind === 'person') return false
  if (setting === 'underwater') return subject.kind === 'model' ? models[subject.model]?.flies === true || subject.model === 'fish' : swimmingIcons.has(subject.icon)
  if (scene.floats) return true
  if (indoors.has(setting)) return false
  if (subject.kind === 'model') return models[subject.model]?.flies === true
  return flyingIcons.has(subject.icon)
}

/** Who stands where, and how large: alone a little off the middle, together in a row with room for each. */
function placeSubjects(plan: Plan, scene: Scene, width: number, height: number): Slot[] {
  const random = new Random(plan.seed).fork('places')
  const { subjects } = plan
  const count = subjects.length
  const people = subjects.filter((subject) => subject.kind === 'person').length
  const unit = Math.min(width, height)
  // On very wide or tall frames the shorter side alone would leave subjects tiny.
  const roomy = unit * Math.min(1.25, Math.sqrt(Math.max(width, height) / unit))
  const close = plan.camera === 'close' ? 1.28 : 1
  const weights = subjects.map((subject) => (count === 1 ? (subject.kind === 'icon' ? 1.0 : 1) : relativeSize(subject)))
  const total = weights.reduce((sum, weight) => sum + weight, 0)
  const portrait = people === count && count > 0
  // Behind a table only head and shoulders are seen; out among other things a person stands.
  const hasFigures = !portrait && plan.setting !== 'table' && plan.setting !== 'shelf'
  const base = portrait ? unit * (count === 1 ? 1.18 : count === 2 ? 0.95 : 0.75) : roomy * scene.subjectScale * close * (count === 1 ? 1 : count === 2 ? 0.92 : count === 3 ? 0.84 : 0.74)
  const each = Math.min(base, (width * (portrait ? 1.75 : 1.12)) / Math.max(1, total))
  const spread = Math.min(width * 0.94, total * each * (portrait ? 0.82 : 0.9))
  const alone = portrait || plan.camera === 'close' ? random.range(0.44, 0.56) : plan.setting === 'studio' || plan.setting === 'room' ? random.range(0.44, 0.56) : random.pick([0.32, 0.4, 0.5, 0.6, 0.68])
  let at = (width - spread) / 2 + random.range(-0.02, 0.02) * width
  const slots = subjects.map((subject, index): Slot => {
    const share = (weights[index]! / total) * spread
    const x = count === 1 ? alone * width : at + share / 2
    at += share
    const isWhole = subject.kind === 'person' && hasFigures
    const isBust = subject.kind === 'person' && !isWhole
    const floats = isWhole ? scene.floats === true : isAloft(subject, scene, plan.setting)
    let size = each * weights[index]! * (count === 1 ? grandeur(subject) : random.range(0.95, 1.05))
    if (isBust && !portrait) size = Math.max(size, Math.min(unit * 0.8, width / count * 1.25))
    const footY = floats ? height * (plan.kind === 'poster' ? random.range(0.74, 0.82) : random.range(0.56, 0.72)) : isBust ? height * (portrait ? 1.07 : 1.01) : scene.groundY * height + (count > 1 ? random.range(-0.008, 0.022) * height : 0)
    // Nothing is taller than the picture has room above its feet.
    const head = floats ? height * 0.9 : isBust ? height * 1.22 : footY * 1.02
    // A poster's headline keeps the upper third to itself.
    const headline = plan.kind === 'poster' ? height * Math.min(0.46, 0.27 + 0.075 * (Math.max(1, plan.texts.length) - 1)) : 0
    size = Math.min(size, Math.max(unit * 0.2, head - headline))
    if (subject.kind === 'person' && subject.person.hat === 'wizard') size *= 1.3
    return { subject, index, x, footY, size, floats, isWhole }
  })
  return slots.sort((a, b) => a.footY - b.footY)
}

/** The scene and everything in it as layers, at exactly this size. */
export function composeScene(plan: Plan, width: number, height: number): Composition {
  const scene = scenes[plan.setting](plan, width, height)
  const layers: Layer[] = [...scene.layers]
  const unit = Math.min(width, height)
  const isPortrait = plan.subjects.length > 0 && plan.subjects.every((subject) => subject.kind === 'person')
  if ((isPortrait || plan.camera === 'close') && plan.subjects.length > 0 && !['studio', 'abstract', 'space'].includes(plan.setting)) {
    for (const layer of layers) layer.canvas = softened(layer.canvas, unit * 0.007)
  }
  const marchMax = Math.round(Math.max(300, Math.min(860, 560 * pow(unit / 1024, 0.55))))
  for (const slot of placeSubjects(plan, scene, width, height)) {
    const layer = subjectLayer(plan, scene, slot, width, height, Math.round(marchMax * (plan.subjects.length > 2 ? 0.8 : isPortrait && plan.subjects.length === 1 ? 1.2 : 1)))
    if (!layer) continue
    layers.push(layer)
    const beacon = beaconLayer(plan, slot.index, slot.subject, layer.bbox!, width, height)
    if (beacon) layers.push(beacon)
  }
  if (scene.front && plan.subjects.some((subject) => subject.kind !== 'person')) layers.push(...scene.front())
  layers.push(...weatherLayers(plan, width, height))
  return { layers, light: scene.light, scene }
}

function subjectLayer(plan: Plan, scene: Scene, { subject, index, x, footY, size, floats, isWhole }: Slot, width: number, height: number, marchMax: number): Layer | null {
  const side = Math.max(8, Math.round(size))
  const cutout = cutOut(subject, { size: side, light: scene.light, seed: (plan.seed + index * 7919) >>> 0, marchMax, isWhole, isMirrored: Boolean(scene.reflect) && !floats })
  if (!cutout) return null
  const canvas = makeCanvas(width, height)
  const context = canvas.getContext('2d')
  const isBust = subject.kind === 'person' && !isWhole
  const left = Math.round(x - (side * (cutout.box[0] + cutout.box[2])) / 2)
  const top = Math.round(footY - side * cutout.box[3])
  if (cutout.shadow && !floats && !isBust) {
    context.globalAlpha = scene.shadow ?? 0.9
    const around = (cutout.shadow.width - side) / 2
    context.drawImage(cutout.shadow, Math.round(left - around), Math.round(top - around))
    context.globalAlpha = 1
  }
  const margin = Math.round((side * (shadowReach - 1)) / 2)
  if (scene.reflect && cutout.reflection) {
    fade(cutout.reflection, side * (cutout.box[3] - 0.12) + margin, side * 0.34)
    context.globalAlpha = Math.min(1, scene.reflect * 1.5)
    context.drawImage(cutout.reflection, left - margin, top - margin)
    context.globalAlpha = 1
    release(cutout.reflection)
  } else if (scene.reflect && !floats && !isBust) {
    const floor = top + side * cutout.box[3]
    context.save()
    context.globalAlpha = scene.reflect
    context.translate(0, 2 * floor - side * 0.012)
    context.scale(1, -1)
    context.beginPath()
    context.rect(left, floor - side * 0.3, side, side * 0.3)
    context.clip()
    context.drawImage(cutout.canvas, left, top)
    context.restore()
  }
  if (scene.tint && !isBust) {
    const { colour, alpha } = scene.tint
    const pixels = readPixels(cutout.canvas)
    for (let i = 0; i < pixels.length; i += 4) for (let c = 0; c < 3; c++) pixels[i + c] = pixels[i + c]! * (1 - alpha) + colour[c]! * alpha
    context.drawImage(fromPixels(pixels, side, side), left, top)
  } else {
    context.drawImage(cutout.canvas, left, top)
  }
  release(cutout.canvas)
  if (cutout.shadow) release(cutout.shadow)
  const box: Box = [left + cutout.box[0] * side, top + cutout.box[1] * side, left + cutout.box[2] * side, top + cutout.box[3] * side]
  return { name: `subject${index}`, depth: 0.3, canvas, bbox: box }
}

/** A reflection loses itself downwards, from `from` on over `reach` pixels. */
function fade(canvas: Canvas, from: number, reach: number): void {
  shadePixels(canvas, (data, width, height) => {
    for (let y = Math.max(0, Math.floor(from)); y < height; y++) {
      const kept = Math.max(0, 1 - (y - from) / reach)
      for (let i = y * width * 4 + 3; i < (y + 1) * width * 4; i += 4) data[i] = data[i]! * kept
    }
  })
}

/** The lamp of a lighthouse, seen from afar when it is dark: a halo, and a beam to either side. */
function beaconLayer(plan: Plan, index: number, subject: Subject, box: Box, width: number, height: number): Layer | null {
  const beacon = subject.kind === 'model' ? models[subject.model]?.beacon : undefined
  const strength = ({ night: 1, storm: 0.8, sunset: 0.6, pink: 0.6, dawn: 0.35, overcast: 0.35 } as Partial<Record<Plan['time'], number>>)[plan.time]
  if (!beacon || !strength || indoors.has(plan.setting)) return null
  const x = box[0] + (box[2] - box[0]) * beacon.u
  const y = box[1] + (box[3] - box[1]) * beacon.v
  const reach = (box[3] - box[1]) * 0.9
  const data = new Uint8ClampedArray(width * height * 4)
  for (let py = 0, i = 0; py < height; py++) {
    for (let px = 0; px < width; px++, i += 4) {
      const dx = (px - x) / reach
      const dy = (py - y) / reach
      const away = Math.sqrt(dx * dx + dy * dy)
      const halo = 0.85 * exp(-away * away * 240) + 0.4 * exp(-away * 9)
      // Slightly downwards to the left, upwards to the right: one straight line through the lamp.
      const aside = (dy + dx * 0.07) / (0.025 + Math.abs(dx) * 0.075)
      const beam = 0.5 * exp(-aside * aside) * exp(-Math.abs(dx) * 1.1)
      data[i] = 255
      data[i + 1] = 238
      data[i + 2] = 186
      data[i + 3] = Math.min(0.95, (halo + beam) * strength) * 255
    }
  }
  return { name: `beacon${index}`, depth: 0.3, canvas: fromPixels(data, width, height) }
}

/** All layers on one canvas. */
export function flatten(layers: readonly Layer[], width: number, height: number): Canvas {
  const first = layers[0]
  if (!first) return makeCanvas(width, height)
  const canvas = layOver(copyCanvas(first.canvas), layers.slice(1).map((layer) => layer.canvas))
  // Blurring leaves a backdrop a level or two short of opaque.
  return first.name === 'far' ? shadePixels(canvas, (data) => { for (let i = 3; i < data.length; i += 4) data[i] = 255 }) : canvas
}

/** A finished photograph of the Plan's scene, without its texts, at exactly this size. */
export function paintScene(plan: Plan, width: number, height: number): Canvas {
  const work = workSize(width, height)
  const { layers, scene } = composeScene(plan, work.width, work.height)
  const canvas = flatten(layers, work.width, work.height)
  for (const layer of layers) release(layer.canvas)
  scene.finish?.(canvas)
  if (plan.style === 'photo') finishPhoto(canvas, { seed: plan.seed, bloom: scene.bloom ?? 0.26, vignette: scene.vignette ?? 0.16 })
  const result = resizeCanvas(canvas, width, height)
  if (result !== canvas) release(canvas)
  return result
}

/** The whole picture. */
export function paint(plan: Plan, width: number, height: number): Canvas {
  const canvas = plan.style === 'photo' ? paintPlain(plan, width, height) : drawnWithin(stylePixelsMax, width, height, (w, h) => {
    const plain = paintPlain(plan, w, h)
    const styled = applyStyle(plain, plan.style, plan.seed)
    if (styled !== plain) release(plain)
    return styled
  })
  if (plan.kind === 'scene') drawOverlay(plan, canvas)
  return canvas
}

/** Filters hold several copies of a picture; beyond this they get a smaller one, and what they made is enlarged. */
const stylePixelsMax = 1600 * 1600

/** Before its style. */
function paintPlain(plan: Plan, width: number, height: number): Canvas {
  switch (plan.kind) {
    case 'poster': return drawPoster(plan, width, height, paintScene)
    case 'infographic': return drawInfographic(plan, width, height)
    case 'logo': return drawLogo(plan, width, height)
    case 'icon': return drawIcon(plan, width, height)
    case 'pattern': return drawPattern(plan, width, height)
    case 'scene': return paintScene(plan, width, height)
  }
}

const captionMax = 140

/** Quoted words over a scene; and where nothing of the prompt could be drawn, the prompt itself in a small band. */
function drawOverlay(plan: Plan, canvas: Canvas): void {
  const { width, height } = canvas
  const context = canvas.getContext('2d')
  const gold = plan.textColour !== null && plan.features.includes('gold')
  plan.texts.slice(0, 4).forEach((text, index) => {
    const row = Math.min(0.16, 0.5 / plan.texts.length)
    drawText(context, text, {
      x: width * 0.06, y: height * (0.05 + index * row), width: width * 0.88, height: height * row * 0.94, face: faceOf(plan),
      fill: plan.textColour ?? '#ffffff', gold, shadow: plan.textColour && luminance(hex(plan.textColour)) < 90 ? 'rgba(255,255,255,0.7)' : 'rgba(0,0,0,0.65)',
    })
  })
  if (isDrawn(plan) || !plan.prompt.trim()) return
  const band = Math.max(14, Math.min(height * 0.09, width * 0.075))
  const caption = plan.prompt.trim().replace(/\s+/g, ' ')
  context.fillStyle = css(multiply(scale([255, 255, 255], 0.06), [255, 255, 255]), 0.62)
  context.fillRect(0, height - band, width, band)
  drawText(context, caption.length > captionMax ? `${caption.slice(0, captionMax - 1)}…` : caption, {
    x: width * 0.04, y: height - band * 0.9, width: width * 0.92, height: band * 0.8, face: 'sans', fill: '#ffffff', maxLines: 2, maxSize: band * 0.4,
  })
}

/** Whether anything of the prompt is in the picture. */
export const isDrawn = (plan: Plan): boolean => plan.subjects.length > 0 || plan.named.setting || plan.named.time || plan.texts.length > 0 || plan.weather.length > 0 || plan.background !== null
