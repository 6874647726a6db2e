/** What carries one: boats and bicycles; and what one walks in. */
import type { Rgb } from '../../kernel/colour.ts'
import { mix, scale } from '../../kernel/colour.ts'
import { atan2, cos, sin, tau } from '../../kernel/math.ts'
import { noise2 } from '../../kernel/noise.ts'
import { box, capsule, cone, cylinder, ellipsoid, plate, torus } from '../solid.ts'
import type { Part } from '../solid.ts'
import type { Model } from './model.ts'

/** Sails full, heading off to the right; the waterline is the ground. */
export const sailboat: Model = {
  yaw: [-0.55, 0.3],
  pitch: 0.05,
  size: 1.25,
  alone: 1.2,
  solid: (colour) => {
    const paint: Rgb = colour ?? [34, 66, 112]
    return {
      stands: true,
      bound: { at: [0, 1.16, 0], radius: 1.36 },
      materials: {
        hull: { colour: (_x, y) => (y < 0.07 ? [172, 44, 40] : y > 0.24 && y < 0.28 ? [250, 248, 244] : paint), roughness: 0.2, specular: 0.7 },
        deck: { colour: (x, _y, z) => scale([196, 150, 98], 0.82 + 0.3 * noise2(x * 4, Math.floor(z * 24) * 7, 3)), roughness: 0.6 },
        white: { colour: [248, 248, 246], roughness: 0.35, specular: 0.4 }, glass: { colour: [40, 60, 82], roughness: 0.08, specular: 1.1 },
        sail: { colour: (_x, y) => mix([250, 247, 238], [226, 220, 206], Math.abs(sin(y * 9)) > 0.985 ? 0.8 : 0), roughness: 0.9, translucent: 1.4 },
        spar: { colour: [206, 204, 200], roughness: 0.3, specular: 0.5, metal: 0.4 }, flag: { colour: colour ?? [214, 50, 44], roughness: 0.9 },
      },
      parts: [
        ellipsoid([0.06, 0.36, 0], [1.12, 0.42, 0.34], 'hull'),
        box([-0.98, 0.3, 0], [0.16, 0.4, 0.4], 'hull', { subtract: true }),
        box([0, 0.69, 0], [1.4, 0.33, 0.6], 'deck', { subtract: true, rotate: [0, 0, 2] }),
        box([0.14, 0.39, 0], [0.34, 0.1, 0.15], 'white', { round: 0.06 }),
        box([0.14, 0.4, 0], [0.24, 0.035, 0.16], 'glass', { round: 0.02 }),
        box([-0.5, 0.37, 0], [0.22, 0.035, 0.14], 'deck', { round: 0.02 }),
        capsule([0.16, 0.36, 0], [0.16, 2.36, 0], 0.024, 'spar', { endRadius: 0.014 }),
        capsule([0.16, 0.6, 0], [-0.82, 0.58, 0.06], 0.02, 'spar'),
        plate([-0.2, 1.1, 0.02], [[-0.62, -0.46], [0.34, -0.46], [0.34, 1.2]], 0.011, 'sail', { bow: 0.13 }),
        plate([0.56, 0.98, 0.02], [[-0.34, -0.42], [0.54, -0.52], [-0.34, 1.06]], 0.01, 'sail', { bow: 0.12 }),
        capsule([0.16, 2.3, 0], [1.14, 0.42, 0], 0.006, 'spar'),
        plate([0.0, 2.36, 0], [[0.14, -0.07], [0.14, 0.07], [-0.16, 0]], 0.008, 'flag', { bow: 0.03 }),
      ],
    }
  },
}

const spokes = (x: number): Part[] => Array.from({ length: 10 }, (_, i): Part => {
  const angle = (i / 10) * tau + 0.16
  return capsule([x, 0.46, 0], [x + cos(angle) * 0.42, 0.46 + sin(angle) * 0.42, 0], 0.006, 'chrome')
})

const wheel = (x: number): Part[] => [
  torus([x, 0.46, 0], 0.44, 0.028, 'tyre'),
  torus([x, 0.46, 0], 0.405, 0.014, 'chrome', { depth: 0.02 }),
  cylinder([x, 0.46, 0], 0.035, 0.06, 'chrome', { rotate: [90, 0, 0], round: 0.01 }),
  torus([x, 0.46, 0], 0.5, 0.008, 'frame', { depth: 0.035, above: 0.08 }),
  ...spokes(x),
]

