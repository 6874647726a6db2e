/** Hair over a photographed solid: some fifteen thousand strokes along its surface, each in the colour under it. */
import { copyCanvas, readPixels } from '../kernel/canvas.ts'
import { css } from '../kernel/colour.ts'
import { cos, sin } from '../kernel/math.ts'
import { fbm } from '../kernel/noise.ts'
import { Random } from '../kernel/random.ts'
import type { Shot } from './march.ts'

export function comb(shot: Shot, { seed, length, count }: { seed: number; length: number; count: number }): Shot {
  const { canvas, normals, furry } = shot
  const { width, height } = canvas
  const source = readPixels(canvas)
  const combed = copyCanvas(canvas)
  const context = combed.getContext('2d')
  context.lineCap = 'round'
  const random = new Random(seed).fork('fur')
  const places: number[] = []
  for (let i = 0; i < count * 6 && places.length < count; i++) {
    const at = Math.floor(random.next() * height) * width + Math.floor(random.next() * width)
    if (source[at * 4 + 3]! > 120 && furry[at]) places.push(at)
  }
  for (const at of places) {
    const x = at % width
    const y = Math.floor(at / width)
    const nx = normals[at * 2]!
    const ny = normals[at * 2 + 1]!
    // Hair follows the surface, then hangs.
    const ax = nx * 0.9
    const ay = ny * 0.9 + 0.6
    const curl = fbm((x / width) * 9, (y / height) * 9, (seed % 1000) + 4, 2) - 0.5
    const bx = ax * cos(curl * 2.2) - ay * sin(curl * 2.2)
    const by = ax * sin(curl * 2.2) + ay * cos(curl * 2.2)
    const size = Math.sqrt(bx * bx + by * by) || 1
    const long = length * width * random.range(0.5, 1.25) * (0.55 + 0.6 * Math.sqrt(nx * nx + ny * ny))
    const k = random.range(0.78, 1.2)
    context.strokeStyle = css([source[at * 4]! * k, source[at * 4 + 1]! * k, source[at * 4 + 2]! * k], 0.8 * random.range(0.35, 1))
    context.lineWidth = Math.max(0.5, width * 0.0016 * random.range(0.6, 1.4))
    const dx = (bx / size) * long
    const dy = (by / size) * long
    context.beginPath()
    context.moveTo(x - dx * 0.3, y - dy * 0.3)
    context.quadraticCurveTo(x + dx * 0.3 + curl * long * 0.5, y + dy * 0.3, x + dx * 0.7, y + dy * 0.7 + long * 0.15)
    context.stroke()
  }
  return { ...shot, canvas: combed }
}
