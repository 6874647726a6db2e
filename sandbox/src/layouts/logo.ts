/** A mark and a name; or a mark on a tile, for an app. */
import { iconCanvas } from '../icons.ts'
import { linearGradient, makeCanvas, shadePixels } from '../kernel/canvas.ts'
import type { Canvas } from '../kernel/canvas.ts'
import type { Rgb } from '../kernel/colour.ts'
import { clamp, css, hex, hsl, luminance, smooth } from '../kernel/colour.ts'
import { cos, sin, tau } from '../kernel/math.ts'
import { Random } from '../kernel/random.ts'
import type { Plan, Subject } from '../plan/plan.ts'
import { iconOfModel } from '../plan/words/things.ts'
import { recolour } from '../subjects/relief.ts'
import { drawText } from '../type/draw.ts'
import { capitalised } from './lettering.ts'

/** The flat icon that stands for a subject. */
export function markOf(subject: Subject | undefined): string | null {
  switch (subject?.kind) {
    case undefined: return null
    case 'person': return subject.person.hat === 'helmet' ? '1f9d1-200d-1f680' : '1f642'
    case 'model': return iconOfModel[subject.model] ?? null
    case 'icon': return subject.icon
  }
}

const colourOf = (plan: Plan): string | null => {
  for (const subject of plan.subjects) if (subject.kind !== 'person' && subject.colour) return subject.colour
  return null
}

export function drawIcon(plan: Plan, width: number, height: number): Canvas {
  const canvas = makeCanvas(width, height)
  const context = canvas.getContext('2d')
  const random = new Random(plan.seed).fork('icon')
  const unit = Math.min(width, height)
  const hue = random.range(0, 360)
  const radius = unit * 0.4
  const [cx, cy] = [width / 2, height / 2]
  context.fillStyle = '#fff'
  context.fillRect(0, 0, width, height)
  const ground = plan.background ? hex(plan.background) : null
  context.save()
  context.shadowColor = 'rgba(20,20,50,.3)'
  context.shadowBlur = unit * 0.05
  context.shadowOffsetY = unit * 0.025
  context.fillStyle = linearGradient(context, [cx - radius, cy - radius], [cx + radius, cy + radius], ground
    ? [[0, css(ground)], [1, css([ground[0] * 0.72, ground[1] * 0.72, ground[2] * 0.72])]]
    : [[0, css(hsl(hue, 0.78, 0.62))], [1, css(hsl(hue + 45, 0.75, 0.42))]])
  context.beginPath()
  context.roundRect(cx - radius, cy - radius, 2 * radius, 2 * radius, radius * 0.45)
  context.fill()
  context.restore()
  context.fillStyle = linearGradient(context, [0, cy - radius], [0, cy], [[0, 'rgba(255,255,255,.35)'], [1, 'rgba(255,255,255,0)']])
  context.beginPath()
  context.roundRect(cx - radius, cy - radius, 2 * radius, radius, [radius * 0.45, radius * 0.45, radius, radius])
  context.fill()
  const art = iconCanvas(markOf(plan.subjects[0]) ?? '2728', Math.round(radius * 1.3))
  const wished = colourOf(plan)
  if (art && wished) recolour(art, hex(wished))
  if (art) {
    context.save()
    context.shadowColor = 'rgba(10,10,40,.35)'
    context.shadowBlur = unit * 0.02
    context.shadowOffsetY = unit * 0.012
    context.drawImage(art, cx - art.width / 2, cy - art.height / 2)
    context.restore()
  }
  return canvas
}

