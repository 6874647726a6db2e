/** Animals, seen as a toymaker would. */
import type { Rgb } from '../../kernel/colour.ts'
import { mix, scale, smooth } from '../../kernel/colour.ts'
import { sin } from '../../kernel/math.ts'
import { fbm } from '../../kernel/noise.ts'
import { capsule, cone, cylinder, ellipsoid, sphere } from '../solid.ts'
import type { Material } from '../solid.ts'
import type { Model } from './model.ts'

const coatOf = (coat: Rgb, bump = 0.4): Material => ({ colour: (x, y, z) => mix(scale(coat, 0.78), mix(coat, [255, 240, 220], 0.22), fbm(x * 7, y * 7 + z * 5, 3, 3)), roughness: 0.85, specular: 0.1, isFur: true, bump: [bump, 14] })
const eye: Material = { colour: [22, 16, 12], roughness: 0.08, specular: 1.2 }

export const rabbit: Model = {
  yaw: [-0.7, 0.7],
  pitch: 0.12,
  size: 0.7,
  fur: { length: 0.024 },
  solid: (colour) => {
    const coat: Rgb = colour ?? [196, 172, 148]
    return {
      stands: true,
      bound: { at: [0, 1.02, 0], radius: 1.16 },
      materials: { fur: coatOf(coat), light: coatOf(mix(coat, [255, 250, 242], 0.7)), pink: { colour: [232, 168, 164], roughness: 0.7, specular: 0.1, translucent: 1 }, eye },
      parts: [
        ellipsoid([0, 0.46, -0.15], [0.44, 0.46, 0.52], 'fur'),
        ellipsoid([0, 0.6, 0.18], [0.3, 0.36, 0.26], 'light', { blend: 0.2 }),
        ellipsoid([0.34, 0.24, 0.05], [0.17, 0.24, 0.34], 'fur', { mirror: true, blend: 0.12 }),
        ellipsoid([0.32, 0.06, 0.34], [0.11, 0.07, 0.22], 'light', { mirror: true, blend: 0.07 }),
        capsule([0.12, 0.5, 0.34], [0.12, 0.08, 0.44], 0.1, 'fur', { endRadius: 0.08, mirror: true, blend: 0.08 }),
        ellipsoid([0, 1.12, 0.18], [0.33, 0.3, 0.31], 'fur', { blend: 0.16 }),
        ellipsoid([0.09, 1.02, 0.42], [0.12, 0.09, 0.1], 'light', { mirror: true, blend: 0.07 }),
        ellipsoid([0.14, 1.66, 0.06], [0.105, 0.42, 0.075], 'fur', { rotate: [-8, 0, -12], mirror: true, blend: 0.08 }),
        ellipsoid([0.145, 1.66, 0.115], [0.06, 0.34, 0.04], 'pink', { rotate: [-8, 0, -12], mirror: true, blend: 0.02 }),
        ellipsoid([0, 1.09, 0.5], [0.04, 0.03, 0.03], 'pink', { blend: 0.015 }),
        sphere([0.19, 1.18, 0.39], 0.06, 'eye', { mirror: true }),
        sphere([0, 0.42, -0.68], 0.16, 'light', { blend: 0.05 }),
      ],
    }
  },
}

export const bear: Model = {
  yaw: [-0.6, 0.6],
  pitch: 0.1,
  size: 1,
  fur: { length: 0.022 },
  solid: (colour) => {
    const coat: Rgb = colour ?? [142, 92, 54]
    return {
      stands: true,
      bound: { at: [0, 0.98, 0.05], radius: 1.14 },
      materials: { fur: coatOf(coat), light: coatOf(mix(coat, [240, 214, 176], 0.55)), nose: { colour: [30, 22, 20], roughness: 0.25, specular: 0.9 }, eye },
      parts: [
        ellipsoid([0, 0.6, 0], [0.52, 0.58, 0.44], 'fur'),
        ellipsoid([0, 0.58, 0.24], [0.34, 0.4, 0.24], 'light', { blend: 0.1 }),
        capsule([0.36, 0.24, 0.15], [0.42, 0.16, 0.55], 0.2, 'fur', { endRadius: 0.18, mirror: true, blend: 0.1 }),
        ellipsoid([0.43, 0.17, 0.7], [0.15, 0.17, 0.06], 'light', { mirror: true, blend: 0.05 }),
        capsule([0.44, 0.9, 0.1], [0.56, 0.5, 0.34], 0.16, 'fur', { endRadius: 0.15, mirror: true, blend: 0.12 }),
        ellipsoid([0, 1.42, 0.1], [0.42, 0.38, 0.38], 'fur', { blend: 0.12 }),
        ellipsoid([0, 1.31, 0.43], [0.2, 0.16, 0.17], 'light', { blend: 0.08 }),
        sphere([0.33, 1.74, 0.02], 0.15, 'fur', { mirror: true, blend: 0.06 }),
        sphere([0.335, 1.74, 0.1], 0.09, 'light', { mirror: true, blend: 0.03 }),
        ellipsoid([0, 1.39, 0.6], [0.08, 0.055, 0.05], 'nose', { blend: 0.015 }),
        sphere([0.155, 1.5, 0.44], 0.05, 'eye', { mirror: true }),
      ],
    }
  },
}

