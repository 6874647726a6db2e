import { linearGradient, makeCanvas } from '../kernel/canvas.ts'
import type { SKRSContext2D } from '../kernel/canvas.ts'
import type { Rgb } from '../kernel/colour.ts'
import { clamp, css, gradientAt, lerp, luminance, mix, multiply, scale } from '../kernel/colour.ts'
import { glow } from '../kernel/composite.ts'
import { exp, pow, tau } from '../kernel/math.ts'
import { noise2 } from '../kernel/noise.ts'
import { Random } from '../kernel/random.ts'
import type { Plan } from '../plan/plan.ts'
import { daylights, outdoors } from './daylight.ts'
import type { Daylight } from './daylight.ts'
import { has } from './scene.ts'
import type { SceneMaker } from './scene.ts'
import { paintSky } from './sky.ts'

type Point = [number, number]

interface Building {
  x: number
  z: number
  /** Half its width, half its depth, its height; in street widths. */
  w: number
  d: number
  h: number
  isGlass: boolean
  tone: number
  random: Random
}

interface Camera {
  eyeY: number
  focal: number
  horizonY: number
  centreX: number
}

const blockStep = 1.9

const project = (camera: Camera, x: number, y: number, z: number): Point => [camera.centreX + (x / z) * camera.focal, camera.horizonY - ((y - camera.eyeY) / z) * camera.focal]

function placeBuildings(plan: Plan, isAerial: boolean, camera: Camera, reach: number): Building[] {
  const buildings: Building[] = []
  const centre = (plan.seed % 300) / 100
  for (let row = 0; row < 34; row++) {
    for (let column = -reach; column <= reach; column++) {
      const random = new Random(plan.seed * 7 + row * 977 + column * 131)
      if (random.chance(0.05)) continue
      if (!isAerial && Math.abs(column) < 1) continue
      const downtown = exp(-(((column - centre) / 7) ** 2) - ((row - 12) / 10) ** 2)
      const tall = (isAerial ? 0.9 : 1.4) + pow(random.next(), 2.6) * (isAerial ? 9 : 7) * (0.35 + downtown * 1.05) + (random.chance(0.08) ? 2.5 : 0)
      buildings.push({
        x: column * blockStep + random.bell() * 0.15,
        z: 3.2 + row * blockStep + (isAerial ? 1.2 : 1.5),
        w: random.range(0.52, 0.8),
        d: random.range(0.52, 0.8),
        h: isAerial ? Math.min(tall, camera.eyeY * 0.93 + (row > 9 ? 2.4 : 0)) : tall,
        isGlass: random.chance(has(plan, 'glass') ? 0.9 : 0.55),
        tone: random.next(),
        random,
      })
    }
  }
  return buildings.sort((a, b) => b.z - a.z || Math.abs(b.x) - Math.abs(a.x))
}

const brickTones: readonly [Rgb, Rgb][] = [[[150, 140, 130], [204, 194, 180]], [[136, 92, 76], [178, 132, 108]], [[120, 124, 134], [172, 176, 182]]]

interface Face {
  /** Bottom left, bottom right, top right, top left. */
  corners: [Point, Point, Point, Point]
  shade: number
  reflection: number
  columns: number
  side: string
}

function quad(context: SKRSContext2D, points: readonly Point[]): void {
  context.beginPath()
  points.forEach(([x, y], index) => (index ? context.lineTo(x, y) : context.moveTo(x, y)))
  context.closePath()
  context.fill()
}

