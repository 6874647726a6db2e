import type { Rgb } from '../../kernel/colour.ts'
import { mix, scale } from '../../kernel/colour.ts'
import { fbm } from '../../kernel/noise.ts'
import { capsule, ellipsoid, sphere } from '../solid.ts'
import type { Model } from './model.ts'

/** Sitting, mouth a little open. */
export const dog: Model = {
  yaw: [-0.75, 0.75],
  pitch: 0.1,
  size: 1,
  fur: { length: 0.03 },
  solid: (colour) => {
    const coat: Rgb = colour ?? [217, 154, 74]
    const isPale = coat[0] + coat[1] + coat[2] > 660
    return {
      stands: true,
      bound: { at: [0, 1.02, 0.05], radius: 1.22 },
      materials: {
        fur: { colour: (x, y, z) => mix(scale(coat, 0.74), mix(coat, [255, 236, 205], isPale ? 0.1 : 0.35), fbm(x * 7, y * 7 + z * 5, 3, 3)), roughness: 0.85, specular: 0.12, isFur: true, bump: [0.5, 14] },
        light: { colour: (x, y) => mix(mix(coat, [255, 240, 215], 0.5), [255, 244, 226], fbm(x * 8, y * 8, 5, 3)), roughness: 0.85, specular: 0.1, isFur: true, bump: [0.45, 14] },
        ear: { colour: (x, y) => mix(scale(coat, 0.6), scale(coat, 0.8), fbm(x * 9, y * 9, 2, 2)), roughness: 0.9, specular: 0.08, isFur: true, bump: [0.4, 14] },
        nose: { colour: [28, 22, 22], roughness: 0.25, specular: 0.9 },
        eye: { colour: [30, 16, 8], roughness: 0.08, specular: 1.2 },
        mouth: { colour: [70, 30, 30] },
        tongue: { colour: [226, 110, 120], roughness: 0.35, specular: 0.5, translucent: 1 },
      },
      parts: [
        ellipsoid([0, 0.62, -0.28], [0.46, 0.56, 0.5], 'fur'),
        ellipsoid([0, 0.92, 0.05], [0.38, 0.52, 0.36], 'fur', { rotate: [-14, 0, 0], blend: 0.25 }),
        ellipsoid([0, 0.9, 0.24], [0.26, 0.36, 0.2], 'light', { blend: 0.2 }),
        ellipsoid([0.36, 0.3, -0.2], [0.22, 0.32, 0.36], 'fur', { mirror: true, blend: 0.14 }),
        ellipsoid([0.36, 0.07, 0.12], [0.13, 0.09, 0.24], 'light', { mirror: true, blend: 0.1 }),
        capsule([0.2, 0.8, 0.28], [0.2, 0.1, 0.42], 0.15, 'fur', { endRadius: 0.1, mirror: true, blend: 0.14 }),
        ellipsoid([0.2, 0.08, 0.5], [0.13, 0.09, 0.18], 'light', { mirror: true, blend: 0.07 }),
        capsule([0, 1.2, 0.1], [0, 1.5, 0.16], 0.26, 'fur', { endRadius: 0.24, blend: 0.2 }),
        ellipsoid([0, 1.66, 0.2], [0.33, 0.31, 0.33], 'fur', { blend: 0.16 }),
        ellipsoid([0, 1.55, 0.5], [0.17, 0.135, 0.24], 'light', { blend: 0.13 }),
        ellipsoid([0.1, 1.5, 0.52], [0.11, 0.1, 0.17], 'light', { mirror: true, blend: 0.06 }),
        ellipsoid([0, 1.42, 0.46], [0.12, 0.06, 0.2], 'light', { blend: 0.05 }),
        ellipsoid([0.14, 1.8, 0.38], [0.1, 0.05, 0.08], 'fur', { mirror: true, blend: 0.08 }),
        ellipsoid([0.35, 1.58, 0.12], [0.09, 0.29, 0.17], 'ear', { rotate: [0, 0, 12], mirror: true, blend: 0.06 }),
        ellipsoid([0, 1.62, 0.73], [0.075, 0.055, 0.05], 'nose', { blend: 0.02 }),
        sphere([0.135, 1.71, 0.462], 0.06, 'eye', { mirror: true }),
        ellipsoid([0, 1.43, 0.6], [0.085, 0.03, 0.1], 'mouth', { blend: 0.02 }),
        ellipsoid([0.01, 1.37, 0.66], [0.062, 0.085, 0.03], 'tongue', { rotate: [25, 0, 0], blend: 0.02 }),
        capsule([0.1, 0.25, -0.75], [0.62, 0.14, -0.5], 0.12, 'light', { endRadius: 0.09, blend: 0.12 }),
      ],
    }
  },
}
