/** Buildings one goes to see. */
import type { Rgb } from '../../kernel/colour.ts'
import { mix, scale, smooth } from '../../kernel/colour.ts'
import { atan2, cos, sin, tau } from '../../kernel/math.ts'
import { fbm, noise2 } from '../../kernel/noise.ts'
import { box, capsule, cone, cylinder, ellipsoid, plate, sphere, torus } from '../solid.ts'
import type { Material, Part } from '../solid.ts'
import type { Model } from './model.ts'

const rock: Material = { colour: (x, y, z) => mix([66, 60, 58], [150, 140, 128], fbm(x * 5, y * 7 + z * 5, 6, 4)), roughness: 0.95, specular: 0.05, bump: [0.9, 8] }
const stone = (colour: Rgb): Material => ({
  colour: (x, y, z) => scale(colour, 0.82 + 0.3 * noise2(Math.floor((x + z) * 9 + (Math.floor(y * 11) % 2) * 0.5) * 3.7, Math.floor(y * 11) * 5.3, 4) - (y * 11 - Math.floor(y * 11) < 0.1 ? 0.1 : 0)), roughness: 0.95, specular: 0.04,
})

/** Striped, on its rock, the keeper's house beside it. */
export const lighthouse: Model = {
  yaw: [-0.5, 0.4],
  pitch: 0.05,
  size: 1.35,
  alone: 1.2,
  beacon: { u: 0.5, v: 0.13 },
  solid: (colour) => {
    const bands: Rgb = colour ?? [204, 44, 40]
    const around: Part[] = []
    for (let i = 0; i < 10; i++) {
      const angle = (i / 10) * tau
      around.push(capsule([cos(angle) * 0.32, 1.96, sin(angle) * 0.32], [cos(angle) * 0.32, 2.1, sin(angle) * 0.32], 0.011, 'iron'))
      if (i % 2 === 0) around.push(capsule([cos(angle) * 0.185, 1.96, sin(angle) * 0.185], [cos(angle) * 0.185, 2.28, sin(angle) * 0.185], 0.014, 'iron'))
    }
    return {
      stands: true,
      bound: { at: [0, 1.24, 0], radius: 1.36 },
      materials: {
        rock, rail: { colour: [38, 42, 50] }, iron: { colour: [46, 50, 58], roughness: 0.5, specular: 0.4 },
        tower: { colour: (_x, y) => (Math.floor((y - 0.24) / 0.278) % 2 === 0 ? scale(bands, 0.95) : [248, 244, 238]), roughness: 0.7, specular: 0.15 },
        lamp: { colour: (_x, y) => mix([255, 226, 140], [255, 250, 226], smooth(0.14, 0, Math.abs(y - 2.1))), roughness: 0.2, specular: 0.6, glow: 1.5 },
        roof: { colour: scale(bands, 0.85), roughness: 0.5, specular: 0.3 },
        door: { colour: [96, 60, 40], roughness: 0.8 }, pane: { colour: [255, 214, 130], roughness: 0.3, glow: 0.6 },
        wall: { colour: [244, 240, 232], roughness: 0.9 }, tile: { colour: [150, 64, 50], roughness: 0.9 },
      },
      parts: [
        cone([0, 1.07, 0], 0.35, 0.235, 0.87, 'tower'),
        cylinder([0, 1.93, 0], 0.35, 0.04, 'iron', { round: 0.02 }),
        cylinder([0, 1.86, 0], 0.28, 0.04, 'tower', { round: 0.02 }),
        cylinder([0, 2.1, 0], 0.175, 0.17, 'lamp'),
        cone([0, 2.36, 0], 0.27, 0.03, 0.1, 'roof', { round: 0.015 }),
        sphere([0, 2.48, 0], 0.045, 'iron'),
        torus([0, 2.1, 0], 0.32, 0.013, 'iron', { rotate: [90, 0, 0] }),
        ...around,
        box([0, 0.42, 0.33], [0.085, 0.17, 0.04], 'door', { round: 0.03 }),
        box([0, 0.98, 0.29], [0.05, 0.08, 0.04], 'pane', { round: 0.02 }),
        box([0, 1.5, 0.25], [0.045, 0.07, 0.04], 'pane', { round: 0.02 }),
        box([0.58, 0.36, 0], [0.26, 0.16, 0.2], 'wall', { round: 0.01 }),
        box([0.58, 0.58, 0.12], [0.3, 0.025, 0.18], 'tile', { round: 0.01, rotate: [42, 0, 0] }),
        box([0.58, 0.58, -0.12], [0.3, 0.025, 0.18], 'tile', { round: 0.01, rotate: [-42, 0, 0] }),
        plate([0.34, 0.52, 0], [[-0.2, 0], [0.2, 0], [0, 0.18]], 0.02, 'wall', { rotate: [0, 90, 0] }),
        plate([0.82, 0.52, 0], [[-0.2, 0], [0.2, 0], [0, 0.18]], 0.02, 'wall', { rotate: [0, 90, 0] }),
        box([0.5, 0.38, 0.2], [0.05, 0.06, 0.015], 'pane', { round: 0.01 }),
        box([0.7, 0.38, 0.2], [0.05, 0.06, 0.015], 'pane', { round: 0.01 }),
        ellipsoid([0.08, 0.02, 0], [0.92, 0.23, 0.62], 'rock'),
        ellipsoid([-0.55, 0, 0.3], [0.32, 0.22, 0.28], 'rock', { blend: 0.1, rotate: [0, 0, 14] }),
        ellipsoid([0.75, -0.02, 0.38], [0.36, 0.16, 0.25], 'rock', { blend: 0.1, rotate: [0, 0, -10] }),
        ellipsoid([0.1, 0.02, 0.6], [0.3, 0.13, 0.2], 'rock', { blend: 0.1 }),
        ellipsoid([-0.85, -0.03, 0], [0.26, 0.12, 0.22], 'rock', { blend: 0.06 }),
        box([-0.42, 0.12, 0.42], [0.17, 0.14, 0.14], 'rock', { round: 0.05, rotate: [20, 35, 24], blend: 0.06 }),
        box([0.95, 0.06, 0.2], [0.16, 0.13, 0.15], 'rock', { round: 0.05, rotate: [30, 10, -28], blend: 0.06 }),
        box([0.28, 0.06, 0.62], [0.15, 0.1, 0.12], 'rock', { round: 0.04, rotate: [12, 50, 16], blend: 0.06 }),
        box([-0.72, 0.08, 0.1], [0.14, 0.16, 0.13], 'rock', { round: 0.04, rotate: [-10, 20, 34], blend: 0.06 }),
        // Cut off at the waterline.
        box([0, -0.5, 0], [2, 0.5, 2], 'rock', { subtract: true }),
      ],
    }
  },
}

