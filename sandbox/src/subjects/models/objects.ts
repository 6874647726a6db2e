/** Furniture, vehicles and other things with a shape everyone knows. */
import type { Rgb } from '../../kernel/colour.ts'
import { mix, scale, smooth } from '../../kernel/colour.ts'
import { cos, sin, tau } from '../../kernel/math.ts'
import { fbm, noise2 } from '../../kernel/noise.ts'
import { box, capsule, cone, cylinder, ellipsoid, sphere, torus } from '../solid.ts'
import type { Material, Part } from '../solid.ts'
import type { Model } from './model.ts'

const wood = (colour: Rgb): Material => ({ colour: (x, y, z) => scale(colour, 0.78 + 0.4 * fbm(x * 3 + z * 3, y * 9, 5, 3)), roughness: 0.5, specular: 0.3 })
const cloth = (colour: Rgb): Material => ({ colour: (x, y, z) => scale(colour, 0.88 + 0.24 * noise2(x * 46 + z * 20, y * 46 + z * 31, 3)), roughness: 0.95, specular: 0.04 })

export const car: Model = {
  yaw: [0.55, 1.0],
  pitch: 0.16,
  size: 1.25,
  solid: (colour) => {
    const paint: Rgb = colour ?? [200, 40, 44]
    const wheel = (x: number, z: number): Part[] => [
      cylinder([x, 0.3, z], 0.3, 0.11, 'tyre', { round: 0.05, rotate: [0, 0, 90], mirror: true }),
      cylinder([x + 0.06, 0.3, z], 0.19, 0.07, 'rim', { round: 0.02, rotate: [0, 0, 90], mirror: true }),
      cylinder([x + 0.11, 0.3, z], 0.05, 0.04, 'tyre', { rotate: [0, 0, 90], mirror: true }),
    ]
    return {
      stands: true,
      bound: { at: [0, 0.6, 0], radius: 1.62 },
      materials: {
        paint: { colour: paint, roughness: 0.16, specular: 0.9, metal: 0.08 },
        glass: { colour: [40, 54, 70], roughness: 0.06, specular: 1.3 },
        tyre: { colour: [26, 26, 28], roughness: 0.8, specular: 0.15 },
        rim: { colour: [208, 210, 214], roughness: 0.25, specular: 0.8, metal: 0.7 },
        dark: { colour: [30, 31, 34], roughness: 0.5, specular: 0.3 },
        lamp: { colour: [255, 248, 226], roughness: 0.1, specular: 1, glow: 0.5 },
        tail: { colour: [220, 30, 30], roughness: 0.15, specular: 0.8, glow: 0.4 },
      },
      parts: [
        box([0, 0.5, 0], [0.62, 0.24, 1.42], 'paint', { round: 0.2 }),
        box([0, 0.66, 0.62], [0.55, 0.12, 0.7], 'paint', { round: 0.11, rotate: [5, 0, 0], blend: 0.1 }),
        box([0, 0.92, -0.28], [0.48, 0.26, 0.7], 'glass', { round: 0.2, blend: 0.02 }),
        box([0, 1.14, -0.3], [0.43, 0.055, 0.5], 'paint', { round: 0.05, blend: 0.06 }),
        capsule([0.47, 0.72, 0.42], [0.41, 1.12, 0.14], 0.035, 'paint', { mirror: true, blend: 0.03 }),
        capsule([0.47, 0.72, -0.98], [0.41, 1.12, -0.72], 0.045, 'paint', { mirror: true, blend: 0.03 }),
        capsule([0.485, 0.72, -0.24], [0.43, 1.12, -0.26], 0.028, 'paint', { mirror: true, blend: 0.02 }),
        cylinder([0.62, 0.32, 0.86], 0.36, 0.2, 'dark', { rotate: [0, 0, 90], mirror: true, subtract: true, blend: 0.03 }),
        cylinder([0.62, 0.32, -0.86], 0.36, 0.2, 'dark', { rotate: [0, 0, 90], mirror: true, subtract: true, blend: 0.03 }),
        ...wheel(0.54, 0.86),
        ...wheel(0.54, -0.86),
        ellipsoid([0.4, 0.58, 1.36], [0.14, 0.08, 0.08], 'lamp', { mirror: true }),
        ellipsoid([0.44, 0.58, -1.38], [0.13, 0.06, 0.06], 'tail', { mirror: true }),
        box([0, 0.5, 1.4], [0.22, 0.06, 0.03], 'dark', { round: 0.02 }),
        box([0, 0.34, 1.38], [0.5, 0.05, 0.06], 'dark', { round: 0.03 }),
        ellipsoid([0.66, 0.8, 0.3], [0.09, 0.06, 0.05], 'paint', { mirror: true }),
      ],
    }
  },
}

