/** One subject as a cut-out with its shadow, ready to be placed. */
import { iconCanvas } from '../icons.ts'
import { blurCanvas, makeCanvas, resizeCanvas } from '../kernel/canvas.ts'
import type { Canvas } from '../kernel/canvas.ts'
import { css, hex } from '../kernel/colour.ts'
import { pow, tau } from '../kernel/math.ts'
import { Random } from '../kernel/random.ts'
import type { Subject } from '../plan/plan.ts'
import { iconOfModel } from '../plan/words/things.ts'
import type { Box, Light } from '../scenes/scene.ts'
import { comb } from './fur.ts'
import { photograph, shadowReach } from './march.ts'
import { models } from './models/models.ts'
import { bust } from './models/person.ts'
import { inkBox, recolour, relight } from './relief.ts'

export interface Cutout {
  /** `size` pixels square. */
  canvas: Canvas
  /** `shadowReach` times as wide, centred on the same point. */
  shadow: Canvas | null
  /** What a polished floor shows of it, framed as the shadow is; null where it is to be flipped. */
  reflection: Canvas | null
  /** What is visible in it, in fractions of the square. */
  box: Box
}

export interface CutoutOptions {
  size: number
  light: Light
  seed: number
  /** The marcher never works at more pixels a side. */
  marchMax: number
  /** A person from head to foot. */
  isWhole?: boolean
  /** The floor mirrors. */
  isMirrored?: boolean
  /** Drawn as it is, without light: for signs and stickers. */
  isFlat?: boolean
}

/** The subject, or null where we have neither model nor icon. */
export function cutOut(subject: Subject, { size, light, seed, marchMax, isWhole = false, isMirrored = false, isFlat = false }: CutoutOptions): Cutout | null {
  const random = new Random(seed)
  const model = subject.kind === 'model' ? models[subject.model] : undefined
  if (subject.kind === 'person' || model) {
    const side = Math.max(24, Math.min(Math.round(size), marchMax))
    const solid = subject.kind === 'person' ? bust(subject.person, isWhole) : model!.solid(subject.kind === 'model' && subject.colour ? hex(subject.colour) : null, random.fork('solid'))
    const yaw = model ? random.range(model.yaw[0], model.yaw[1]) : random.range(-0.45, 0.45)
    const view = { yaw, pitch: model?.pitch ?? 0.1, light, seed }
    let shot = photograph(solid, side, view)
    // Faint and soft as it is, a third of the pixels will do.
    const mirrored = isMirrored && solid.stands ? photograph(solid, Math.max(16, Math.round((side * shadowReach) / 3)), { ...view, isMirrored: true }).canvas : null
    if (model?.fur) shot = comb(shot, { seed, length: model.fur.length, count: Math.round(15_000 * pow(side / 560, 1.3)) })
    const [left, top, right, bottom] = inkBox(shot.canvas)
    return {
      canvas: resizeCanvas(shot.canvas, size, size),
      shadow: shot.shadow && resizeCanvas(shot.shadow, size * shadowReach, size * shadowReach),
      reflection: mirrored && resizeCanvas(mirrored, size * shadowReach, size * shadowReach),
      box: [left / side, top / side, right / side, bottom / side],
    }
  }
  const icon = subject.kind === 'icon' ? subject.icon : subject.kind === 'model' ? iconOfModel[subject.model] : undefined
  return icon ? iconCutout(icon, subject.colour ? hex(subject.colour) : null, { size, light, seed, isFlat, isTurned: random.chance(0.5) }) : null
}

function iconCutout(icon: string, colour: [number, number, number] | null, { size, light, seed, isFlat, isTurned }: { size: number; light: Light; seed: number; isFlat: boolean; isTurned: boolean }): Cutout | null {
  const side = Math.min(1024, Math.max(16, Math.round(size)))
  // A margin, so that what is blown up at the rim is not cut off.
  const art = iconCanvas(icon, side * 0.8)
  if (!art) return null
  const canvas = makeCanvas(side, side)
  const context = canvas.getContext('2d')
  if (isTurned && !isFlat) {
    context.translate(side, 0)
    context.scale(-1, 1)
  }
  context.drawImage(art, Math.round((side - art.width) / 2), Math.round((side - art.height) / 2))
  if (colour) recolour(canvas, colour)
  if (!isFlat) relight(canvas, light, seed)
  const [left, top, right, bottom] = inkBox(canvas)
  const shadow = makeCanvas(side * shadowReach, side * shadowReach)
  const margin = (side * (shadowReach - 1)) / 2
  const dark = shadow.getContext('2d')
  const middle = (left + right) / 2
  const wide = right - left
  // Contact right under it, and a wider, softer pool thrown away from the light.
  for (const [shift, half, tall, alpha] of [[0.16, 0.56, 0.06, 0.3], [0.07, 0.46, 0.038, 0.42], [0, 0.34, 0.018, 0.6]] as const) {
    dark.fillStyle = css([0, 0, 0], alpha)
    dark.beginPath()
    dark.ellipse(margin + middle - light.key[0] * side * shift * 0.5, margin + bottom - side * 0.008, wide * half, side * tall, 0, 0, tau)
    dark.fill()
  }
  return {
    canvas: resizeCanvas(canvas, size, size),
    shadow: resizeCanvas(blurCanvas(shadow, side * 0.018), size * shadowReach, size * shadowReach),
    reflection: null,
    box: [left / side, top / side, right / side, bottom / side],
  }
}
