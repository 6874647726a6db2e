/** Posters: art deco, neon sign, a scene under a headline, or bold shapes in two colours; a strip when very wide. */
import { blurCanvas, drawnWithin, linearGradient, makeCanvas, release } from '../kernel/canvas.ts'
import type { Canvas, SKRSContext2D } from '../kernel/canvas.ts'
import { css, hex, luminance, mix, scale, toHex } from '../kernel/colour.ts'
import { glow, screenOver } from '../kernel/composite.ts'
import { cos, exp, sin, tau } from '../kernel/math.ts'
import { noise2 } from '../kernel/noise.ts'
import { Random } from '../kernel/random.ts'
import type { Plan } from '../plan/plan.ts'
import { finishPhoto } from '../styles/finish.ts'
import { drawText } from '../type/draw.ts'
import { capitalised, faceOf, palettes } from './lettering.ts'
import type { Palette } from './lettering.ts'

export type ScenePainter = (plan: Plan, width: number, height: number) => Canvas

/** Glow takes half a dozen layers of the whole picture: beyond this it is drawn smaller and enlarged, or a 4K sign would hold 1.6 GB. */
const glowPixelsMax = 2048 * 2048

export function drawPoster(plan: Plan, width: number, height: number, paintScene: ScenePainter): Canvas {
  const random = new Random(plan.seed).fork('poster')
  const texts = plan.texts.length > 0 ? plan.texts : [capitalised(plan.subjects[0]?.label ?? (plan.named.setting ? plan.setting : 'Poster'))]
  const hasScene = plan.subjects.length > 0 || (plan.named.setting && !['studio', 'abstract', 'table'].includes(plan.setting))
  const palette = paletteFor(plan, random)
  if (plan.lettering === 'neon') return drawnWithin(glowPixelsMax, width, height, (w, h) => neonSign(plan, texts, w, h))
  if (plan.lettering === 'deco' || (plan.features.includes('gold') && !hasScene)) return drawnWithin(glowPixelsMax, width, height, (w, h) => artDeco(plan, texts, palette, w, h))
  if (hasScene) return overScene(plan, texts, width, height, palette, paintScene)
  if (width / height > 2.6) return strip(plan, texts, palette, width, height)
  return shapes(plan, texts, palette, width, height)
}

function paletteFor(plan: Plan, random: Random): Palette {
  if (plan.background) {
    const ground = hex(plan.background)
    const isDark = luminance(ground) < 128
    return [plan.background, isDark ? '#fdf8ec' : '#1b1b22', isDark ? '#f2c14e' : '#c8402f', toHex(scale(ground, isDark ? 1.35 : 0.88))]
  }
  return plan.lettering === 'deco' || plan.features.includes('gold') ? palettes[random.pick([0, 5, 3])]! : random.pick(palettes)
}

function neonSign(plan: Plan, texts: string[], width: number, height: number): Canvas {
  const canvas = makeCanvas(width, height)
  const context = canvas.getContext('2d')
  const unit = Math.min(width, height)
  context.fillStyle = '#0c0a14'
  context.fillRect(0, 0, width, height)
  const brickWidth = unit * 0.09
  const brickHeight = brickWidth * 0.4
  for (let row = 0; row * brickHeight < height; row++) {
    for (let x = (-(row % 2) * brickWidth) / 2; x < width; x += brickWidth) {
      const tone = noise2((x / unit) * 700, row * 0.9 + row * 31, plan.seed % 99)
      context.fillStyle = css(mix([30, 20, 32], [70, 54, 56], tone))
      context.fillRect(x + unit * 0.0015, row * brickHeight + unit * 0.0015, brickWidth - unit * 0.003, brickHeight - unit * 0.003)
    }
  }
  const [tube, frame]: [[number, number, number], [number, number, number]] = plan.textColour ? [hex(plan.textColour), [57, 230, 255]] : [[255, 62, 165], [57, 230, 255]]
  const box = { x: width * 0.5 - Math.min(width * 0.41, height * 0.62), w: Math.min(width * 0.82, height * 1.24), y: height * 0.22, h: height * 0.48 }
  glow(canvas, { u: 0.5, v: 0.46 }, tube, 0.42, 0.6)
  const darkness = makeCanvas(width, height)
  const dim = darkness.getContext('2d')
  dim.fillStyle = linearGradient(dim, [0, 0], [0, height], [[0, 'rgba(5,4,12,.7)'], [0.35, 'rgba(5,4,12,0)'], [0.62, 'rgba(5,4,12,0)'], [1, 'rgba(5,4,12,.8)']])
  dim.fillRect(0, 0, width, height)
  context.drawImage(darkness, 0, 0)
  release(darkness)
  const light = makeCanvas(width, height)
  const lit = light.getContext('2d')
  lit.strokeStyle = css(frame)
  lit.lineWidth = unit * 0.012
  lit.beginPath()
  lit.roundRect(box.x, box.y, box.w, box.h, unit * 0.05)
  lit.stroke()
  for (const reach of [0.03, 0.008]) {
    const soft = blurCanvas(light, unit * reach)
    screenOver(canvas, soft)
    if (soft !== light) release(soft)
  }
  release(light)
  context.strokeStyle = css(mix(frame, [255, 255, 255], 0.65))
  context.lineWidth = unit * 0.006
  context.beginPath()
  context.roundRect(box.x, box.y, box.w, box.h, unit * 0.05)
  context.stroke()
  const first = texts[0]!
  // The tube face has capitals of Latin only.
  const face = /^[\x20-\x7e]+$/.test(first) ? 'neon' : 'display'
  drawText(context, first, { x: box.x + box.w * 0.07, y: box.y + box.h * 0.08, width: box.w * 0.86, height: box.h * 0.84, face, neon: toHex(tube) })
  texts.slice(1, 4).forEach((text, index) => drawText(context, text, { x: width * 0.15, y: height * (0.74 + index * 0.09), width: width * 0.7, height: height * 0.08, face: 'cond', neon: toHex(frame) }))
  return finishPhoto(canvas, { seed: plan.seed, bloom: 0.5, grain: 3, vignette: 0.3 })
}

