/**
 * Sets type in a box: fitted, wrapped, shaped right to left where the script is, in plain ink, gold or neon.
 */
import type { SKRSContext2D } from '../kernel/canvas.ts'
import { css, hex, mix } from '../kernel/colour.ts'
import type { Face } from './faces.ts'
import { fitText, isRightToLeft } from './fit.ts'

export type { Face } from './faces.ts'
export { fitText, isRightToLeft } from './fit.ts'

export interface TextOptions {
  x: number
  y: number
  width: number
  height: number
  face?: Face
  /** Any CSS colour. */
  fill?: string
  align?: 'left' | 'center' | 'right'
  verticalAlign?: 'top' | 'middle' | 'bottom'
  maxLines?: number
  maxSize?: number
  /** Polished metal instead of `fill`. */
  gold?: boolean
  /** A lit tube of this colour (hex) instead of `fill`. */
  neon?: string
  /** Outline colour. */
  stroke?: string
  /** Shadow colour. */
  shadow?: string
}

/** Where the ink went, in pixels, and how it was set. */
export interface DrawnText {
  x: number
  y: number
  width: number
  height: number
  size: number
  lines: string[]
}

/** Draws `text` as large as it fits and says where. */
export function drawText(context: SKRSContext2D, text: string, options: TextOptions): DrawnText {
  const { x, y, width, height, face = 'sans', fill = '#111', align = 'center', verticalAlign = 'middle' } = options
  const { lines, size, family, leading } = fitText(context, text, face, options)
  context.save()
  context.font = `${size}px ${family}`
  context.textAlign = align
  context.textBaseline = 'alphabetic'
  context.direction = isRightToLeft(text) ? 'rtl' : 'ltr'
  context.lineJoin = 'round'
  const blockHeight = lines.length * size * leading
  const top = y + { top: 0, middle: (height - blockHeight) / 2, bottom: height - blockHeight }[verticalAlign]
  const anchor = { left: x, center: x + width / 2, right: x + width }[align]
  let drawnWidth = 0
  // Optical middle: between the baseline and the height of a capital, which differs much from face to face.
  const capital = Math.min(size, context.measureText('H').actualBoundingBoxAscent)
  lines.forEach((line, row) => {
    const measured = context.measureText(line)
    drawnWidth = Math.max(drawnWidth, measured.width)
    const baseline = top + row * size * leading + (size * leading + capital) / 2
    if (options.neon) drawTube(context, line, anchor, baseline, size, options.neon)
    else drawInk(context, line, anchor, baseline, size, { ...options, fill })
  })
  context.restore()
  const left = { left: x, center: x + (width - drawnWidth) / 2, right: x + width - drawnWidth }[align]
  return { x: left, y: top, width: drawnWidth, height: blockHeight, size, lines }
}

function drawInk(context: SKRSContext2D, line: string, x: number, baseline: number, size: number, { fill, gold, stroke, shadow }: TextOptions): void {
  if (shadow) {
    context.shadowColor = shadow
    context.shadowBlur = size * 0.12
    context.shadowOffsetY = size * 0.035
  }
  if (stroke) {
    context.lineWidth = size * 0.09
    context.strokeStyle = stroke
    context.strokeText(line, x, baseline)
    context.shadowColor = 'transparent'
  }
  context.fillStyle = gold ? goldGradient(context, baseline - size * 0.8, baseline + size * 0.06) : fill!
  context.fillText(line, x, baseline)
  context.shadowColor = 'transparent'
  if (!gold) return
  context.lineWidth = Math.max(0.5, size * 0.012)
  context.strokeStyle = 'rgba(92, 56, 8, 0.55)'
  context.strokeText(line, x, baseline)
}

/** A neon tube: three haloes, the coloured glass, and a white heart thin enough that the colour stays. */
function drawTube(context: SKRSContext2D, line: string, x: number, baseline: number, size: number, colour: string): void {
  context.fillStyle = colour
  context.shadowColor = colour
  for (const reach of [0.55, 0.28, 0.12]) {
    context.shadowBlur = size * reach
    context.fillText(line, x, baseline)
  }
  context.shadowColor = 'transparent'
  context.lineWidth = Math.max(1, size * 0.02)
  context.strokeStyle = colour
  context.strokeText(line, x, baseline)
  context.fillStyle = css(mix(hex(colour), [255, 255, 255], 0.88))
  context.fillText(line, x, baseline)
}

/** The gradient of polished gold between two heights: sky, horizon line, warm ground. */
export function goldGradient(context: SKRSContext2D, top: number, bottom: number) {
  const gradient = context.createLinearGradient(0, top, 0, bottom)
  const stops: [number, string][] = [[0, '#fff3c4'], [0.28, '#e9b949'], [0.48, '#b47b1e'], [0.52, '#fbe79c'], [0.75, '#d79a2b'], [1, '#8a5a12']]
  for (const [at, colour] of stops) gradient.addColorStop(at, colour)
  return gradient
}