export const penguin: Model = {
  yaw: [-0.6, 0.6],
  pitch: 0.1,
  size: 0.75,
  solid: (colour) => ({
    stands: true,
    bound: { at: [0, 0.92, 0.05], radius: 1.04 },
    materials: {
      back: { colour: colour ?? [34, 40, 54], roughness: 0.55, specular: 0.3 },
      front: { colour: (_x, y) => mix([250, 250, 248], [255, 214, 120], smooth(0.95, 1.15, y) * smooth(1.34, 1.2, y) * 0.6), roughness: 0.7, specular: 0.15 },
      beak: { colour: [240, 150, 44], roughness: 0.4, specular: 0.4 },
      eye,
    },
    parts: [
      ellipsoid([0, 0.72, 0], [0.5, 0.66, 0.44], 'back'),
      ellipsoid([0, 0.68, 0.16], [0.4, 0.56, 0.34], 'front', { blend: 0.05 }),
      ellipsoid([0, 1.4, 0.02], [0.36, 0.35, 0.35], 'back', { blend: 0.16 }),
      ellipsoid([0.14, 1.38, 0.2], [0.16, 0.2, 0.17], 'front', { mirror: true, blend: 0.03 }),
      ellipsoid([0.53, 0.78, 0.02], [0.08, 0.42, 0.2], 'back', { rotate: [0, 0, 16], mirror: true, blend: 0.06 }),
      cone([0, 1.34, 0.46], 0.1, 0.015, 0.14, 'beak', { rotate: [90, 0, 0], blend: 0.02 }),
      sphere([0.14, 1.46, 0.33], 0.055, 'eye', { mirror: true }),
      ellipsoid([0.2, 0.05, 0.24], [0.17, 0.06, 0.26], 'beak', { mirror: true }),
    ],
  }),
}

export const bird: Model = {
  yaw: [0.5, 1.1],
  pitch: 0.08,
  size: 0.5,
  fur: { length: 0.014 },
  solid: (colour) => {
    const coat: Rgb = colour ?? [70, 140, 210]
    return {
      stands: true,
      bound: { at: [0, 0.78, -0.1], radius: 1.02 },
      materials: {
        feather: coatOf(coat, 0.25), breast: coatOf(mix(coat, [255, 226, 190], 0.75), 0.25), wing: coatOf(scale(coat, 0.7), 0.3),
        beak: { colour: [240, 170, 50], roughness: 0.4, specular: 0.4 }, leg: { colour: [200, 130, 60], roughness: 0.6 }, eye,
      },
      parts: [
        ellipsoid([0, 0.72, 0], [0.42, 0.44, 0.56], 'feather'),
        ellipsoid([0, 0.62, 0.2], [0.33, 0.34, 0.38], 'breast', { blend: 0.1 }),
        sphere([0, 1.2, 0.3], 0.32, 'feather', { blend: 0.14 }),
        ellipsoid([0, 1.1, 0.46], [0.2, 0.16, 0.14], 'breast', { blend: 0.06 }),
        cone([0, 1.18, 0.68], 0.085, 0.01, 0.13, 'beak', { rotate: [90, 0, 0], blend: 0.02 }),
        sphere([0.19, 1.27, 0.5], 0.058, 'eye', { mirror: true }),
        ellipsoid([0.4, 0.76, -0.12], [0.1, 0.27, 0.46], 'wing', { rotate: [-14, 0, 0], mirror: true, blend: 0.04 }),
        ellipsoid([0, 0.72, -0.74], [0.14, 0.06, 0.4], 'wing', { rotate: [14, 0, 0], blend: 0.1 }),
        capsule([0.14, 0.36, 0.06], [0.14, 0.03, 0.06], 0.028, 'leg', { mirror: true }),
        capsule([0.14, 0.03, 0.06], [0.14, 0.025, 0.24], 0.026, 'leg', { mirror: true }),
        capsule([0.14, 0.03, 0.08], [0.24, 0.025, 0.2], 0.022, 'leg', { mirror: true }),
      ],
    }
  },
}

