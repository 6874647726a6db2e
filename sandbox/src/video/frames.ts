/**
 * Frames of a camera move over layers: drawn from a plan, or cut from one picture.
 *
 * Motion is the camera's only. Layers are developed once, since film over every frame would take longer than the rest
 * of the work together; the corners are darkened by one shared veil.
 */
import { composeScene, paint } from '../compose.ts'
import { makeCanvas, readPixels, shadePixels } from '../kernel/canvas.ts'
import type { Canvas } from '../kernel/canvas.ts'
import { sin } from '../kernel/math.ts'
import { cover } from '../edit/frame.ts'
import { boundsOf, cutOut, fillFromAround } from '../edit/mask.ts'
import { segment } from '../edit/segment.ts'
import { softened } from '../styles/pixels.ts'
import type { Plan } from '../plan/plan.ts'
import { overscan, placeLayer } from './camera.ts'
import type { Move } from './camera.ts'

export interface Plate {
  canvas: Canvas
  depth: number
  /** Breathes a little: a living thing, not scenery. */
  isAlive: boolean
}

export interface Shot {
  plates: Plate[]
  /** Laid over every frame, unmoved. */
  veil: Canvas | null
  maskConfidence?: number
}

/** The layers of a plan, larger than the frame. Flat graphics and styled pictures are one plate: a style has no depth. */
export function shootPlan(plan: Plan, width: number, height: number): Shot {
  const w = Math.round(width * overscan)
  const h = Math.round(height * overscan)
  if (plan.kind !== 'scene' || plan.style !== 'photo' || plan.texts.length > 0) return { plates: [{ canvas: paint(plan, w, h), depth: 0.6, isAlive: false }], veil: null }
  const { layers, scene } = composeScene(plan, w, h)
  const plates = layers.map(({ name, depth, canvas }) => ({ canvas: punchUp(canvas), depth, isAlive: name.startsWith('subject') }))
  // Light over everything is kept on the farthest plate only: there it comes from.
  if (plates[0]) scene.finish?.(plates[0].canvas)
  return { plates, veil: makeVeil(width, height, scene.vignette ?? 0.16) }
}

/** Two plates from one picture: its subject, and what is likely behind it. A doubtful cut gives one plate, honest and flat. */
export function shootPicture(picture: Canvas, width: number, height: number): Shot {
  const canvas = cover(picture, Math.round(width * overscan), Math.round(height * overscan))
  const { mask, confidence } = segment(canvas)
  const flat: Plate = { canvas, depth: 0.6, isAlive: false }
  if (confidence < 0.35 || mask === canvas || !boundsOf(mask)) return { plates: [flat], veil: null, maskConfidence: confidence }
  const wide = shadePixels(softened(mask, canvas.width * 0.008), (data) => {
    for (let i = 3; i < data.length; i += 4) data[i] = Math.min(255, data[i]! * 3)
  })
  return {
    plates: [
      { canvas: fillFromAround(canvas, wide), depth: 0.85, isAlive: false },
      { canvas: cutOut(canvas, mask), depth: 0.45, isAlive: false },
    ],
    veil: null,
    maskConfidence: confidence,
  }
}

/** The frames one after another, as RGB. */
export async function* film(shot: Shot, move: Move, { width, height, count, fps, last, pause }: {
  width: number; height: number; count: number; fps: number; last: Canvas | null; pause(): Promise<void>
}): AsyncGenerator<Uint8Array> {
  const frame = makeCanvas(width, height)
  const context = frame.getContext('2d')
  context.imageSmoothingEnabled = true
  context.imageSmoothingQuality = 'medium'
  for (let index = 0; index < count; index++) {
    const t = count > 1 ? index / (count - 1) : 0
    for (const { canvas, depth, isAlive } of shot.plates) {
      const { x, y, width: w, height: h } = placeLayer(move, t, depth, width, height)
      context.drawImage(canvas, x, y + (isAlive ? sin((index / fps) * 4) * height * 0.0018 : 0), w, h)
    }
    if (shot.veil) context.drawImage(shot.veil, 0, 0)
    if (last) {
      context.globalAlpha = Math.min(1, Math.max(0, (t - 0.35) / 0.6))
      context.drawImage(last, 0, 0)
      context.globalAlpha = 1
    }
    const rgba = readPixels(frame)
    const pixels = new Uint8Array(width * height * 3)
    for (let from = 0, to = 0; from < rgba.length; from += 4, to += 3) {
      pixels[to] = rgba[from]!
      pixels[to + 1] = rgba[from + 1]!
      pixels[to + 2] = rgba[from + 2]!
    }
    yield pixels
    await pause()
  }
}

/** The S-curve of the still pictures' film, on one layer. */
function punchUp(canvas: Canvas): Canvas {
  const curve = Uint8ClampedArray.from({ length: 256 }, (_, i) => {
    const t = i / 255
    return (t + (t * t * (3 - 2 * t) - t) * 0.22) * 255
  })
  return shadePixels(canvas, (data) => {
    for (let i = 0; i < data.length; i += 4) for (let channel = 0; channel < 3; channel++) data[i + channel] = curve[data[i + channel]!]!
  })
}

function makeVeil(width: number, height: number, strength: number): Canvas {
  return shadePixels(makeCanvas(width, height), (data) => {
    for (let y = 0; y < height; y++) for (let x = 0; x < width; x++) {
      const u = x / width - 0.5
      const v = y / height - 0.5
      const corner = (u * u + v * v) * 2
      data[(y * width + x) * 4 + 3] = Math.min(200, strength * corner * corner * 2.2 * 255)
    }
  })
}