/** One wall with its windows: lit at night, mirroring the sky by day. */
function drawFace(context: SKRSContext2D, building: Building, face: Face, base: Rgb, fog: number, day: Daylight, plan: Plan): void {
  const { corners: [a, b, c, d], shade, reflection, columns: wished, side } = face
  const night = plan.time === 'night'
  const dim = night ? 0.4 : 1
  const wall: Rgb = [base[0] * shade * dim, base[1] * shade * dim, base[2] * shade * (night ? 0.45 : 1)]
  const { isGlass } = building
  const skyHigh = gradientAt(day.sky, 0.4)
  const skyLow = gradientAt(day.sky, 0.9)
  const top = isGlass ? mix(scale(wall, 0.8), skyHigh, reflection * 0.75) : multiply(wall, day.key)
  const middle = isGlass ? mix(scale(wall, 0.9), skyLow, reflection * (0.35 + 0.45 * building.tone)) : top
  context.fillStyle = linearGradient(context, [0, Math.min(c[1], d[1])], [0, Math.max(a[1], b[1])], [
    [0, css(mix(top, day.haze, fog))], [0.45, css(mix(middle, day.haze, fog))], [1, css(mix(scale(wall, 0.42), day.haze, clamp(fog + 0.06)))],
  ])
  quad(context, [a, b, c, d])
  const faceWidth = Math.abs(b[0] - a[0])
  const clear = clamp(1 - fog * 1.15)
  if (faceWidth < 3 || clear <= 0.04) return
  // From the street the same wall is seen from nearer: finer windows.
  const fine = plan.camera === 'aerial' || has(plan, 'skyline') ? 1 : 1.9
  const rows = Math.max(2, Math.round(building.h * 5 * fine))
  const columns = Math.max(1, Math.round(wished * fine))
  const at = (s: number, t: number): Point => [lerp(lerp(a[0], b[0], s), lerp(d[0], c[0], s), t), lerp(lerp(a[1], b[1], s), lerp(d[1], c[1], s), t)]
  const cell = (s0: number, t0: number, s1: number, t1: number): void => quad(context, [at(s0, t0), at(s1, t0), at(s1, t1), at(s0, t1)])
  const isDetailed = faceWidth > 9 && rows * columns < 4200
  const random = building.random.fork(side)
  if (isGlass && !night) {
    if (isDetailed) {
      for (let i = 0; i < rows; i++) {
        for (let j = 0; j < columns; j++) {
          const v = noise2(j * 0.5 + building.x * 3.1, i * 0.18 + building.z * 2.3, 7) + random.range(-0.12, 0.12)
          if (v > 0.42 && v < 0.56) continue
          const bright = v > 0.5
          context.fillStyle = css(mix(bright ? mix(day.sun, [255, 255, 255], 0.2) : scale(wall, 0.5), day.haze, fog), clamp(Math.abs(v - 0.5) * (bright ? 1.1 : 1.25) * reflection * 1.5 + 0.03) * clear)
          cell(j / columns, i / rows, (j + 1) / columns, (i + 1) / rows)
        }
      }
    }
    context.strokeStyle = css(mix(scale(wall, 0.42), day.haze, fog), 0.5 * clear)
    context.lineWidth = Math.max(0.35, (faceWidth / columns) * 0.07)
    context.beginPath()
    for (let i = 1; i < rows; i++) { context.moveTo(...at(0, i / rows)); context.lineTo(...at(1, i / rows)) }
    if (faceWidth > 16) for (let j = 1; j < columns; j++) { context.moveTo(...at(j / columns, 0)); context.lineTo(...at(j / columns, 1)) }
    context.stroke()
    return
  }
  if (isDetailed) {
    const evening = plan.time === 'sunset' || plan.time === 'pink'
    for (let i = 0; i < rows; i++) {
      for (let j = 0; j < columns; j++) {
        const isLit = random.chance(night ? 0.42 : evening ? 0.14 : 0.02)
        const mirror = noise2(j * 0.35 + building.x * 3, i * 0.22 + building.z * 2, 7)
        const pane = isLit ? mix([255, 206, 128], [255, 240, 205], random.next()) : mix(scale(wall, 0.55), isGlass ? skyHigh : day.ambient, isGlass ? clamp(mirror * 1.25 * reflection + 0.05) : 0.25)
        context.fillStyle = css(mix(pane, day.haze, fog * (isLit && night ? 0.5 : 1)), (isLit ? 0.95 : 0.62) * (isLit && night ? Math.max(clear, 0.5) : clear))
        cell((j + 0.14) / columns, (i + 0.18) / rows, (j + 0.86) / columns, (i + 0.82) / rows)
      }
    }
    return
  }
  if (night) {
    for (let i = 0; i < Math.min(10, rows); i++) {
      context.fillStyle = css([255, 220, 150], 0.5 * clear * random.next())
      const t = random.next() * 0.9
      const s = random.next() * 0.8
      cell(s, t, s + 0.2, t + 0.4 / rows)
    }
    return
  }
  context.strokeStyle = css(scale(wall, 0.5), 0.35 * clear)
  context.lineWidth = Math.max(0.4, (faceWidth / columns) * 0.08)
  context.beginPath()
  for (let i = 1; i < rows; i += Math.max(1, Math.floor(rows / 24))) { context.moveTo(...at(0, i / rows)); context.lineTo(...at(1, i / rows)) }
  context.stroke()
}