export const fish: Model = {
  yaw: [0.9, 1.5],
  pitch: 0.06,
  size: 0.7,
  flies: false,
  solid: (colour) => {
    const coat: Rgb = colour ?? [238, 138, 43]
    return {
      stands: true,
      bound: { at: [0, 0.7, -0.1], radius: 1.15 },
      materials: {
        scale: { colour: (_x, y, z) => mix(mix(coat, [255, 248, 236], smooth(0.7, 0.3, y) * 0.8), scale(coat, 0.8), smooth(0.4, 0.8, sin(z * 26 + sin(y * 22) * 1.4) * 0.5 + 0.5) * 0.4), roughness: 0.25, specular: 0.7 },
        fin: { colour: mix(coat, [255, 200, 120], 0.35), roughness: 0.5, specular: 0.3, translucent: 2 },
        white: { colour: [250, 250, 248], roughness: 0.2, specular: 0.8 }, eye,
      },
      parts: [
        ellipsoid([0, 0.7, 0.12], [0.26, 0.42, 0.66], 'scale'),
        ellipsoid([0, 0.7, -0.55], [0.09, 0.17, 0.34], 'scale', { blend: 0.16 }),
        ellipsoid([0, 0.94, -0.98], [0.035, 0.32, 0.15], 'fin', { rotate: [38, 0, 0], blend: 0.08 }),
        ellipsoid([0, 0.46, -0.98], [0.035, 0.32, 0.15], 'fin', { rotate: [-38, 0, 0], blend: 0.08 }),
        ellipsoid([0, 1.1, -0.02], [0.035, 0.2, 0.36], 'fin', { rotate: [-12, 0, 0], blend: 0.06 }),
        ellipsoid([0, 0.3, -0.1], [0.03, 0.16, 0.18], 'fin', { rotate: [20, 0, 0], blend: 0.06 }),
        ellipsoid([0.28, 0.62, 0.16], [0.03, 0.1, 0.2], 'fin', { rotate: [0, -38, 24], mirror: true, blend: 0.04 }),
        sphere([0.2, 0.82, 0.52], 0.1, 'white', { mirror: true }),
        sphere([0.255, 0.825, 0.56], 0.058, 'eye', { mirror: true }),
      ],
    }
  },
}

export const snowman: Model = {
  yaw: [-0.5, 0.5],
  pitch: 0.1,
  size: 0.95,
  solid: (colour) => ({
    stands: true,
    bound: { at: [0, 1.05, 0], radius: 1.24 },
    materials: {
      snow: { colour: (x, y, z) => mix([226, 234, 246], [252, 253, 255], fbm(x * 6, y * 6 + z * 6, 3, 3)), roughness: 0.9, specular: 0.1, translucent: 0.8, bump: [0.16, 12] },
      coal: { colour: [28, 28, 32], roughness: 0.6 },
      carrot: { colour: [236, 126, 40], roughness: 0.6 },
      scarf: { colour: (x, y, z) => (sin((x + y + z) * 30) > 0.2 ? colour ?? [204, 44, 52] : mix(colour ?? [204, 44, 52], [255, 255, 255], 0.75)), roughness: 0.95 },
      twig: { colour: [96, 66, 44], roughness: 0.9 },
      hat: { colour: [36, 36, 44], roughness: 0.7, specular: 0.2 },
    },
    parts: [
      sphere([0, 0.52, 0], 0.56, 'snow'),
      sphere([0, 1.18, 0], 0.42, 'snow', { blend: 0.08 }),
      sphere([0, 1.7, 0], 0.32, 'snow', { blend: 0.06 }),
      ellipsoid([0, 1.46, 0], [0.32, 0.09, 0.32], 'scarf'),
      capsule([0.16, 1.44, 0.27], [0.24, 1.1, 0.42], 0.085, 'scarf', { endRadius: 0.09 }),
      cone([0, 1.69, 0.44], 0.065, 0.01, 0.17, 'carrot', { rotate: [90, 0, 0] }),
      sphere([0.11, 1.79, 0.28], 0.04, 'coal', { mirror: true }),
      sphere([0, 1.24, 0.42], 0.045, 'coal'),
      sphere([0, 1.02, 0.4], 0.045, 'coal'),
      capsule([0.4, 1.26, 0], [0.86, 1.55, 0.1], 0.03, 'twig', { endRadius: 0.018, mirror: true }),
      cylinder([0, 1.96, 0], 0.38, 0.025, 'hat', { round: 0.02 }),
      cylinder([0, 2.12, 0], 0.25, 0.17, 'hat', { round: 0.03 }),
    ],
  }),
}