export const house: Model = {
  yaw: [0.35, 0.75],
  pitch: 0.2,
  size: 1.25,
  solid: (colour) => {
    const walls: Rgb = colour ?? [244, 232, 210]
    return {
      stands: true,
      bound: { at: [0, 0.92, 0], radius: 1.5 },
      materials: {
        wall: { colour: (x, y, z) => scale(walls, 0.92 + 0.12 * noise2(x * 26 + z * 20, y * 40, 3) - (sin(y * 48) > 0.9 ? 0.05 : 0)), roughness: 0.9, specular: 0.04 },
        roof: { colour: (x, y, z) => scale([170, 74, 52], 0.8 + 0.25 * noise2(Math.floor(z * 9) * 3 + x, Math.floor(y * 14) * 7, 4) - (y * 14 - Math.floor(y * 14) < 0.16 ? 0.16 : 0)), roughness: 0.85, specular: 0.06 },
        trim: { colour: [252, 250, 246], roughness: 0.7 },
        door: wood([124, 70, 40]),
        pane: { colour: [112, 150, 186], roughness: 0.08, specular: 1.1 },
        brick: { colour: [150, 84, 66], roughness: 0.9, specular: 0.03 },
        bush: { colour: (x, y, z) => mix([52, 96, 40], [112, 160, 66], fbm(x * 12, y * 12 + z * 9, 3, 3)), roughness: 0.95, specular: 0.03, bump: [0.7, 12] },
        path: { colour: [196, 186, 170], roughness: 0.95 },
      },
      parts: [
        box([0, 0.5, 0], [0.78, 0.5, 0.66], 'wall', { round: 0.02 }),
        // A gable: a square set on its corner, half of it inside the house.
        box([0, 0.96, 0], [0.56, 0.56, 0.65], 'wall', { round: 0.01, rotate: [0, 0, 45] }),
        box([0.44, 1.33, 0], [0.68, 0.05, 0.78], 'roof', { round: 0.03, rotate: [0, 0, -45], mirror: true }),
        box([0.42, 1.5, -0.3], [0.11, 0.32, 0.11], 'brick', { round: 0.01 }),
        box([0, 0.34, 0.66], [0.19, 0.34, 0.03], 'trim', { round: 0.02 }),
        box([0, 0.33, 0.68], [0.15, 0.3, 0.03], 'door', { round: 0.02 }),
        sphere([0.09, 0.33, 0.725], 0.024, 'trim'),
        box([0.5, 0.56, 0.66], [0.17, 0.19, 0.025], 'trim', { round: 0.02, mirror: true }),
        box([0.5, 0.56, 0.675], [0.135, 0.155, 0.022], 'pane', { round: 0.01, mirror: true }),
        box([0.5, 0.56, 0.69], [0.012, 0.155, 0.02], 'trim', { round: 0.005, mirror: true }),
        box([0.5, 0.56, 0.69], [0.135, 0.012, 0.02], 'trim', { round: 0.005, mirror: true }),
        cylinder([0, 1.12, 0.65], 0.14, 0.03, 'trim', { rotate: [90, 0, 0], round: 0.01 }),
        cylinder([0, 1.12, 0.67], 0.105, 0.03, 'pane', { rotate: [90, 0, 0], round: 0.01 }),
        box([0.78, 0.56, 0.1], [0.025, 0.19, 0.2], 'trim', { round: 0.02, mirror: true }),
        box([0.795, 0.56, 0.1], [0.022, 0.155, 0.165], 'pane', { round: 0.01, mirror: true }),
        box([0, 0.03, 0.84], [0.24, 0.03, 0.16], 'path', { round: 0.02 }),
        sphere([0.56, 0.14, 0.8], 0.19, 'bush', { mirror: true }),
        sphere([0.82, 0.12, 0.76], 0.16, 'bush', { mirror: true, blend: 0.05 }),
      ],
    }
  },
}