function drawBuilding(context: SKRSContext2D, building: Building, camera: Camera, width: number, sunX: number, isAerial: boolean, day: Daylight, plan: Plan): void {
  const { x, z, w, d, h } = building
  const near = z - d
  if (near < 0.8) return
  const far = z + d
  const fog = 1 - exp(-pow(z / (isAerial ? 40 : 34), 1.5))
  const left = x - w
  const right = x + w
  const p = (px: number, py: number, pz: number): Point => project(camera, px, py, pz)
  const frontLeft = p(left, 0, near)
  const frontRight = p(right, 0, near)
  const topLeft = p(left, h, near)
  const topRight = p(right, h, near)
  const backTopLeft = p(left, h, far)
  const backTopRight = p(right, h, far)
  if ((topRight[0] < -width * 0.2 && backTopRight[0] < -width * 0.2) || (topLeft[0] > width * 1.2 && backTopLeft[0] > width * 1.2)) return
  const brick = brickTones[Math.floor(building.tone * 2.999)]!
  const base = building.isGlass ? mix([74, 92, 132], [34, 44, 70], building.tone) : mix(brick[0], brick[1], (building.tone * 7) % 1)
  const night = plan.time === 'night'
  const sunlit = (isTowards: boolean) => ({ shade: isTowards ? 1.05 : 0.5, reflection: isTowards ? 0.95 : 0.38 })
  if (left > 0) drawFace(context, building, { corners: [p(left, 0, far), frontLeft, topLeft, backTopLeft], ...sunlit(sunX < 0.5), columns: 8 * d, side: 'left' }, base, fog, day, plan)
  if (right < 0) drawFace(context, building, { corners: [frontRight, p(right, 0, far), backTopRight, topRight], ...sunlit(sunX > 0.5), columns: 8 * d, side: 'right' }, base, fog, day, plan)
  drawFace(context, building, { corners: [frontLeft, frontRight, topRight, topLeft], shade: 0.8, reflection: 0.68, columns: 9 * w, side: 'front' }, base, fog, day, plan)
  if (h < camera.eyeY) {
    context.fillStyle = css(mix(scale(multiply(mix(base, [130, 126, 124], 0.6), mix(day.key, [255, 255, 255], 0.4)), night ? 0.3 : 0.9), day.haze, fog))
    quad(context, [topLeft, topRight, backTopRight, backTopLeft])
    if (z > 20) return
    const unit = (from: [number, number, number], to: [number, number, number], colour: Rgb, alpha: number): void => {
      const start = p(...from)
      const end = p(...to)
      context.fillStyle = css(mix(colour, day.haze, fog), alpha)
      context.fillRect(start[0], start[1], end[0] - start[0], end[1] - start[1])
    }
    unit([x - 0.2, h + 0.18, z], [x + 0.25, h, z], scale(base, 0.5), 1)
    unit([x + 0.3, h + 0.1, z - 0.1], [x + 0.5, h, z - 0.1], [210, 205, 200], night ? 0.2 : 0.8)
  } else if (building.random.chance(0.35)) {
    const foot = p(x, h, z)
    const tip = p(x, h + 1.1, z)
    context.strokeStyle = css(mix(scale(base, 0.6), day.haze, fog))
    context.lineWidth = Math.max(0.6, (camera.focal * 0.02) / z)
    context.beginPath()
    context.moveTo(...foot)
    context.lineTo(...tip)
    context.stroke()
  }
}

