import type { Rgb } from '../../kernel/colour.ts'
import { mix, scale, smooth } from '../../kernel/colour.ts'
import { sin } from '../../kernel/math.ts'
import { fbm } from '../../kernel/noise.ts'
import { capsule, cone, ellipsoid } from '../solid.ts'
import type { Model } from './model.ts'

export const cat: Model = {
  yaw: [-0.75, 0.75],
  pitch: 0.1,
  size: 0.9,
  fur: { length: 0.02 },
  solid: (colour) => {
    const coat: Rgb = colour ?? [217, 138, 61]
    const brightness = (coat[0] + coat[1] + coat[2]) / 765
    // White and black cats have no stripes to speak of.
    const stripes = brightness > 0.85 ? 0.93 : brightness < 0.25 ? 0.86 : 0.62
    return {
      stands: true,
      bound: { at: [0, 0.95, 0], radius: 1.12 },
      materials: {
        fur: { colour: (x, y, z) => mix(scale(coat, stripes), mix(coat, [255, 235, 205], brightness < 0.25 ? 0.04 : 0.25), smooth(-0.3, 0.5, sin(y * 22 + fbm(x * 5, z * 5 + y * 3, 4, 2) * 5))), roughness: 0.85, specular: 0.1, isFur: true, bump: [0.35, 16] },
        light: { colour: mix(coat, [255, 248, 238], brightness < 0.25 ? 0.16 : 0.8), roughness: 0.85, specular: 0.1, isFur: true, bump: [0.3, 16] },
        nose: { colour: [214, 120, 120], roughness: 0.4, specular: 0.5 },
        eye: { colour: (x) => (Math.abs(Math.abs(x) - 0.135) < 0.017 ? [12, 14, 10] : [158, 196, 66]), roughness: 0.06, specular: 1.2 },
        pink: { colour: [226, 160, 150], roughness: 0.7, specular: 0.1, translucent: 1 },
        whisker: { colour: [250, 248, 244], roughness: 0.6 },
      },
      parts: [
        ellipsoid([0, 0.5, -0.2], [0.42, 0.5, 0.46], 'fur'),
        ellipsoid([0, 0.85, 0.05], [0.3, 0.45, 0.3], 'fur', { blend: 0.25 }),
        ellipsoid([0, 0.8, 0.22], [0.2, 0.3, 0.15], 'light', { blend: 0.15 }),
        capsule([0.14, 0.7, 0.22], [0.14, 0.08, 0.32], 0.11, 'fur', { endRadius: 0.085, mirror: true, blend: 0.1 }),
        ellipsoid([0.14, 0.07, 0.38], [0.1, 0.07, 0.13], 'light', { mirror: true, blend: 0.05 }),
        ellipsoid([0.32, 0.22, -0.05], [0.17, 0.25, 0.3], 'fur', { mirror: true, blend: 0.12 }),
        ellipsoid([0, 1.46, 0.14], [0.35, 0.29, 0.28], 'fur', { blend: 0.14 }),
        ellipsoid([0.09, 1.36, 0.37], [0.11, 0.085, 0.09], 'light', { mirror: true, blend: 0.05 }),
        ellipsoid([0, 1.29, 0.34], [0.09, 0.06, 0.08], 'light', { blend: 0.05 }),
        cone([0.24, 1.76, 0.1], 0.15, 0.01, 0.17, 'fur', { rotate: [-6, 0, -16], mirror: true, blend: 0.07 }),
        cone([0.24, 1.73, 0.17], 0.09, 0.01, 0.12, 'pink', { rotate: [-6, 0, -16], mirror: true, blend: 0.02 }),
        ellipsoid([0, 1.41, 0.455], [0.035, 0.024, 0.025], 'nose', { blend: 0.01 }),
        ellipsoid([0.135, 1.5, 0.372], [0.078, 0.073, 0.042], 'eye', { rotate: [0, 20, 0], mirror: true }),
        capsule([0.15, 1.36, 0.42], [0.42, 1.4, 0.34], 0.006, 'whisker', { endRadius: 0.003, mirror: true }),
        capsule([0.15, 1.34, 0.42], [0.42, 1.31, 0.34], 0.006, 'whisker', { endRadius: 0.003, mirror: true }),
        capsule([0.25, 0.12, -0.5], [0.62, 0.16, -0.1], 0.08, 'fur', { endRadius: 0.07, blend: 0.1 }),
        capsule([0.62, 0.16, -0.1], [0.6, 0.36, 0.1], 0.07, 'light', { endRadius: 0.06, blend: 0.05 }),
      ],
    }
  },
}