export const tree: Model = {
  yaw: [-0.6, 0.6],
  pitch: 0.05,
  size: 1.3,
  solid: (colour, random) => {
    const leaf: Rgb = colour ?? [84, 138, 56]
    const crown: Part[] = []
    for (let i = 0; i < 15; i++) {
      const angle = i * 2.39996
      const up = i / 14
      const out = 0.5 * Math.sqrt(Math.max(0.05, 1 - (up * 2 - 0.85) ** 2))
      crown.push(sphere([cos(angle) * out, 1.1 + up * 0.82, sin(angle) * out], random.range(0.27, 0.38), 'leaf', { blend: 0.08 }))
    }
    return {
      stands: true,
      bound: { at: [0, 1.12, 0], radius: 1.2 },
      materials: {
        bark: { colour: (x, y, z) => mix([74, 52, 36], [124, 92, 64], fbm(x * 16 + z * 12, y * 3, 4, 3)), roughness: 0.95, specular: 0.03, bump: [0.6, 12] },
        leaf: { colour: (x, y, z) => mix(scale(leaf, 0.62), mix(leaf, [236, 232, 120], 0.28), smooth(0.3, 0.72, fbm(x * 9, y * 9 + z * 7, 6, 4))), roughness: 0.95, specular: 0.03, isFur: true, bump: [1.3, 11] },
      },
      parts: [
        cone([0, 0.5, 0], 0.2, 0.11, 0.52, 'bark', { round: 0.04 }),
        capsule([0.1, 0.05, 0.06], [0.28, 0.02, 0.16], 0.08, 'bark', { endRadius: 0.02, mirror: true, blend: 0.08 }),
        capsule([0.02, 0.8, 0], [0.36, 1.2, 0.1], 0.08, 'bark', { endRadius: 0.05, mirror: true, blend: 0.06 }),
        ...crown,
      ],
    }
  },
  fur: { length: 0.016 },
}

export const robot: Model = {
  yaw: [-0.6, 0.6],
  pitch: 0.08,
  size: 1,
  solid: (colour) => {
    const shell: Rgb = colour ?? [226, 230, 236]
    return {
      stands: true,
      bound: { at: [0, 1.02, 0], radius: 1.24 },
      materials: {
        shell: { colour: shell, roughness: 0.25, specular: 0.7 },
        joint: { colour: [70, 74, 84], roughness: 0.4, specular: 0.5, metal: 0.4 },
        visor: { colour: [18, 22, 32], roughness: 0.08, specular: 1.1 },
        eye: { colour: [90, 226, 255], roughness: 0.4, glow: 1.8 },
        heart: { colour: [255, 150, 60], roughness: 0.4, glow: 1.2 },
      },
      parts: [
        box([0, 0.84, 0], [0.42, 0.36, 0.3], 'shell', { round: 0.2 }),
        ellipsoid([0, 0.5, 0], [0.3, 0.18, 0.24], 'joint', { blend: 0.06 }),
        cylinder([0, 1.22, 0], 0.13, 0.08, 'joint'),
        box([0, 1.58, 0], [0.5, 0.34, 0.36], 'shell', { round: 0.26 }),
        box([0, 1.58, 0.3], [0.38, 0.21, 0.1], 'visor', { round: 0.1, blend: 0.01 }),
        ellipsoid([0.16, 1.6, 0.385], [0.065, 0.09, 0.04], 'eye', { mirror: true }),
        torus([0, 1.5, 0.385], 0.07, 0.014, 'eye', { rotate: [0, 0, 180], above: 0.03 }),
        cylinder([0.52, 1.58, 0], 0.14, 0.06, 'joint', { rotate: [0, 0, 90], mirror: true, round: 0.03 }),
        capsule([0, 1.9, 0], [0, 2.1, 0], 0.025, 'joint'),
        sphere([0, 2.14, 0], 0.065, 'heart'),
        cylinder([0, 0.9, 0.29], 0.11, 0.03, 'joint', { rotate: [90, 0, 0], round: 0.02 }),
        cylinder([0, 0.9, 0.31], 0.08, 0.03, 'heart', { rotate: [90, 0, 0], round: 0.02 }),
        sphere([0.5, 1.02, 0], 0.14, 'joint', { mirror: true }),
        capsule([0.56, 0.96, 0], [0.66, 0.66, 0.12], 0.1, 'shell', { mirror: true, endRadius: 0.09, blend: 0.02 }),
        capsule([0.66, 0.62, 0.13], [0.62, 0.42, 0.3], 0.1, 'shell', { mirror: true, endRadius: 0.12, blend: 0.03 }),
        capsule([0.2, 0.44, 0], [0.22, 0.2, 0], 0.12, 'joint', { mirror: true }),
        box([0.22, 0.1, 0.07], [0.16, 0.1, 0.24], 'shell', { round: 0.09, mirror: true, blend: 0.02 }),
      ],
    }
  },
}

