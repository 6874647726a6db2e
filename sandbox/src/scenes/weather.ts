import { linearGradient, makeCanvas, softened } from '../kernel/canvas.ts'
import { css } from '../kernel/colour.ts'
import { pow, tau } from '../kernel/math.ts'
import { Random } from '../kernel/random.ts'
import type { Plan } from '../plan/plan.ts'
import type { Layer } from './scene.ts'

/** Rain, falling snow and fog as layers over everything. */
export function weatherLayers(plan: Plan, width: number, height: number): Layer[] {
  const random = new Random(plan.seed).fork('weather')
  const unit = Math.min(width, height)
  const crowd = Math.min(16, Math.max(width, height) / unit)
  const layers: Layer[] = []
  if (plan.weather.includes('fog') && plan.setting !== 'studio') {
    const canvas = makeCanvas(width, height)
    const context = canvas.getContext('2d')
    const tone: [number, number, number] = plan.time === 'night' ? [70, 84, 116] : [225, 230, 235]
    context.fillStyle = linearGradient(context, [0, height * 0.2], [0, height], [[0, css(tone, 0)], [0.42, css(tone, 0.62)], [0.7, css(tone, 0.38)], [1, css(tone, 0.12)]])
    context.fillRect(0, 0, width, height)
    layers.push({ name: 'fog', depth: 0.5, canvas })
  }
  if (plan.weather.includes('rain')) {
    const canvas = makeCanvas(width, height)
    const context = canvas.getContext('2d')
    for (let i = 0; i < 950 * crowd; i++) {
      const x = random.range(-0.1, 1) * width
      const y = random.range(-0.1, 1) * height
      const long = unit * random.range(0.015, 0.05)
      context.strokeStyle = css([212, 222, 236], random.range(0.15, 0.4))
      context.lineWidth = Math.max(0.5, unit * random.range(0.0006, 0.0018))
      context.beginPath()
      context.moveTo(x, y)
      context.lineTo(x + long * 0.18, y + long)
      context.stroke()
    }
    layers.push({ name: 'rain', depth: 0.15, canvas })
  }
  if (plan.weather.includes('snowfall') || (plan.setting === 'snow' && random.chance(0.7))) {
    for (const [near, count] of [[0.5, 320], [1.6, 70]] as const) {
      const canvas = makeCanvas(width, height)
      const context = canvas.getContext('2d')
      for (let i = 0; i < count * crowd; i++) {
        context.fillStyle = css([255, 255, 255], random.range(0.4, 0.95))
        context.beginPath()
        context.arc(random.range(0, width), random.range(0, height), (unit * pow(random.next(), 3) * 0.008 + unit * 0.0012) * near + 0.3, 0, tau)
        context.fill()
      }
      layers.push({ name: near > 1 ? 'snow-near' : 'snow-far', depth: near > 1 ? 0.05 : 0.3, canvas: near > 1 ? softened(canvas, unit * 0.002) : canvas })
    }
  }
  return layers
}