/** A headline over the scene, in the calmest of the places it could stand. */
function overScene(plan: Plan, texts: string[], width: number, height: number, palette: Palette, paintScene: ScenePainter): Canvas {
  const isPlain = plan.setting === 'studio' || plan.setting === 'abstract' || !plan.named.setting
  const ground = plan.background ?? (isPlain ? palette[0] : null)
  const setting = isPlain && plan.setting !== 'space' && plan.setting !== 'underwater' ? 'studio' : plan.setting
  const canvas = paintScene({ ...plan, setting, background: ground, style: 'photo' }, width, height)
  const context = canvas.getContext('2d')
  const isLight = setting === 'studio' && ground !== null && luminance(hex(ground)) > 150
  const veil: [number, number, number] = isLight ? mix(hex(ground), [255, 255, 255], 0.25) : setting === 'studio' && ground ? scale(hex(ground), 0.5) : [10, 14, 26]
  context.fillStyle = linearGradient(context, [0, 0], [0, height * 0.46], [[0, css(veil, isLight ? 0.9 : 0.74)], [0.55, css(veil, isLight ? 0.6 : 0.42)], [1, css(veil, 0)]])
  context.fillRect(0, 0, width, height * 0.46)
  const gold = plan.features.includes('gold')
  const ink = plan.textColour ?? (isLight ? css(scale(hex(ground), 0.26)) : '#ffffff')
  const shadow = isLight ? {} : { shadow: 'rgba(0,0,0,0.5)' }
  drawText(context, texts[0]!, { x: width * 0.07, y: height * 0.05, width: width * 0.86, height: height * 0.22, face: faceOf(plan), fill: ink, gold, ...shadow })
  texts.slice(1, 4).forEach((text, index) => drawText(context, text, { x: width * 0.1, y: height * (0.28 + index * 0.075), width: width * 0.8, height: height * 0.065, face: 'cond', fill: ink, ...shadow }))
  const unit = Math.min(width, height)
  context.strokeStyle = plan.textColour ?? (isLight ? css(scale(hex(ground), 0.26), 0.55) : 'rgba(255,255,255,0.5)')
  context.lineWidth = Math.max(1, unit * 0.003)
  context.strokeRect(unit * 0.03, unit * 0.03, width - unit * 0.06, height - unit * 0.06)
  return canvas
}

function steppedFrame(context: SKRSContext2D, width: number, height: number, inset: number, notch: number): void {
  context.beginPath()
  const corners: [number, number, number, number][] = [[0, 0, 1, 1], [1, 0, -1, 1], [1, 1, -1, -1], [0, 1, 1, -1]]
  for (const [cornerX, cornerY, towardsX, towardsY] of corners) {
    const x = cornerX * width + towardsX * inset
    const y = cornerY * height + towardsY * inset
    const points: [number, number][] = [[x, y + towardsY * notch * 2], [x + towardsX * notch, y + towardsY * notch * 2], [x + towardsX * notch, y + towardsY * notch], [x + towardsX * notch * 2, y + towardsY * notch], [x + towardsX * notch * 2, y]]
    if (cornerX !== cornerY) points.reverse()
    for (const point of points) context.lineTo(...point)
  }
  context.closePath()
  context.stroke()
}

