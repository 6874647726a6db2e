/** What edits and videos need of a plan's picture beyond the whole of it: places without people, and film laid on after. */
import { workSize } from './compose.ts'
import { makeCanvas, resizeCanvas } from './kernel/canvas.ts'
import type { Canvas } from './kernel/canvas.ts'
import { layOver } from './kernel/composite.ts'
import type { Plan } from './plan/plan.ts'
import { scenes } from './scenes/scenes.ts'
import type { Scene } from './scenes/scene.ts'
import { finishPhoto } from './styles/finish.ts'
import { applyStyle, isStyle } from './styles/style.ts'

/** A place with nobody in it. */
export function makeScene(plan: Plan, width: number, height: number): Scene {
  return scenes[plan.setting](emptied(plan, width, height), width, height)
}

export const emptied = (plan: Plan, width: number, height: number): Plan => ({ ...plan, kind: 'scene', subjects: [], texts: [], width, height })

/** Things laid over an empty place, developed as one picture. `things` are drawn at the size they are handed. */
export function stage(plan: Plan, width: number, height: number, things: (scene: Scene, width: number, height: number) => Canvas[]): Canvas {
  const work = workSize(width, height)
  const scene = makeScene(plan, work.width, work.height)
  const canvas = layOver(makeCanvas(work.width, work.height), [...scene.layers.map((layer) => layer.canvas), ...things(scene, work.width, work.height)])
  scene.finish?.(canvas)
  return resizeCanvas(develop(canvas, plan, scene), width, height)
}

/** The film and the style of a plan over a picture composed by hand. */
export function develop(canvas: Canvas, plan: Pick<Plan, 'style' | 'seed'>, scene: Pick<Scene, 'bloom' | 'vignette'>): Canvas {
  if (isStyle(plan.style)) return applyStyle(canvas, plan.style, plan.seed)
  return finishPhoto(canvas, { seed: plan.seed, bloom: scene.bloom ?? 0.26, vignette: scene.vignette ?? 0.16 })
}