export const rocket: Model = {
  yaw: [-0.5, 0.5],
  pitch: 0.06,
  size: 1.05,
  flies: true,
  solid: (colour) => {
    const trim: Rgb = colour ?? [214, 52, 48]
    const lean: [number, number, number] = [0, 0, -24]
    // Everything leans together: the parts are laid out along a tilted axis.
    const at = (x: number, y: number, z: number): [number, number, number] => [x * cos(0.419) + (y - 1) * sin(0.419), 1 - x * sin(0.419) + (y - 1) * cos(0.419), z]
    return {
      stands: true,
      bound: { at: [0, 0.98, 0], radius: 1.26 },
      materials: {
        body: { colour: [238, 240, 244], roughness: 0.25, specular: 0.6 },
        trim: { colour: trim, roughness: 0.28, specular: 0.6 },
        ring: { colour: [120, 126, 136], roughness: 0.3, specular: 0.7, metal: 0.6 },
        pane: { colour: [70, 150, 210], roughness: 0.06, specular: 1.2 },
        fire: { colour: (x, y) => mix([255, 236, 150], [255, 120, 40], smooth(0.35, -0.05, y - x * 0.3)), roughness: 1, specular: 0, glow: 2.2 },
      },
      parts: [
        ellipsoid(at(0, 1.1, 0), [0.36, 0.86, 0.36], 'body', { rotate: lean }),
        cone(at(0, 1.78, 0), 0.23, 0.02, 0.24, 'trim', { rotate: lean, round: 0.02 }),
        cylinder(at(0, 0.44, 0), 0.24, 0.09, 'ring', { rotate: lean, round: 0.03 }),
        torus(at(0, 1.3, 0.31), 0.14, 0.035, 'ring', { rotate: lean }),
        sphere(at(0, 1.3, 0.24), 0.16, 'pane'),
        cylinder(at(0, 0.86, 0), 0.362, 0.05, 'trim', { rotate: lean, round: 0.02 }),
        ellipsoid(at(0.4, 0.56, 0), [0.2, 0.34, 0.045], 'trim', { rotate: [0, 0, -2], blend: 0.03 }),
        ellipsoid(at(-0.4, 0.56, 0), [0.2, 0.34, 0.045], 'trim', { rotate: [0, 0, -46], blend: 0.03 }),
        ellipsoid(at(0, 0.52, 0.36), [0.045, 0.34, 0.18], 'trim', { rotate: [20, 0, -24], blend: 0.03 }),
        ellipsoid(at(0, 0.14, 0), [0.17, 0.34, 0.17], 'fire', { rotate: lean }),
      ],
    }
  },
}

export const lamp: Model = {
  yaw: [-0.4, 0.4],
  pitch: 0.08,
  size: 0.85,
  solid: (colour) => ({
    stands: true,
    bound: { at: [0, 0.98, 0], radius: 1.1 },
    materials: {
      base: { colour: [200, 166, 104], roughness: 0.25, specular: 0.7, metal: 0.65 },
      shade: { colour: colour ?? [255, 226, 170], roughness: 0.9, specular: 0.03, glow: 0.8, translucent: 2 },
      bulb: { colour: [255, 240, 200], glow: 3, roughness: 1 },
    },
    parts: [
      cylinder([0, 0.06, 0], 0.4, 0.06, 'base', { round: 0.05 }),
      ellipsoid([0, 0.34, 0], [0.22, 0.28, 0.22], 'base', { blend: 0.12 }),
      capsule([0, 0.5, 0], [0, 1.2, 0], 0.045, 'base', { blend: 0.06 }),
      cone([0, 1.44, 0], 0.62, 0.36, 0.36, 'shade', { round: 0.02 }),
      cone([0, 1.42, 0], 0.58, 0.34, 0.4, 'shade', { subtract: true, blend: 0.01 }),
      sphere([0, 1.36, 0], 0.14, 'bulb'),
    ],
  }),
}