function artDeco(plan: Plan, texts: string[], palette: Palette, width: number, height: number): Canvas {
  const canvas = makeCanvas(width, height)
  const context = canvas.getContext('2d')
  const unit = Math.min(width, height)
  const ground = hex(palette[0])
  const accent = '#d9a441'
  context.fillStyle = palette[0]
  context.fillRect(0, 0, width, height)
  const centreX = width / 2
  const baseY = height * 0.98
  const rays = makeCanvas(width, height)
  const ray = rays.getContext('2d')
  for (let i = 0; i < 36; i++) {
    const angle = tau / 2 + (i / 35) * (tau / 2)
    ray.strokeStyle = i % 3 ? palette[3] : accent
    ray.lineWidth = unit * (i % 3 ? 0.012 : 0.004)
    ray.beginPath()
    ray.moveTo(centreX + cos(angle) * unit * 0.16, baseY + sin(angle) * unit * 0.16)
    ray.lineTo(centreX + cos(angle) * Math.max(width, height) * 1.2, baseY + sin(angle) * Math.max(width, height) * 1.2)
    ray.stroke()
  }
  context.globalAlpha = 0.55
  context.drawImage(rays, 0, 0)
  context.globalAlpha = 1
  context.fillStyle = linearGradient(context, [0, 0], [0, height], [[0, css(ground, 0.15)], [0.2, css(ground, 0.72)], [0.45, css(ground, 0.94)], [0.66, css(ground, 0.85)], [1, css(ground, 0.1)]])
  context.fillRect(0, 0, width, height)
  const gold = linearGradient(context, [0, 0], [width, height], ['#8a5a12', '#fbe79c', '#d79a2b', '#fff3c4', '#b47b1e'].map((colour, i) => [i / 4, colour] as const))
  context.strokeStyle = gold
  for (const [inset, line] of [[0.035, 0.006], [0.05, 0.0022], [0.062, 0.0022]] as const) {
    context.lineWidth = unit * line
    steppedFrame(context, width, height, unit * inset, unit * 0.05)
  }
  const strip = width / height > 1.9
  if (!strip) {
    for (let i = -1; i <= 1; i++) drawFan(context, centreX + i * unit * 0.17, height * 0.27 + Math.abs(i) * unit * 0.04, unit * (i ? 0.075 : 0.115), accent, unit)
  }
  drawText(context, texts[0]!, { x: width * 0.12, y: height * (strip ? 0.16 : 0.32), width: width * 0.76, height: height * (strip ? 0.42 : 0.3), face: 'deco', gold: true, shadow: 'rgba(0,0,0,0.6)', maxLines: strip ? 1 : 3 })
  context.fillStyle = accent
  const ruleY = height * 0.6465
  context.fillRect(centreX - unit * 0.26, ruleY, unit * 0.21, unit * 0.0035)
  context.fillRect(centreX + unit * 0.05, ruleY, unit * 0.21, unit * 0.0035)
  context.save()
  context.translate(centreX, ruleY)
  context.rotate(tau / 8)
  context.fillRect(-unit * 0.012, -unit * 0.012, unit * 0.024, unit * 0.024)
  context.restore()
  texts.slice(1, 4).forEach((text, index) => drawText(context, text, { x: width * 0.16, y: height * (0.67 + index * 0.065), width: width * 0.68, height: height * 0.055, face: 'roman', fill: '#f2e6c8' }))
  const random = new Random(plan.seed).fork('skyline')
  const towers = 15
  const towerWidth = Math.min(width * 0.052, unit * 0.07)
  for (let i = 0; i < towers; i++) {
    const x = centreX + (i - towers / 2) * towerWidth
    const tall = Math.min(height, unit * 1.25) * (0.05 + 0.12 * exp(-(((i - 7) / 3.2) ** 2)) + random.range(0, 0.03)) * (texts.length > 2 ? 0.5 : texts.length > 1 ? 0.72 : 1)
    context.fillStyle = palette[3]
    context.strokeStyle = accent
    context.lineWidth = unit * 0.0022
    for (let step = 0; step < 3; step++) {
      const wide = towerWidth * (0.9 - step * 0.26)
      const high = tall * (1 + step * 0.16)
      context.fillRect(x + towerWidth / 2 - wide / 2, height * 0.925 - high, wide, high)
      context.strokeRect(x + towerWidth / 2 - wide / 2, height * 0.925 - high, wide, high)
    }
  }
  return finishPhoto(canvas, { seed: plan.seed, bloom: 0.22, grain: 4, vignette: 0.3 })
}