/** The street between the houses: asphalt, kerbs, lane marks. */
function drawStreet(context: SKRSContext2D, camera: Camera, height: number, day: Daylight, plan: Plan): void {
  const night = plan.time === 'night'
  const hy = camera.horizonY
  const asphalt: Rgb = night ? [22, 24, 34] : mix([74, 74, 80], day.ambient, 0.2)
  context.fillStyle = linearGradient(context, [0, hy], [0, height], [[0, css(mix(asphalt, day.haze, 0.85))], [0.2, css(mix(asphalt, day.haze, 0.35))], [1, css(asphalt)]])
  quad(context, [[camera.centreX - 2, hy + 1], [camera.centreX + 2, hy + 1], [camera.centreX + (1.05 / 0.4) * camera.focal * 0.6, height], [camera.centreX - (1.05 / 0.4) * camera.focal * 0.6, height]])
  for (const side of [-1, 1]) {
    const curb: Rgb = mix(scale(mix([168, 164, 160], day.ambient, 0.3), night ? 0.28 : 0.8), day.haze, 0.1)
    context.fillStyle = linearGradient(context, [0, hy], [0, height], [[0, css(mix(curb, day.haze, 0.8))], [0.4, css(curb)], [1, css(scale(curb, 0.8))]])
    quad(context, [project(camera, side * 0.75, 0, 40), project(camera, side * 1.25, 0, 40), project(camera, side * 1.25, 0, 0.7), project(camera, side * 0.75, 0, 0.7)])
  }
  for (let i = 0; i < 30; i++) {
    const z = 0.9 + i * 0.9
    const [x1, y1] = project(camera, 0, 0, z + 0.5)
    const [x2, y2] = project(camera, 0, 0, z)
    if (y1 > height) continue
    context.strokeStyle = css([236, 228, 196], clamp(0.7 - z * 0.02) * (night ? 0.5 : 1))
    context.lineWidth = Math.max(0.6, (camera.focal * 0.035) / z)
    context.beginPath()
    context.moveTo(x1, y1)
    context.lineTo(x2, y2)
    context.stroke()
  }
}

/** Lamps along the kerb, and at night the traffic between them. */
function drawLamps(context: SKRSContext2D, camera: Camera, day: Daylight, plan: Plan): void {
  const night = plan.time === 'night'
  const wet = plan.weather.includes('rain') || night
  const random = new Random(plan.seed).fork('street')
  for (let i = 12; i >= 1; i--) {
    for (const side of [-1, 1]) {
      const z = 1.6 + i * 1.7
      const [x, y] = project(camera, side * 0.86, 0, z)
      const [headX, headY] = project(camera, side * 0.7, 1.25, z)
      context.strokeStyle = css(mix([40, 42, 48], day.haze, clamp(z / 34)))
      context.lineWidth = Math.max(0.7, (camera.focal * 0.022) / z)
      context.beginPath()
      context.moveTo(x, y)
      context.quadraticCurveTo(x, headY - (camera.focal * 0.05) / z, headX, headY)
      context.stroke()
      if (!night && !wet) continue
      const lamp = random.pick<Rgb>([[255, 214, 150], [255, 226, 180], [255, 190, 120]])
      for (const [size, alpha] of [[0.34, 0.1], [0.16, 0.25], [0.06, 0.95]] as const) {
        context.fillStyle = css(lamp, alpha * (night ? 1 : 0.5))
        context.beginPath()
        context.arc(headX, headY, (camera.focal * size) / z, 0, tau)
        context.fill()
      }
      // Its long reflection on the wet road.
      const [, groundY] = project(camera, side * 0.6, 0, z)
      const long = (camera.focal * 0.9) / z
      for (const wide of [0.16, 0.09, 0.04]) {
        context.fillStyle = linearGradient(context, [0, groundY], [0, groundY + long], [[0, css(lamp, 0)], [0.25, css(lamp, night ? 0.1 : 0.06)], [1, css(lamp, 0)]])
        context.beginPath()
        context.ellipse(headX, groundY + long / 2, (camera.focal * wide) / z, long / 2, 0, 0, tau)
        context.fill()
      }
    }
  }
  if (!night) return
  for (let i = 14; i >= 1; i--) {
    const z = 2 + i * 1.3 + random.next()
    const isComing = random.chance(0.5)
    const lane = (isComing ? -1 : 1) * 0.36
    const colour: Rgb = isComing ? [255, 244, 220] : [255, 60, 48]
    for (const offset of [-0.1, 0.1]) {
      const [x, y] = project(camera, lane + offset, 0.16, z)
      for (const [size, alpha] of [[0.09, 0.2], [0.03, 0.95]] as const) {
        context.fillStyle = css(colour, alpha)
        context.beginPath()
        context.arc(x, y, (camera.focal * size) / z, 0, tau)
        context.fill()
      }
    }
  }
}