export const plant: Model = {
  yaw: [-0.6, 0.6],
  pitch: 0.14,
  size: 0.8,
  solid: (colour) => {
    const leaves: Part[] = []
    for (let i = 0; i < 17; i++) {
      const angle = i * 2.39996
      const up = 1 - i / 17
      const out = 0.16 + 0.38 * (1 - up * 0.7)
      const y = 0.95 + 0.62 * up
      leaves.push(ellipsoid([cos(angle) * out, y, sin(angle) * out], [0.3, 0.035, 0.13], 'leaf', { rotate: [0, (-angle * 360) / tau, 22 + 46 * up], blend: 0.015 }))
      leaves.push(capsule([0, 0.75, 0], [cos(angle) * out * 0.6, y - 0.08, sin(angle) * out * 0.6], 0.018, 'stem', { endRadius: 0.012 }))
    }
    return {
      stands: true,
      bound: { at: [0, 0.92, 0], radius: 1.12 },
      materials: {
        pot: { colour: colour ?? [198, 104, 66], roughness: 0.7, specular: 0.15 },
        soil: { colour: [58, 42, 32], roughness: 1, bump: [0.6, 20] },
        leaf: { colour: (x, y, z) => mix([44, 108, 52], [120, 178, 84], fbm(x * 5, y * 5 + z * 5, 3, 3)), roughness: 0.4, specular: 0.35, translucent: 1.6 },
        stem: { colour: [84, 130, 62], roughness: 0.7 },
      },
      parts: [
        cone([0, 0.34, 0], 0.3, 0.44, 0.34, 'pot', { round: 0.03 }),
        cylinder([0, 0.66, 0], 0.48, 0.08, 'pot', { round: 0.03 }),
        cylinder([0, 0.72, 0], 0.41, 0.05, 'pot', { subtract: true, blend: 0.01 }),
        cylinder([0, 0.68, 0], 0.42, 0.02, 'soil'),
        ...leaves,
      ],
    }
  },
}

export const chair: Model = {
  yaw: [-0.75, 0.75],
  pitch: 0.2,
  size: 1,
  solid: (colour) => ({
    stands: true,
    bound: { at: [0, 0.86, 0], radius: 1.14 },
    materials: { seat: cloth(colour ?? [86, 130, 140]), wood: wood([176, 122, 74]) },
    parts: [
      box([0, 0.74, 0.06], [0.5, 0.12, 0.48], 'seat', { round: 0.1 }),
      box([0, 1.24, -0.42], [0.48, 0.46, 0.1], 'seat', { round: 0.1, rotate: [-10, 0, 0], blend: 0.05 }),
      capsule([0.52, 0.72, 0.42], [0.52, 1.02, 0.38], 0.04, 'wood', { mirror: true }),
      capsule([0.52, 1.04, 0.42], [0.52, 1.06, -0.4], 0.05, 'wood', { mirror: true, blend: 0.02 }),
      capsule([0.42, 0.62, 0.4], [0.5, 0.04, 0.5], 0.05, 'wood', { endRadius: 0.035, mirror: true }),
      capsule([0.42, 0.62, -0.32], [0.5, 0.04, -0.46], 0.05, 'wood', { endRadius: 0.035, mirror: true }),
    ],
  }),
}