const tower = (x: number, z: number, radius: number, high: number): Part[] => [
  cylinder([x, high / 2, z], radius, high / 2, 'stone'),
  cylinder([x, high, z], radius * 1.2, 0.07, 'stone', { round: 0.02 }),
  cone([x, high + 0.07 + radius * 1.15, z], radius * 1.25, 0.01, radius * 1.15, 'roof'),
  capsule([x, high + radius * 2.3, z], [x, high + radius * 2.3 + 0.24, z], 0.012, 'pole'),
  plate([x + 0.012, high + radius * 2.3 + 0.17, z], [[0, -0.06], [0.2, 0], [0, 0.06]], 0.008, 'flag'),
  box([x, high * 0.72, z + radius], [0.03, 0.09, 0.03], 'dark', { round: 0.02 }),
]

const battlements = (from: number, to: number, y: number, z: number): Part[] => {
  const count = Math.round((to - from) / 0.16)
  return Array.from({ length: count }, (_, i): Part => box([from + ((i + 0.5) * (to - from)) / count, y, z], [0.045, 0.06, 0.06], 'stone', { round: 0.008 }))
}

/** Four towers, a keep and a gate. */
export const castle: Model = {
  yaw: [-0.55, 0.55],
  pitch: 0.12,
  size: 1.4,
  alone: 1.25,
  solid: (colour) => ({
    stands: true,
    bound: { at: [0, 0.92, 0], radius: 1.45 },
    materials: {
      stone: stone(colour ?? [206, 192, 170]), roof: { colour: (x, y, z) => scale([66, 92, 146], 0.85 + 0.25 * noise2(atan2(z, x) * 12, y * 20, 3)), roughness: 0.7, specular: 0.15 },
      pole: { colour: [90, 70, 50] }, flag: { colour: [210, 44, 52], roughness: 0.9 }, dark: { colour: [40, 36, 40], roughness: 0.9 },
      door: { colour: (x) => scale([110, 70, 42], 0.8 + 0.3 * (sin(x * 60) > 0 ? 1 : 0.6)), roughness: 0.8 },
      grass: { colour: (x, y, z) => mix([60, 96, 44], [120, 150, 70], fbm(x * 6, y * 6 + z * 6, 3, 3)), roughness: 1, bump: [0.5, 10] },
    },
    parts: [
      box([0, 0.4, 0.5], [0.8, 0.4, 0.1], 'stone', { round: 0.01 }),
      box([0.75, 0.4, 0], [0.1, 0.4, 0.5], 'stone', { round: 0.01, mirror: true }),
      box([0, 0.4, -0.5], [0.8, 0.4, 0.1], 'stone', { round: 0.01 }),
      ...battlements(-0.58, 0.58, 0.85, 0.54),
      box([0, 0.62, -0.1], [0.4, 0.62, 0.32], 'stone', { round: 0.01 }),
      ...battlements(-0.4, 0.4, 1.29, 0.19),
      box([0, 0.98, 0.22], [0.035, 0.1, 0.03], 'dark', { round: 0.02 }),
      box([0.2, 0.98, 0.22], [0.035, 0.1, 0.03], 'dark', { round: 0.02, mirror: true }),
      ...tower(-0.8, 0.5, 0.22, 1.0), ...tower(0.8, 0.5, 0.22, 1.0), ...tower(-0.78, -0.5, 0.2, 1.2), ...tower(0.78, -0.5, 0.2, 1.2), ...tower(0.08, -0.3, 0.24, 1.62),
      box([0.25, 0.36, 0.6], [0.08, 0.46, 0.08], 'stone', { round: 0.01, mirror: true }),
      box([0, 0.74, 0.6], [0.26, 0.09, 0.08], 'stone', { round: 0.01 }),
      ...battlements(-0.32, 0.32, 0.87, 0.62),
      box([0, 0.3, 0.6], [0.18, 0.3, 0.03], 'door', { round: 0.01 }),
      cylinder([0, 0.5, 0.6], 0.17, 0.035, 'dark', { rotate: [90, 0, 0] }),
      ellipsoid([0, 0.015, 0], [1.28, 0.05, 0.92], 'grass'),
    ],
  }),
}