function drawFan(context: SKRSContext2D, x: number, y: number, radius: number, accent: string, unit: number): void {
  context.strokeStyle = accent
  context.lineWidth = unit * 0.003
  for (let ring = 0; ring < 5; ring++) {
    context.beginPath()
    context.arc(x, y, radius * (1 - ring * 0.18), tau / 2, 0)
    context.stroke()
  }
  for (let i = 0; i <= 8; i++) {
    const angle = tau / 2 + (i / 8) * (tau / 2)
    context.beginPath()
    context.moveTo(x, y)
    context.lineTo(x + cos(angle) * radius, y + sin(angle) * radius)
    context.stroke()
  }
}

function strip(plan: Plan, texts: string[], [ground, ink, accent, second]: Palette, width: number, height: number): Canvas {
  const canvas = makeCanvas(width, height)
  const context = canvas.getContext('2d')
  context.fillStyle = ground
  context.fillRect(0, 0, width, height)
  for (let i = 0; i < 9; i++) {
    context.fillStyle = i % 2 ? accent : second
    context.beginPath()
    context.arc(width, height, height * (1.7 - i * 0.17), 0, tau)
    context.fill()
  }
  drawText(context, texts.join('   '), { x: width * 0.03, y: height * 0.08, width: width * 0.74, height: height * 0.84, face: faceOf(plan), fill: plan.textColour ?? ink, align: 'left', maxLines: 1 })
  return finishPhoto(canvas, { seed: plan.seed, bloom: 0, grain: 4, vignette: 0.1 })
}

/** Bold geometry under a headline, after the Swiss manner. */
function shapes(plan: Plan, texts: string[], [ground, ink, accent, second]: Palette, width: number, height: number): Canvas {
  const canvas = makeCanvas(width, height)
  const context = canvas.getContext('2d')
  const random = new Random(plan.seed).fork('shapes')
  const unit = Math.min(width, height)
  context.fillStyle = ground
  context.fillRect(0, 0, width, height)
  switch (random.int(0, 2)) {
    case 0: {
      context.fillStyle = accent
      context.beginPath()
      context.arc(width * random.range(0.3, 0.7), height * 0.64, unit * 0.31, 0, tau)
      context.fill()
      context.fillStyle = second
      context.fillRect(0, height * 0.64, width, height * 0.05)
      context.fillRect(0, height * 0.72, width, height * 0.02)
      break
    }
    case 1: {
      for (let i = 0; i < 9; i++) {
        context.fillStyle = i % 2 ? accent : i % 4 ? ground : second
        context.beginPath()
        context.arc(width * 0.5, height, unit * (0.6 - i * 0.06), 0, tau)
        context.fill()
      }
      break
    }
    default: {
      const columns = Math.max(3, Math.round((6 * width) / unit))
      const side = width / columns
      for (let column = 0; column < columns; column++) {
        for (let row = 0; height - (row + 1) * side >= height * 0.42; row++) {
          const x = column * side
          const y = height - (row + 1) * side
          context.fillStyle = random.pick([accent, second, ink])
          context.beginPath()
          switch (random.int(0, 3)) {
            case 0: context.moveTo(x, y); context.arc(x, y, side, 0, tau / 4); break
            case 1: context.moveTo(x + side, y + side); context.arc(x + side, y + side, side, tau / 2, tau * 0.75); break
            case 2: context.arc(x + side / 2, y + side / 2, side / 2, 0, tau); break
            default: context.rect(x, y, side / 2, side)
          }
          context.fill()
        }
      }
    }
  }
  drawText(context, texts[0]!, { x: width * 0.07, y: height * 0.06, width: width * 0.86, height: height * 0.32, face: faceOf(plan), fill: plan.textColour ?? ink, align: 'left', verticalAlign: 'top' })
  texts.slice(1, 4).forEach((text, index) => drawText(context, text, { x: width * 0.07, y: height * (0.9 - index * 0.07), width: width * 0.86, height: height * 0.06, face: 'cond', fill: plan.textColour ?? ink, align: 'left', stroke: ground }))
  return finishPhoto(canvas, { seed: plan.seed, bloom: 0, grain: 4, vignette: 0.1 })
}