/** A town bicycle with a basket, seen from the side. */
export const bicycle: Model = {
  yaw: [-0.5, 0.4],
  pitch: 0.06,
  size: 1.1,
  alone: 1.1,
  solid: (colour) => ({
    stands: true,
    bound: { at: [0, 0.68, 0], radius: 1.2 },
    materials: {
      frame: { colour: colour ?? [46, 148, 140], roughness: 0.2, specular: 0.7 }, chrome: { colour: [204, 208, 214], roughness: 0.22, specular: 0.8, metal: 0.7 },
      tyre: { colour: [34, 34, 36], roughness: 0.85, specular: 0.1 }, leather: { colour: [120, 72, 42], roughness: 0.6, specular: 0.25 },
      wicker: { colour: (x, y, z) => scale([196, 148, 92], 0.7 + 0.4 * (sin(y * 90) * sin((x + z) * 70) > 0 ? 1 : 0.3)), roughness: 0.9 },
    },
    parts: [
      ...wheel(-0.62), ...wheel(0.62),
      capsule([-0.1, 0.44, 0], [-0.24, 1.04, 0], 0.03, 'frame'),
      capsule([-0.1, 0.44, 0], [0.44, 0.98, 0], 0.034, 'frame', { blend: 0.02 }),
      capsule([-0.21, 0.92, 0], [0.43, 1.04, 0], 0.03, 'frame', { blend: 0.02 }),
      capsule([0.46, 0.9, 0], [0.4, 1.2, 0], 0.034, 'frame', { blend: 0.02 }),
      capsule([0.46, 0.92, 0], [0.62, 0.46, 0.05], 0.022, 'frame', { blend: 0.02 }),
      capsule([0.46, 0.92, 0], [0.62, 0.46, -0.05], 0.022, 'frame', { blend: 0.02 }),
      capsule([-0.1, 0.44, 0.03], [-0.62, 0.46, 0.05], 0.02, 'frame', { blend: 0.02 }),
      capsule([-0.1, 0.44, -0.03], [-0.62, 0.46, -0.05], 0.02, 'frame', { blend: 0.02 }),
      capsule([-0.22, 0.92, 0.03], [-0.62, 0.46, 0.05], 0.016, 'frame', { blend: 0.01 }),
      capsule([-0.22, 0.92, -0.03], [-0.62, 0.46, -0.05], 0.016, 'frame', { blend: 0.01 }),
      ellipsoid([-0.29, 1.09, 0], [0.17, 0.05, 0.1], 'leather'),
      ellipsoid([-0.16, 1.09, 0], [0.13, 0.04, 0.05], 'leather', { blend: 0.05 }),
      capsule([0.4, 1.2, 0], [0.4, 1.22, 0.26], 0.022, 'chrome'), capsule([0.4, 1.2, 0], [0.4, 1.22, -0.26], 0.022, 'chrome'),
      capsule([0.4, 1.22, 0.26], [0.2, 1.2, 0.29], 0.03, 'leather'), capsule([0.4, 1.22, -0.26], [0.2, 1.2, -0.29], 0.03, 'leather'),
      cylinder([-0.1, 0.44, 0.06], 0.12, 0.012, 'chrome', { rotate: [90, 0, 0] }),
      capsule([-0.1, 0.44, 0.08], [-0.02, 0.27, 0.1], 0.016, 'chrome'), box([-0.02, 0.26, 0.15], [0.07, 0.018, 0.045], 'tyre', { round: 0.01 }),
      capsule([-0.1, 0.44, -0.08], [-0.18, 0.61, -0.1], 0.016, 'chrome'), box([-0.18, 0.62, -0.15], [0.07, 0.018, 0.045], 'tyre', { round: 0.01 }),
      box([0.66, 1.1, 0], [0.15, 0.13, 0.2], 'wicker', { round: 0.04 }),
      box([0.66, 1.2, 0], [0.125, 0.14, 0.175], 'wicker', { subtract: true }),
    ],
  }),
}

