/** Sets things cut from several pictures side by side in one scene, standing on its ground. */
import { makeCanvas, resizeCanvas } from '../kernel/canvas.ts'
import type { Canvas } from '../kernel/canvas.ts'
import { stage } from '../picture.ts'
import type { Plan } from '../plan/plan.ts'
import { boundsOf } from './mask.ts'

export function combine(cutouts: Canvas[], plan: Plan, width: number, height: number): Canvas {
  const pieces = cutouts.map(trim).filter((each) => each !== null)
  return stage(plan, width, height, (scene, w, h) => pieces.map((piece, index) => {
    const slot = (w * 0.88) / pieces.length
    const ground = scene.groundY * h
    const scale = Math.min((slot * 0.86) / piece.width, (h * 0.52) / piece.height)
    const pieceWidth = Math.max(1, Math.round(piece.width * scale))
    const pieceHeight = Math.max(1, Math.round(piece.height * scale))
    const middle = w * 0.06 + slot * (index + 0.5)
    const layer = makeCanvas(w, h)
    const context = layer.getContext('2d')
    drawShadow(context, middle, ground, pieceWidth * 0.47, h)
    context.drawImage(resizeCanvas(piece, pieceWidth, pieceHeight), Math.round(middle - pieceWidth / 2), Math.round(ground - pieceHeight + h * 0.004))
    return layer
  }))
}

/** Dark and tight where it touches, wide and faint around. */
export function drawShadow(context: ReturnType<Canvas['getContext']>, x: number, y: number, radius: number, height: number): void {
  for (const { blur, alpha, spread, depth } of [{ blur: 0.016, alpha: 0.3, spread: 1.08, depth: 0.02 }, { blur: 0.005, alpha: 0.55, spread: 0.9, depth: 0.008 }]) {
    context.save()
    context.filter = `blur(${(height * blur).toFixed(2)}px)`
    context.fillStyle = `rgba(18, 13, 9, ${alpha})`
    context.beginPath()
    context.ellipse(x, y, radius * spread, height * depth, 0, 0, 6.2832)
    context.fill()
    context.restore()
  }
}

export function trim(canvas: Canvas): Canvas | null {
  const bounds = boundsOf(canvas, 40)
  if (!bounds) return null
  const result = makeCanvas(bounds.width, bounds.height)
  result.getContext('2d').drawImage(canvas, -bounds.x, -bounds.y)
  return result
}
