/** Things to eat. */
import type { Rgb } from '../../kernel/colour.ts'
import { mix, scale, smooth } from '../../kernel/colour.ts'
import { cos, sin, tau } from '../../kernel/math.ts'
import { fbm, noise2 } from '../../kernel/noise.ts'
import { capsule, cone, cylinder, ellipsoid, sphere, torus } from '../solid.ts'
import type { Part } from '../solid.ts'
import type { Model } from './model.ts'

export const apple: Model = {
  yaw: [-0.6, 0.6],
  pitch: 0.2,
  size: 0.5,
  solid: (colour) => {
    const skin: Rgb = colour ?? [200, 36, 40]
    return {
      stands: true,
      bound: { at: [0, 0.84, 0], radius: 1.02 },
      materials: {
        skin: { colour: (x, y, z) => mix(mix(skin, [250, 210, 90], smooth(0.55, 0.8, fbm(x * 2 + z, y * 1.4, 5, 3)) * 0.5 + smooth(1.35, 1.5, y) * 0.5), scale(skin, 0.75), smooth(0.5, 0.75, noise2(x * 18 + z * 9, y * 3, 6)) * 0.35), roughness: 0.2, specular: 0.7 },
        stem: { colour: [96, 66, 40], roughness: 0.8 },
        leaf: { colour: (x) => mix([70, 140, 52], [120, 180, 76], smooth(0, 0.5, x)), roughness: 0.45, specular: 0.3, translucent: 1 },
      },
      parts: [
        ellipsoid([0, 0.78, 0], [0.74, 0.68, 0.74], 'skin'),
        ellipsoid([0, 0.36, 0], [0.5, 0.36, 0.5], 'skin', { blend: 0.2 }),
        cone([0, 1.46, 0], 0.06, 0.4, 0.22, 'skin', { subtract: true, blend: 0.22 }),
        capsule([0, 1.24, 0], [0.06, 1.64, 0], 0.035, 'stem', { endRadius: 0.045, blend: 0.02 }),
        ellipsoid([0.29, 1.56, 0.06], [0.28, 0.03, 0.13], 'leaf', { rotate: [14, 10, 24] }),
      ],
    }
  },
}

export const cake: Model = {
  yaw: [-0.4, 0.4],
  pitch: 0.34,
  size: 0.75,
  solid: (colour) => {
    const icing: Rgb = colour ?? [246, 178, 196]
    const parts: Part[] = [
      cylinder([0, 0.05, 0], 1.02, 0.05, 'plate', { round: 0.04 }),
      cylinder([0, 0.44, 0], 0.82, 0.36, 'sponge', { round: 0.06 }),
      cylinder([0, 0.8, 0], 0.84, 0.1, 'icing', { round: 0.08, blend: 0.04 }),
    ]
    for (let i = 0; i < 12; i++) {
      const angle = (i / 12) * tau
      // Icing that ran down, farther here than there.
      parts.push(capsule([cos(angle) * 0.8, 0.78, sin(angle) * 0.8], [cos(angle) * 0.82, 0.6 - 0.12 * sin(i * 2.3), sin(angle) * 0.82], 0.09, 'icing', { endRadius: 0.075, blend: 0.06 }))
      parts.push(sphere([cos(angle + 0.26) * 0.66, 0.95, sin(angle + 0.26) * 0.66], 0.1, 'cream', { blend: 0.03 }))
    }
    for (let i = 0; i < 5; i++) {
      const angle = (i / 5) * tau + 0.3
      const [x, z] = [cos(angle) * 0.34, sin(angle) * 0.34]
      parts.push(cylinder([x, 1.1, z], 0.045, 0.22, 'candle', { round: 0.02 }), ellipsoid([x, 1.42, z], [0.045, 0.09, 0.045], 'flame'))
    }
    return {
      stands: true,
      bound: { at: [0, 0.74, 0], radius: 1.24 },
      materials: {
        plate: { colour: [244, 242, 238], roughness: 0.2, specular: 0.7 },
        sponge: { colour: (x, y, z) => (Math.abs(y - 0.42) < 0.05 ? mix(icing, [255, 255, 255], 0.4) : mix([206, 150, 88], [236, 190, 128], fbm(x * 14 + z * 9, y * 14, 3, 3))), roughness: 0.9, specular: 0.05, bump: [0.3, 24] },
        icing: { colour: icing, roughness: 0.35, specular: 0.4, translucent: 0.8 },
        cream: { colour: [255, 252, 246], roughness: 0.5, specular: 0.2, translucent: 1 },
        candle: { colour: (x, y, z) => (sin(y * 40 + x * 20 + z * 20) > 0 ? [90, 160, 230] : [250, 250, 250]), roughness: 0.5 },
        flame: { colour: [255, 206, 96], roughness: 0.9, specular: 0, glow: 2.5 },
      },
      parts,
    }
  },
}