/** The icon in one ink: its dark parts solid, its bright parts left open. */
function stamp(icon: string, size: number, ink: Rgb): Canvas | null {
  const art = iconCanvas(icon, size)
  return art && shadePixels(art, (data) => {
    let sum = 0
    let seen = 0
    for (let i = 0; i < data.length; i += 4) {
      if (data[i + 3]! < 128) continue
      sum += luminance([data[i]!, data[i + 1]!, data[i + 2]!])
      seen++
    }
    // What is brighter than the icon's own middle is left open, so pale icons keep a drawing too.
    const middle = seen ? sum / seen : 128
    for (let i = 0; i < data.length; i += 4) {
      const tone = luminance([data[i]!, data[i + 1]!, data[i + 2]!])
      const share = 1 - 0.88 * smooth(middle - 6, middle + 46, tone)
      const isRim = data[i + 3]! < 200
      for (let c = 0; c < 3; c++) data[i + c] = ink[c]!
      data[i + 3] = data[i + 3]! * clamp(share + (isRim ? 0.5 : 0))
    }
  })
}

export function drawLogo(plan: Plan, width: number, height: number): Canvas {
  const canvas = makeCanvas(width, height)
  const context = canvas.getContext('2d')
  const random = new Random(plan.seed).fork('logo')
  const unit = Math.min(width, height)
  const hue = random.range(0, 360)
  const ground: Rgb = plan.background ? hex(plan.background) : random.chance(0.35) ? hsl(hue, 0.35, 0.12) : [250, 248, 244]
  const wished = colourOf(plan) ?? plan.textColour
  const ink: Rgb = wished ? hex(wished) : hsl(hue, 0.6, luminance(ground) < 110 ? 0.72 : 0.34)
  context.fillStyle = css(ground)
  context.fillRect(0, 0, width, height)
  const subject = plan.subjects[0]
  const icon = markOf(subject)
  const name = plan.texts[0] ?? capitalised(subject?.label ?? 'Studio')
  const style = random.int(0, 2)
  // Beside each other on a wide sheet, above each other otherwise.
  const isWide = width / height > 1.9
  const radius = unit * (isWide ? 0.3 : 0.21)
  const cx = isWide ? width * 0.5 - Math.min(width * 0.28, unit * 0.9) : width / 2
  const cy = isWide ? height / 2 : height * 0.4
  context.strokeStyle = css(ink)
  context.fillStyle = css(ink)
  context.lineWidth = unit * 0.012
  context.beginPath()
  if (style === 2) {
    for (let i = 0; i < 6; i++) context.lineTo(cx + cos((i / 6) * tau - tau / 4) * radius, cy + sin((i / 6) * tau - tau / 4) * radius)
    context.closePath()
    context.stroke()
  } else {
    context.arc(cx, cy, radius, 0, tau)
    if (style === 1) context.fill()
    else {
      context.stroke()
      context.lineWidth = unit * 0.004
      context.beginPath()
      context.arc(cx, cy, radius * 0.9, 0, tau)
      context.stroke()
    }
  }
  const art = icon ? stamp(icon, Math.round(radius * 1.16), style === 1 ? ground : ink) : null
  if (art) context.drawImage(art, cx - art.width / 2, cy - art.height / 2)
  else drawText(context, [...name][0]!, { x: cx - radius * 0.7, y: cy - radius * 0.7, width: radius * 1.4, height: radius * 1.4, face: 'serif', fill: css(style === 1 ? ground : ink) })
  const face = plan.lettering === 'display' || plan.lettering === 'neon' ? random.pick(['serif', 'sans', 'roman', 'cond'] as const) : plan.lettering
  if (isWide) {
    drawText(context, name, { x: cx + radius * 1.3, y: height * 0.3, width: width * 0.97 - cx - radius * 1.3, height: height * 0.4, face, fill: css(ink), align: 'left' })
  } else {
    drawText(context, name, { x: width * 0.08, y: height * 0.66, width: width * 0.84, height: height * 0.14, face, fill: css(ink) })
    context.fillStyle = css(ink)
    context.fillRect(cx - unit * 0.05, height * 0.82, unit * 0.1, unit * 0.004)
    if (plan.texts[1]) drawText(context, plan.texts[1], { x: width * 0.2, y: height * 0.84, width: width * 0.6, height: height * 0.05, face: 'body', fill: css(ink) })
  }
  return canvas
}