/** A low running shoe, toe to the right. */
export const sneaker: Model = {
  yaw: [-0.5, 0.25],
  pitch: 0.2,
  size: 0.8,
  alone: 1.1,
  solid: (colour) => {
    const cloth: Rgb = colour ?? [232, 74, 60]
    const laces: Part[] = []
    for (let i = 0; i < 5; i++) laces.push(capsule([0.06 + i * 0.1, 0.7 - i * 0.052, -0.13], [0.09 + i * 0.1, 0.7 - i * 0.052, 0.15], 0.032, 'white'))
    return {
      stands: true,
      bound: { at: [0.02, 0.36, 0], radius: 1.1 },
      materials: {
        cloth: { colour: (x, y, z) => scale(cloth, 0.9 + 0.18 * noise2(x * 60, y * 60 + z * 40, 3)), roughness: 0.85, specular: 0.08 },
        trim: { colour: mix(cloth, [30, 30, 36], 0.45), roughness: 0.7, specular: 0.15 }, white: { colour: [248, 247, 244], roughness: 0.6, specular: 0.15 },
        sole: { colour: (_x, y) => (y < 0.05 ? [92, 88, 86] : [250, 249, 246]), roughness: 0.6, specular: 0.15 }, inside: { colour: [66, 64, 70], roughness: 1 },
      },
      parts: [
        box([-0.5, 0.11, 0], [0.42, 0.12, 0.29], 'sole', { round: 0.11 }),
        box([0.35, 0.1, 0], [0.6, 0.1, 0.3], 'sole', { round: 0.1, blend: 0.12 }),
        ellipsoid([0.55, 0.24, 0], [0.42, 0.24, 0.28], 'cloth', { blend: 0.015 }),
        ellipsoid([0.08, 0.36, 0], [0.55, 0.32, 0.26], 'cloth', { rotate: [0, 0, -24], blend: 0.12 }),
        ellipsoid([-0.5, 0.44, 0], [0.38, 0.4, 0.26], 'cloth', { blend: 0.12 }),
        ellipsoid([-0.62, 0.4, 0], [0.29, 0.3, 0.265], 'trim', { blend: 0.02 }),
        ellipsoid([0.86, 0.2, 0], [0.16, 0.15, 0.23], 'white', { blend: 0.02 }),
        ellipsoid([-0.45, 0.86, 0], [0.3, 0.28, 0.17], 'inside', { subtract: true, blend: 0.04 }),
        ellipsoid([-0.06, 0.7, 0], [0.07, 0.19, 0.13], 'trim', { rotate: [0, 0, 24], blend: 0.03 }),
        ...laces,
        capsule([-0.42, 0.26, 0.27], [0.02, 0.5, 0.245], 0.045, 'white', { endRadius: 0.03, blend: 0.01 }),
        capsule([-0.22, 0.22, 0.28], [0.2, 0.42, 0.235], 0.045, 'white', { endRadius: 0.03, blend: 0.01 }),
        capsule([-0.42, 0.26, -0.27], [0.02, 0.5, -0.245], 0.045, 'white', { endRadius: 0.03, blend: 0.01 }),
        capsule([-0.83, 0.6, 0], [-0.87, 0.75, 0], 0.035, 'trim', { blend: 0.03 }),
      ],
    }
  },
}

/** Striped from the crown down, its basket below. */
export const hotAirBalloon: Model = {
  yaw: [-0.5, 0.5],
  pitch: 0,
  size: 1,
  alone: 1.1,
  flies: true,
  solid: (colour) => {
    const gores: Rgb[] = colour ? [colour, [250, 244, 230]] : [[222, 62, 50], [250, 186, 52], [248, 240, 224], [46, 120, 178]]
    const ropes: Part[] = []
    for (let i = 0; i < 4; i++) {
      const [a, b] = [i % 2 ? 1 : -1, i < 2 ? 1 : -1]
      ropes.push(capsule([a * 0.13, 0.26, b * 0.13], [a * 0.17, 0.72, b * 0.17], 0.009, 'rope'))
    }
    return {
      stands: true,
      bound: { at: [0, 1.18, 0], radius: 1.24 },
      materials: {
        cloth: {
          colour: (x, y, z) => {
            const turn = (atan2(z, x) / tau + 1) * 16
            const seam = Math.abs(turn - Math.floor(turn) - 0.5) > 0.46 ? 0.8 : 1
            return scale(y > 1.34 && y < 1.5 ? gores[gores.length - 1]! : gores[Math.floor(turn) % gores.length]!, seam)
          }, roughness: 0.7, specular: 0.15, translucent: 1.2,
        },
        wicker: { colour: (x, y, z) => scale([178, 128, 74], 0.7 + 0.4 * (sin(y * 80) * sin((x + z) * 60) > 0 ? 1 : 0.3)), roughness: 0.9 },
        rope: { colour: [120, 96, 70] }, rim: { colour: [112, 70, 40], roughness: 0.7 }, fire: { colour: [255, 190, 80], glow: 2 },
      },
      parts: [
        ellipsoid([0, 1.62, 0], [0.74, 0.72, 0.74], 'cloth'),
        cone([0, 0.98, 0], 0.17, 0.6, 0.3, 'cloth', { blend: 0.14 }),
        cylinder([0, 0.7, 0], 0.18, 0.035, 'rim', { round: 0.02 }),
        ...ropes,
        ellipsoid([0, 0.58, 0], [0.04, 0.1, 0.04], 'fire'),
        box([0, 0.14, 0], [0.155, 0.13, 0.155], 'wicker', { round: 0.04 }),
        box([0, 0.27, 0], [0.165, 0.025, 0.165], 'rim', { round: 0.02 }),
      ],
    }
  },
}