export const burger: Model = {
  yaw: [-0.4, 0.4],
  pitch: 0.16,
  size: 0.65,
  solid: () => {
    const seeds: Part[] = []
    for (let i = 0; i < 16; i++) {
      const angle = i * 2.39996
      const out = 0.12 + 0.46 * Math.sqrt(i / 16)
      seeds.push(ellipsoid([cos(angle) * out, 0.86 + 0.5 * Math.sqrt(Math.max(0, 1 - (out / 0.86) ** 2)), sin(angle) * out], [0.045, 0.022, 0.03], 'seed', { rotate: [0, i * 50, 0] }))
    }
    const frill: Part[] = []
    for (let i = 0; i < 14; i++) {
      const angle = (i / 14) * tau
      frill.push(ellipsoid([cos(angle) * 0.8, 0.62 + 0.04 * sin(i * 5), sin(angle) * 0.8], [0.18, 0.045, 0.18], 'lettuce', { blend: 0.05, rotate: [20 * sin(angle), 0, -20 * cos(angle)] }))
    }
    return {
      stands: true,
      bound: { at: [0, 0.7, 0], radius: 1.1 },
      materials: {
        bun: { colour: (x, y, z) => mix([196, 122, 52], [236, 176, 96], smooth(0.3, 0.7, fbm(x * 3, y * 3 + z * 3, 3, 3)) * 0.6 + smooth(1.3, 0.85, y) * 0.4), roughness: 0.35, specular: 0.35 },
        meat: { colour: (x, y, z) => mix([70, 38, 24], [116, 66, 40], fbm(x * 12, y * 12 + z * 12, 3, 4)), roughness: 0.7, specular: 0.3, bump: [0.6, 18] },
        cheese: { colour: [250, 190, 50], roughness: 0.35, specular: 0.4, translucent: 1 },
        lettuce: { colour: (x, _y, z) => mix([92, 160, 52], [160, 206, 90], noise2(x * 14, z * 14, 3)), roughness: 0.5, specular: 0.3, translucent: 1.2 },
        tomato: { colour: [208, 46, 36], roughness: 0.25, specular: 0.6 },
        seed: { colour: [250, 234, 196], roughness: 0.5 },
      },
      parts: [
        cylinder([0, 0.16, 0], 0.82, 0.16, 'bun', { round: 0.12 }),
        cylinder([0, 0.4, 0], 0.86, 0.13, 'meat', { round: 0.1 }),
        cylinder([0, 0.55, 0], 0.84, 0.025, 'cheese', { round: 0.02 }),
        cone([0.62, 0.45, 0.55], 0.01, 0.2, 0.12, 'cheese', { blend: 0.03 }),
        cone([-0.7, 0.46, 0.42], 0.01, 0.2, 0.1, 'cheese', { blend: 0.03 }),
        ...frill,
        cylinder([0, 0.74, 0], 0.78, 0.055, 'tomato', { round: 0.04 }),
        ellipsoid([0, 0.84, 0], [0.86, 0.52, 0.86], 'bun', { cut: { at: [0, 0.2, 0], radii: [1.4, 0.64, 1.4] } }),
        ...seeds,
      ],
    }
  },
}

export const mushroom: Model = {
  yaw: [-0.5, 0.5],
  pitch: 0.06,
  size: 0.6,
  solid: (colour) => {
    const cap: Rgb = colour ?? [206, 40, 36]
    const dots: Part[] = []
    for (let i = 0; i < 15; i++) {
      const angle = i * 2.39996
      const up = 0.12 + 0.84 * (1 - i / 15)
      const out = 0.8 * Math.sqrt(Math.max(0, 1 - up * up))
      dots.push(ellipsoid([cos(angle) * out, 0.98 + 0.56 * up, sin(angle) * out], [0.085, 0.05, 0.085], 'dot', { blend: 0.015, rotate: [sin(angle) * out * 60, 0, -cos(angle) * out * 60] }))
    }
    return {
      stands: true,
      bound: { at: [0, 0.8, 0], radius: 1.08 },
      materials: {
        cap: { colour: (x, y, z) => mix(scale(cap, 0.85), cap, fbm(x * 3, y * 3 + z, 3, 3)), roughness: 0.22, specular: 0.6 },
        dot: { colour: [252, 246, 232], roughness: 0.8 },
        stem: { colour: (x, y) => mix([236, 222, 196], [250, 244, 230], fbm(x * 12, y * 3, 4, 3)), roughness: 0.8, translucent: 1 },
        gill: { colour: [240, 226, 200], roughness: 0.9, translucent: 1 },
      },
      parts: [
        cone([0, 0.48, 0], 0.32, 0.2, 0.48, 'stem', { round: 0.05 }),
        torus([0, 0.78, 0], 0.22, 0.05, 'gill', { rotate: [90, 0, 0], blend: 0.06 }),
        ellipsoid([0, 0.98, 0], [0.8, 0.56, 0.8], 'cap', { cut: { at: [0, 0.42, 0], radii: [1.2, 0.6, 1.2] }, blend: 0.03 }),
        ellipsoid([0, 1.0, 0], [0.7, 0.08, 0.7], 'gill', { blend: 0.02 }),
        ...dots,
      ],
    }
  },
}