export const sofa: Model = {
  yaw: [-0.4, 0.4],
  pitch: 0.16,
  size: 1.3,
  solid: (colour) => {
    const fabric: Rgb = colour ?? [92, 120, 150]
    return {
      stands: true,
      bound: { at: [0, 0.58, 0], radius: 1.42 },
      materials: { fabric: cloth(fabric), cushion: cloth(mix(fabric, [255, 255, 255], 0.12)), pillow: cloth([226, 176, 84]), leg: wood([120, 78, 46]) },
      parts: [
        box([0, 0.36, 0], [1.2, 0.18, 0.5], 'fabric', { round: 0.08 }),
        box([0, 0.74, -0.4], [1.16, 0.4, 0.16], 'fabric', { round: 0.13, rotate: [-6, 0, 0], blend: 0.03 }),
        box([1.14, 0.56, 0.02], [0.16, 0.3, 0.52], 'fabric', { round: 0.13, mirror: true, blend: 0.02 }),
        box([0.49, 0.58, 0.06], [0.47, 0.12, 0.46], 'cushion', { round: 0.1, mirror: true }),
        box([0.49, 0.88, -0.24], [0.46, 0.27, 0.12], 'cushion', { round: 0.11, rotate: [-10, 0, 0], mirror: true }),
        box([-0.76, 0.88, 0.0], [0.24, 0.22, 0.08], 'pillow', { round: 0.08, rotate: [-18, 16, 10] }),
        capsule([1.08, 0.18, 0.4], [1.12, 0.03, 0.42], 0.05, 'leg', { mirror: true }),
        capsule([1.08, 0.18, -0.4], [1.12, 0.03, -0.42], 0.05, 'leg', { mirror: true }),
      ],
    }
  },
}

export const balloon: Model = {
  yaw: [-0.4, 0.4],
  pitch: 0.04,
  size: 0.7,
  flies: true,
  solid: (colour, random) => {
    const tone = colour ?? random.pick<Rgb>([[222, 50, 56], [60, 130, 220], [246, 190, 60], [120, 190, 90]])
    const sway = random.range(-0.1, 0.1)
    return {
      stands: true,
      bound: { at: [0, 0.98, 0], radius: 1.02 },
      materials: { rubber: { colour: tone, roughness: 0.1, specular: 1, translucent: 1.4 }, string: { colour: [240, 240, 236], roughness: 0.9 } },
      parts: [
        ellipsoid([0, 1.32, 0], [0.52, 0.6, 0.52], 'rubber'),
        cone([0, 0.76, 0], 0.02, 0.2, 0.14, 'rubber', { blend: 0.2 }),
        cone([0, 0.67, 0], 0.075, 0.02, 0.05, 'rubber', { blend: 0.02 }),
        capsule([0, 0.64, 0], [sway, 0.36, 0], 0.011, 'string'),
        capsule([sway, 0.36, 0], [-sway * 0.6, 0.04, 0], 0.011, 'string'),
      ],
    }
  },
}

export const book: Model = {
  yaw: [0.3, 0.7],
  pitch: 0.3,
  size: 0.65,
  solid: (colour) => {
    const cover: Rgb = colour ?? [150, 44, 50]
    const volume = (y: number, tone: string, turn: number, w: number): Part[] => [
      box([0, y, 0], [w, 0.13, 0.52], tone, { round: 0.03, rotate: [0, turn, 0] }),
      box([0.05, y, 0.03], [w, 0.1, 0.51], 'page', { round: 0.01, rotate: [0, turn, 0] }),
      box([0.0, y + 0.115, 0], [w + 0.04, 0.022, 0.54], tone, { round: 0.015, rotate: [0, turn, 0] }),
      box([0.0, y - 0.115, 0], [w + 0.04, 0.022, 0.54], tone, { round: 0.015, rotate: [0, turn, 0] }),
    ]
    return {
      stands: true,
      bound: { at: [0, 0.42, 0], radius: 1.02 },
      materials: {
        first: { colour: cover, roughness: 0.6, specular: 0.2 }, second: { colour: [46, 84, 120], roughness: 0.6, specular: 0.2 }, third: { colour: [206, 164, 82], roughness: 0.6, specular: 0.2 },
        page: { colour: (_x, y) => (sin(y * 240) > 0 ? [246, 238, 220] : [226, 216, 194]), roughness: 0.9, specular: 0.03 },
      },
      parts: [...volume(0.14, 'second', 6, 0.74), ...volume(0.42, 'third', -10, 0.68), ...volume(0.7, 'first', 8, 0.7)],
    }
  },
}