/** A city of boxes on a grid: from above, or down a street. */
export const city: SceneMaker = (plan, width, height) => {
  const { time } = plan
  const day = daylights[time]
  const random = new Random(plan.seed).fork('city')
  // A skyline is seen from above the roofs; a street from within.
  const isAerial = plan.camera === 'aerial' || has(plan, 'skyline')
  const night = time === 'night'
  const horizon = isAerial ? random.range(0.24, 0.32) : random.range(0.52, 0.58)
  const sunX = random.range(0.25, 0.75)
  const canvas = makeCanvas(width, height)
  const context = canvas.getContext('2d')
  context.fillStyle = css(day.haze)
  context.fillRect(0, 0, width, height)
  context.drawImage(paintSky(width, Math.round(height * (horizon + 0.06)), { time, seed: plan.seed, sunX, clouds: 0.55, sunY: night ? 0.25 : 0.8 }), 0, 0)
  const horizonY = horizon * height
  const camera: Camera = { eyeY: isAerial ? 9.5 : 0.62, focal: 0.95 * Math.min(height, width * 1.6), horizonY, centreX: width / 2 }
  const reach = Math.min(44, Math.ceil((isAerial ? 18 : 16) * Math.max(1, width / height)))
  context.fillStyle = linearGradient(context, [0, horizonY], [0, height], [
    [0, css(day.haze)], [0.3, css(scale(mix(day.ambient, [70, 70, 80], 0.5), night ? 0.35 : 0.6))], [1, css(scale(mix(day.ambient, [50, 50, 60], 0.5), night ? 0.25 : 0.45))],
  ])
  context.fillRect(0, horizonY, width, height - horizonY)
  if (isAerial) {
    for (let column = -reach; column <= reach; column++) {
      const traffic = new Random(column * 71 + plan.seed)
      for (let k = 0; k < 70; k++) {
        const z = 3 + traffic.next() * 46
        const [x, y] = project(camera, column * blockStep + blockStep / 2 + traffic.bell() * 0.05, 0, z)
        const isComing = traffic.chance(0.5)
        if (y > height * 1.1) continue
        context.fillStyle = isComing ? css([255, 236, 190], night ? 0.9 : 0.35) : css([255, 90, 70], night ? 0.8 : 0.3)
        const size = Math.max(1, (camera.focal * 0.03) / z)
        context.fillRect(x, y, size, size)
      }
    }
  }
  const buildings = placeBuildings(plan, isAerial, camera, reach)
  if (!isAerial) drawStreet(context, camera, height, day, plan)
  for (const building of buildings) drawBuilding(context, building, camera, width, sunX, isAerial, day, plan)
  if (!isAerial) drawLamps(context, camera, day, plan)
  const ground: Rgb = luminance(day.ambient) < 90 ? [50, 50, 62] : [90, 90, 100]
  return {
    layers: [{ name: 'far', depth: 1, canvas }],
    light: outdoors(time, ground, sunX),
    groundY: 0.92,
    subjectScale: 0.5,
    reflect: plan.weather.includes('rain') ? 0.2 : night ? 0.12 : 0,
    finish: (target) => glow(target, { u: sunX, v: horizon * 0.9 }, day.sun, night ? 0.1 : isAerial ? 0.42 : 0.3),
  }
}
