/** The styles a prompt may ask for, as filters over any picture: ours or a photo. */
import { copyCanvas, makeCanvas, release, resizeCanvas } from '../kernel/canvas.ts'
import type { Canvas } from '../kernel/canvas.ts'
import { cartoon, lineart, pencil } from './drawing.ts'
import { oil, watercolor } from './paint.ts'
import { halftone, pixelArt } from './print.ts'
import { blackAndWhite, cyberpunk, duotone, vintage } from './tone.ts'

const filters = {
  watercolor,
  oil,
  pencil,
  cartoon,
  pixel: pixelArt,
  bw: blackAndWhite,
  vintage,
  lineart,
  duotone,
  cyberpunk,
  halftone,
  // The planner's shorter names.
  cyber: cyberpunk,
  popart: halftone,
} satisfies Record<string, (canvas: Canvas, seed: number) => Canvas>

export type Style = keyof typeof filters

export const styleNames = Object.keys(filters) as Style[]

export const isStyle = (name: string): name is Style => Object.hasOwn(filters, name)

/** Brush work has a size of its own: beyond this, strokes would be too fine to see and slow to paint. */
const sideMax = 1600
const anySize = new Set<Style>(['bw', 'vintage', 'duotone', 'cyberpunk', 'cyber', 'halftone', 'popart'])

/** A new canvas in that style, as large as the given one, with its alpha kept. An unknown style changes nothing. */
export function applyStyle(canvas: Canvas, style: string, seed: number): Canvas {
  if (!isStyle(style)) return copyCanvas(canvas)
  const { width, height } = canvas
  const shrink = anySize.has(style) ? 1 : Math.min(1, sideMax / Math.max(width, height))
  const ground = makeCanvas(width, height)
  const context = ground.getContext('2d')
  context.fillStyle = '#fff'
  context.fillRect(0, 0, width, height)
  context.drawImage(canvas, 0, 0)
  const small = resizeCanvas(ground, width * shrink, height * shrink)
  const filtered = filters[style](small, seed)
  const styled = resizeCanvas(filtered, width, height)
  for (const spent of new Set([ground, small, filtered])) if (spent !== styled) release(spent)
  const result = styled.getContext('2d')
  result.globalCompositeOperation = 'destination-in'
  result.drawImage(canvas, 0, 0)
  result.globalCompositeOperation = 'source-over'
  return styled
}
