/** Motifs scattered on a grid that repeats, or, without any, tiles of quarter circles. */
import { iconCanvas } from '../icons.ts'
import { makeCanvas } from '../kernel/canvas.ts'
import type { Canvas } from '../kernel/canvas.ts'
import { css, hex, hsl, scale } from '../kernel/colour.ts'
import { tau } from '../kernel/math.ts'
import { Random } from '../kernel/random.ts'
import type { Plan } from '../plan/plan.ts'
import { recolour } from '../subjects/relief.ts'
import { markOf } from './logo.ts'

const repeats = 5

export function drawPattern(plan: Plan, width: number, height: number): Canvas {
  const canvas = makeCanvas(width, height)
  const context = canvas.getContext('2d')
  const random = new Random(plan.seed).fork('pattern')
  const ground = plan.background ? hex(plan.background) : hsl(random.range(0, 360), 0.4, 0.9)
  const unit = Math.min(width, height)
  context.fillStyle = css(ground)
  context.fillRect(0, 0, width, height)
  const motifs = plan.subjects.flatMap((subject) => {
    const icon = markOf(subject)
    return icon ? [{ icon, colour: subject.kind === 'person' ? null : subject.colour }] : []
  })
  if (motifs.length === 0) {
    const side = unit / 8
    const palette = [0, 1, 2, 3].map(() => hsl(random.range(0, 360), 0.55, random.range(0.35, 0.7)))
    for (let row = 0; row * side < height; row++) {
      for (let column = 0; column * side < width; column++) {
        const [x, y] = [column * side, row * side]
        context.fillStyle = css(palette[(column * 7 + row * 3) % 4]!)
        context.fillRect(x, y, side + 1, side + 1)
        const turn = (column + row) % 4
        context.save()
        context.beginPath()
        context.rect(x, y, side, side)
        context.clip()
        context.fillStyle = css(palette[(column * 3 + row * 5 + 1) % 4]!)
        context.beginPath()
        context.arc(x + (turn % 2) * side, y + (turn > 1 ? side : 0), side, 0, tau)
        context.fill()
        context.restore()
      }
    }
    return canvas
  }
  const side = unit / repeats
  const arts = motifs.map(({ icon, colour }) => {
    const art = iconCanvas(icon, Math.round(side * 0.6))
    return art && colour ? recolour(art, hex(colour)) : art
  })
  for (let row = -1; row < height / side + 1; row++) {
    for (let column = -1; column < width / side + 1; column++) {
      const own = new Random((plan.seed + ((column + repeats) % repeats) * 31 + ((row + repeats) % repeats) * 101) >>> 0)
      const art = arts[(column + row * 2 + repeats * 8) % arts.length]
      context.fillStyle = css(scale(ground, 0.86))
      for (let dot = 0; dot < 3; dot++) {
        context.beginPath()
        context.arc((column + own.next()) * side, (row + own.next()) * side, side * own.range(0.015, 0.04), 0, tau)
        context.fill()
      }
      if (!art) continue
      const size = art.width * own.range(0.86, 1.08)
      context.save()
      context.translate((column + 0.5 + (Math.abs(row) % 2 ? 0.5 : 0)) * side, (row + 0.5) * side)
      context.rotate(own.range(-0.5, 0.5))
      context.drawImage(art, -size / 2, -size / 2, size, size)
      context.restore()
    }
  }
  return canvas
}
