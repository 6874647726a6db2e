/**
 * Edits of our own pictures: their recipe draws the very layers again, so a mask is exact and nothing is guessed.
 *
 * A recipe arrives inside a file, and the file may have been changed since by a tool that kept its metadata. So the
 * recipe is only believed when what it draws looks like what came.
 */
import { composeScene, paint } from '../compose.ts'
import { makeCanvas, readPixels, resizeCanvas } from '../kernel/canvas.ts'
import type { Canvas } from '../kernel/canvas.ts'
import { layOver } from '../kernel/composite.ts'
import { stage } from '../picture.ts'
import type { Recipe } from '../provenance.ts'

const proofSide = 128
/** Mean difference in 8-bit levels up to which two drawings count as the same picture. */
const differenceMax = 14
/** Beyond this a small drawing settles it: another picture. Between, some scenes only look alike at the same size. */
const differenceDoubtful = 45

/** The recipe if the picture is still what it draws, else null. */
export function proven(recipe: Recipe | null, canvas: Canvas): Recipe | null {
  if (!recipe || recipe.plan.kind !== 'scene') return null
  const { width: planned, height: plannedHeight } = recipe.plan
  if (Math.abs(canvas.width / canvas.height - planned / plannedHeight) > 0.02) return null
  const shrink = Math.min(1, proofSide / Math.max(canvas.width, canvas.height))
  const width = Math.max(1, Math.round(canvas.width * shrink))
  const height = Math.max(1, Math.round(canvas.height * shrink))
  try {
    const given = readPixels(resizeCanvas(canvas, width, height))
    const differenceAt = (w: number, h: number) => differenceOf(readPixels(resizeCanvas(drawRecipe(recipe, w, h), width, height)), given)
    const quick = differenceAt(width * 2, height * 2)
    if (quick <= differenceMax) return recipe
    return quick <= differenceDoubtful && differenceAt(canvas.width, canvas.height) <= differenceMax ? recipe : null
  } catch {
    // Well-formed, yet nothing we could draw: somebody else's idea of a recipe.
    return null
  }
}

function differenceOf(a: Uint8ClampedArray, b: Uint8ClampedArray): number {
  let sum = 0
  for (let i = 0; i < a.length; i += 4) for (let channel = 0; channel < 3; channel++) sum += Math.abs(a[i + channel]! - b[i + channel]!)
  return sum / (a.length * 0.75)
}

export function drawRecipe({ plan, backdrop }: Recipe, width: number, height: number): Canvas {
  if (!backdrop) return paint(plan, width, height)
  return stage({ ...backdrop, style: plan.style }, width, height, (_, w, h) => subjectLayers(plan, w, h))
}

export function subjectLayers(plan: Recipe['plan'], width: number, height: number): Canvas[] {
  return composeScene(plan, width, height).layers.filter(({ name }) => name.startsWith('subject')).map(({ canvas }) => canvas)
}

/** The things in the picture, undeveloped, on nothing; null when there are none. */
export function subjectsOf({ plan }: Recipe, width: number, height: number): Canvas | null {
  const layers = subjectLayers(plan, width, height)
  return layers.length ? layOver(makeCanvas(width, height), layers) : null
}