export const vase: Model = {
  yaw: [-0.4, 0.4],
  pitch: 0.14,
  size: 0.75,
  solid: (colour) => {
    const glaze: Rgb = colour ?? [84, 132, 170]
    const flowers: Part[] = []
    for (let i = 0; i < 7; i++) {
      const angle = i * 2.39996
      const out = i === 0 ? 0 : 0.2 + 0.22 * (i / 7)
      const [x, z, y] = [cos(angle) * out, sin(angle) * out, 1.86 - out * 0.5]
      flowers.push(capsule([0, 1.1, 0], [x, y, z], 0.018, 'stem'), sphere([x, y, z], 0.07, 'heart'))
      for (let petal = 0; petal < 6; petal++) {
        const turn = (petal / 6) * tau
        flowers.push(ellipsoid([x + cos(turn) * 0.1, y + sin(turn) * 0.085 + 0.02, z + 0.03], [0.075, 0.07, 0.035], i % 2 ? 'petal' : 'other', { blend: 0.01 }))
      }
    }
    return {
      stands: true,
      bound: { at: [0, 1.02, 0], radius: 1.16 },
      materials: {
        glaze: { colour: (_x, y) => (Math.abs(y - 0.78) < 0.03 || Math.abs(y - 0.68) < 0.012 ? [246, 240, 228] : glaze), roughness: 0.16, specular: 0.8 },
        stem: { colour: [84, 140, 66], roughness: 0.7 }, petal: { colour: [246, 150, 170], roughness: 0.7, translucent: 1.4 }, other: { colour: [252, 240, 220], roughness: 0.7, translucent: 1.4 },
        heart: { colour: [240, 190, 60], roughness: 0.8 },
      },
      parts: [
        ellipsoid([0, 0.5, 0], [0.44, 0.5, 0.44], 'glaze'),
        cylinder([0, 0.06, 0], 0.28, 0.06, 'glaze', { blend: 0.08, round: 0.02 }),
        cone([0, 1.02, 0], 0.2, 0.26, 0.22, 'glaze', { blend: 0.16, round: 0.02 }),
        cylinder([0, 1.2, 0], 0.21, 0.1, 'glaze', { subtract: true, blend: 0.01 }),
        ...flowers,
      ],
    }
  },
}

export const watch: Model = {
  yaw: [-0.5, 0.5],
  pitch: 0.12,
  size: 0.65,
  solid: (colour) => {
    const strap: Rgb = colour ?? [86, 54, 36]
    const marks: Part[] = []
    for (let i = 0; i < 12; i++) marks.push(box([sin((i / 12) * tau) * 0.4, 1 + cos((i / 12) * tau) * 0.4, 0.147], [0.016, 0.05, 0.012], 'metal', { rotate: [0, 0, (-i / 12) * 360], round: 0.006 }))
    return {
      stands: true,
      bound: { at: [0, 1, -0.1], radius: 1.12 },
      materials: {
        metal: { colour: [206, 208, 214], roughness: 0.2, specular: 0.9, metal: 0.75 },
        dial: { colour: [24, 34, 56], roughness: 0.3, specular: 0.5 },
        hand: { colour: [250, 250, 250], roughness: 0.4 },
        strap: { colour: (x, y) => scale(strap, 0.9 + 0.2 * fbm(x * 14, y * 14, 3, 3)), roughness: 0.7, specular: 0.15, bump: [0.2, 18] },
      },
      parts: [
        cylinder([0, 1, 0], 0.56, 0.13, 'metal', { rotate: [90, 0, 0], round: 0.06 }),
        cylinder([0, 1, 0.12], 0.49, 0.022, 'dial', { rotate: [90, 0, 0] }),
        torus([0, 1, 0.12], 0.51, 0.04, 'metal', { blend: 0.01 }),
        ...marks,
        capsule([0, 1, 0.16], [0.16, 1.16, 0.16], 0.02, 'hand'),
        capsule([0, 1, 0.17], [-0.18, 1.28, 0.17], 0.015, 'hand'),
        cylinder([0.6, 1, 0], 0.06, 0.05, 'metal', { rotate: [0, 0, 90], round: 0.02 }),
        box([0, 1.66, -0.1], [0.28, 0.28, 0.045], 'strap', { round: 0.04, rotate: [-16, 0, 0], blend: 0.02 }),
        box([0, 0.32, -0.1], [0.28, 0.3, 0.045], 'strap', { round: 0.04, rotate: [16, 0, 0], blend: 0.02 }),
      ],
    }
  },
}
