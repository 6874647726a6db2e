/** Steps as cards: a number, an icon, the label, and what joins them. Only words from the prompt are written. */
import { iconCanvas } from '../icons.ts'
import { linearGradient, makeCanvas } from '../kernel/canvas.ts'
import type { Canvas } from '../kernel/canvas.ts'
import { css, hsl, mix } from '../kernel/colour.ts'
import { tau } from '../kernel/math.ts'
import { Random } from '../kernel/random.ts'
import { lookup } from '../plan/lexicon.ts'
import type { Plan } from '../plan/plan.ts'
import { singulars } from '../plan/tokens.ts'
import { iconOfModel, icons, models } from '../plan/words/things.ts'
import { drawText } from '../type/draw.ts'
import { capitalised } from './lettering.ts'

/** For steps that were only counted. */
const usual = [['Plan', '1f4dd'], ['Build', '1f6e0'], ['Launch', '1f680'], ['Measure', '1f4c8'], ['Share', '1f4e3'], ['Celebrate', '1f389']] as const

/** Deeds have no icon of their own; these stand for them. */
const deeds: Record<string, string> = {
  grind: '2699', brew: '1fad6', pour: '1fad6', enjoy: '1f60b', harvest: '1f33e', design: '1f3a8', idea: '1f4a1', research: '1f50d', test: '1f9ea', ship: '1f680', launch: '1f680', build: '1f6e0',
  plan: '1f4dd', cook: '1f373', mix: '1f963', bake: '1f35e', sign: '270d', pay: '1f4b3', call: '1f4de', write: '270d', read: '1f4d6', measure: '1f4cf', share: '1f4e3', reduce: '1f4c9',
  reuse: '1f501', recycle: '267b', sort: '1f5c2', wash: '1f9fc', clean: '1f9f9', buy: '1f6d2', sell: '1f4b0', save: '1f4b0', learn: '1f4da', sleep: '1f634', run: '1f3c3', grow: '1f331',
  seed: '1f331', water: '1f4a7', cut: '2702', search: '1f50d', upload: '1f4e4', download: '1f4e5', send: '1f4e8', check: '2705', review: '1f50d', connect: '1f517', think: '1f4ad', listen: '1f442',
}

function iconFor(label: string, fallback: string): string {
  const words = label.toLowerCase().match(/[\p{L}\p{M}]+/gu) ?? []
  for (const find of [
    (word: string) => { const model = models.get(word); return model ? iconOfModel[model] : undefined },
    (word: string) => icons.get(word),
    (word: string) => deeds[word],
    (word: string) => (word.length > 3 ? (lookup(word) ?? undefined) : undefined),
  ]) {
    for (const word of words.toReversed()) {
      for (const form of singulars(word)) {
        const icon = find(form)
        if (icon) return icon
      }
    }
  }
  return fallback
}

export function drawInfographic(plan: Plan, width: number, height: number): Canvas {
  const canvas = makeCanvas(width, height)
  const context = canvas.getContext('2d')
  const unit = Math.min(width, height)
  const random = new Random(plan.seed).fork('infographic')
  const hue = random.range(0, 360)
  const ground = hsl(hue, 0.35, 0.96)
  const ink = hsl(hue, 0.5, 0.18)
  context.fillStyle = plan.background ?? css(ground)
  context.fillRect(0, 0, width, height)
  const steps = plan.steps.length > 0 ? plan.steps : ['', '', '']
  const count = steps.length
  const title = plan.texts[0] ?? plan.topic ?? `${count} simple steps`
  drawText(context, title, { x: width * 0.06, y: height * 0.035, width: width * 0.88, height: height * 0.13, face: 'sans', fill: css(ink), maxSize: unit * 0.085 })
  context.fillStyle = css(hsl(hue, 0.7, 0.55))
  context.fillRect(width / 2 - unit * 0.05, height * 0.178, unit * 0.1, unit * 0.008)
  const isWide = width / height > 1.15
  const pad = unit * 0.014
  steps.forEach((step, index) => {
    const [usualLabel, usualIcon] = usual[index % usual.length]!
    const label = capitalised(step || usualLabel)
    const colour = hsl(hue + index * (210 / count), 0.62, 0.52)
    const icon = iconFor(step, usualIcon)
    const w = isWide ? (width * 0.88) / count : width * 0.88
    const h = isWide ? height * 0.68 : (height * 0.74) / count
    const x = isWide ? width * 0.06 + index * w : width * 0.06
    const y = isWide ? height * 0.24 : height * 0.215 + index * h
    context.save()
    context.fillStyle = '#fff'
    context.shadowColor = 'rgba(20,20,60,.14)'
    context.shadowBlur = unit * 0.02
    context.shadowOffsetY = unit * 0.006
    context.beginPath()
    context.roundRect(x + pad, y + pad, w - 2 * pad, h - 2 * pad, unit * 0.028)
    context.fill()
    context.restore()
    context.fillStyle = css(colour)
    context.beginPath()
    if (isWide) context.roundRect(x + pad, y + pad, w - 2 * pad, unit * 0.02, [unit * 0.028, unit * 0.028, 0, 0])
    else context.roundRect(x + pad, y + pad, unit * 0.02, h - 2 * pad, [unit * 0.028, 0, 0, unit * 0.028])
    context.fill()
    const radius = isWide ? Math.min(w * 0.27, h * 0.22) : Math.min(h * 0.33, w * 0.16)
    const cx = isWide ? x + w / 2 : x + pad * 2 + radius * 1.5
    const cy = isWide ? y + h * 0.37 : y + h / 2
    context.fillStyle = linearGradient(context, [cx - radius, cy - radius], [cx + radius, cy + radius], [[0, css(mix(colour, [255, 255, 255], 0.75))], [1, css(mix(colour, [255, 255, 255], 0.5))]])
    context.beginPath()
    context.arc(cx, cy, radius, 0, tau)
    context.fill()
    const art = iconCanvas(icon, Math.round(radius * 1.15))
    if (art) context.drawImage(art, cx - art.width / 2, cy - art.height / 2)
    context.fillStyle = css(colour)
    context.beginPath()
    context.arc(cx - radius * 0.78, cy - radius * 0.72, radius * 0.34, 0, tau)
    context.fill()
    drawText(context, String(index + 1), { x: cx - radius * 1.08, y: cy - radius * 0.99, width: radius * 0.6, height: radius * 0.54, face: 'sans', fill: '#fff' })
    const textBox = isWide
      ? { x: x + w * 0.1, y: y + h * 0.64, width: w * 0.8, height: h * 0.27, align: 'center' as const, maxSize: unit * 0.05 }
      : { x: cx + radius * 1.45, y: y + h * 0.18, width: x + w - pad * 3 - (cx + radius * 1.45), height: h * 0.64, align: 'left' as const, maxSize: unit * 0.06 }
    drawText(context, label, { ...textBox, face: 'sans', fill: css(ink), maxLines: 3 })
    if (index === count - 1) return
    context.fillStyle = css(colour)
    context.beginPath()
    if (isWide) {
      context.moveTo(x + w - unit * 0.016, cy - unit * 0.02)
      context.lineTo(x + w + unit * 0.018, cy)
      context.lineTo(x + w - unit * 0.016, cy + unit * 0.02)
    } else {
      context.moveTo(cx - unit * 0.02, y + h - unit * 0.014)
      context.lineTo(cx, y + h + unit * 0.016)
      context.lineTo(cx + unit * 0.02, y + h - unit * 0.014)
    }
    context.fill()
  })
  return canvas
}