/** Logs, a porch lamp, snow or shingles on the roof. */
export const cabin: Model = {
  yaw: [-0.75, -0.35],
  pitch: 0.14,
  size: 1.3,
  alone: 1.15,
  solid: (colour) => {
    const logs: Part[] = []
    for (let i = 0; i < 7; i++) {
      const y = 0.12 + i * 0.145
      logs.push(cylinder([0, y, 0.64], 0.082, 0.92, 'log', { rotate: [0, 0, 90], round: 0.02 }))
      logs.push(cylinder([0.82, y + 0.06, 0], 0.082, 0.76, 'log', { rotate: [90, 0, 0], round: 0.02, mirror: true }))
    }
    return {
      stands: true,
      bound: { at: [0, 0.88, 0], radius: 1.46 },
      materials: {
        log: { colour: (x, y, z) => scale(colour ?? [150, 98, 58], 0.7 + 0.5 * fbm(x * 3 + z * 3, y * 22, 5, 3)), roughness: 0.85, specular: 0.06 },
        roof: { colour: (x, y, z) => scale([88, 74, 66], 0.75 + 0.3 * noise2(Math.floor(z * 8) * 3, Math.floor(y * 13) * 7 + x, 4) - (y * 13 - Math.floor(y * 13) < 0.16 ? 0.14 : 0)), roughness: 0.9 },
        trim: { colour: [206, 176, 134], roughness: 0.8 }, door: { colour: [94, 52, 34], roughness: 0.8 },
        pane: { colour: [255, 206, 112], roughness: 0.3, glow: 0.9 }, stone: stone([136, 130, 124]),
      },
      parts: [
        box([0, 0.56, 0], [0.8, 0.54, 0.62], 'log', { round: 0.01 }),
        ...logs,
        plate([0, 1.08, 0], [[-0.95, 0], [0.95, 0], [0, 0.74]], 0.64, 'log'),
        box([0.5, 1.46, 0], [0.74, 0.05, 0.86], 'roof', { round: 0.02, rotate: [0, 0, -38], mirror: true }),
        box([-0.5, 1.7, -0.25], [0.14, 0.36, 0.14], 'stone', { round: 0.02 }),
        box([0.1, 0.42, 0.7], [0.17, 0.36, 0.05], 'door', { round: 0.02 }),
        sphere([0.21, 0.42, 0.76], 0.022, 'trim'),
        box([-0.42, 0.62, 0.7], [0.2, 0.19, 0.04], 'trim', { round: 0.02 }),
        box([-0.42, 0.62, 0.715], [0.165, 0.155, 0.035], 'pane', { round: 0.01 }),
        box([-0.42, 0.62, 0.75], [0.012, 0.155, 0.012], 'trim', { round: 0.005 }),
        box([-0.42, 0.62, 0.75], [0.165, 0.012, 0.012], 'trim', { round: 0.005 }),
        box([0.56, 0.66, 0.7], [0.12, 0.15, 0.04], 'trim', { round: 0.02 }),
        box([0.56, 0.66, 0.715], [0.095, 0.12, 0.035], 'pane', { round: 0.01 }),
        box([0.9, 0.66, 0.1], [0.03, 0.15, 0.2], 'trim', { round: 0.02, mirror: true }),
        box([0.91, 0.66, 0.1], [0.03, 0.12, 0.165], 'pane', { round: 0.01, mirror: true }),
        cylinder([0, 1.36, 0.63], 0.13, 0.035, 'trim', { rotate: [90, 0, 0], round: 0.01 }),
        cylinder([0, 1.36, 0.65], 0.095, 0.035, 'pane', { rotate: [90, 0, 0], round: 0.01 }),
        box([0.1, 0.04, 0.9], [0.34, 0.04, 0.2], 'trim', { round: 0.02 }),
      ],
    }
  },
}
