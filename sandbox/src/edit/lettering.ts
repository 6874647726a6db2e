/** Text put on a picture: where it was asked for, in the face the words suggest, legible on what is there. */
import { copyCanvas, readPixels } from '../kernel/canvas.ts'
import type { Canvas } from '../kernel/canvas.ts'
import { hex, luminance } from '../kernel/colour.ts'
import type { Plan } from '../plan/plan.ts'
import { drawText } from '../type/draw.ts'
import type { Place } from './instruction.ts'

export interface Lettering {
  texts: string[]
  place: Place
  colour: string | null
  plan: Pick<Plan, 'lettering'>
  isGold: boolean
  isLarge: boolean
}

export function addTexts(canvas: Canvas, { texts, place, colour, plan, isGold, isLarge }: Lettering): Canvas {
  const result = copyCanvas(canvas)
  const context = result.getContext('2d')
  const { width, height } = canvas
  const isCorner = place.across !== 'center'
  const boxWidth = width * (isCorner ? 0.44 : 0.88)
  const boxHeight = height * (isLarge ? 0.3 : isCorner ? 0.17 : 0.19)
  const gap = height * 0.02
  const margin = Math.min(width, height) * 0.05
  const x = { left: margin, center: (width - boxWidth) / 2, right: width - boxWidth - margin }[place.across]
  const total = boxHeight * texts.length + gap * (texts.length - 1)
  const top = { top: margin, middle: (height - total) / 2, bottom: height - total - margin }[place.down]
  const neon = plan.lettering === 'neon' ? colour ?? '#ff3ea5' : undefined
  texts.forEach((text, row) => {
    const y = top + row * (boxHeight + gap)
    const isLight = brightnessIn(result, x, y, boxWidth, boxHeight) > 150
    const fill = colour ?? (isLight ? '#15171c' : '#ffffff')
    const isInkLight = luminance(hex(fill)) > 140
    // A halo of the opposite lightness: strong where ink and ground are alike, a breath where they are not.
    const clash = isInkLight === isLight
    drawText(context, text, {
      x, y, width: boxWidth, height: boxHeight,
      face: plan.lettering,
      align: place.across,
      verticalAlign: place.down,
      maxLines: 3,
      fill,
      gold: isGold,
      ...(neon ? { neon } : {}),
      ...(clash ? { stroke: isInkLight ? 'rgba(0,0,0,0.72)' : 'rgba(255,255,255,0.92)' } : {}),
      shadow: isInkLight ? 'rgba(0,0,0,0.55)' : 'rgba(255,255,255,0.6)',
    })
  })
  return result
}

function brightnessIn(canvas: Canvas, x: number, y: number, width: number, height: number): number {
  const data = readPixels(canvas)
  let sum = 0
  let count = 0
  const step = Math.max(1, Math.round(canvas.width / 300))
  for (let py = Math.max(0, y | 0); py < Math.min(canvas.height, y + height); py += step) for (let px = Math.max(0, x | 0); px < Math.min(canvas.width, x + width); px += step) {
    const i = (py * canvas.width + px) * 4
    sum += luminance([data[i]!, data[i + 1]!, data[i + 2]!])
    count++
  }
  return count ? sum / count : 128
}

/** A band along the lower edge that says, in the picture itself, what was not done. */
export function addCaptionBand(canvas: Canvas, text: string): Canvas {
  const result = copyCanvas(canvas)
  const context = result.getContext('2d')
  const { width, height } = canvas
  const band = Math.max(12, Math.round(height * 0.075))
  context.fillStyle = 'rgba(16, 18, 23, 0.78)'
  context.fillRect(0, height - band, width, band)
  drawText(context, text, { x: band * 0.4, y: height - band * 0.86, width: width - band * 0.8, height: band * 0.72, face: 'body', fill: '#f4f4f5', align: 'left', maxLines: 2, maxSize: band * 0.42 })
  return result
}
