/** Flowers large enough to be a picture, and the butterfly that comes to them. */
import type { Rgb } from '../../kernel/colour.ts'
import { mix, scale, smooth } from '../../kernel/colour.ts'
import { atan2, cos, length, sin, tau } from '../../kernel/math.ts'
import { fbm } from '../../kernel/noise.ts'
import { capsule, cylinder, ellipsoid, sphere } from '../solid.ts'
import type { Material, Part } from '../solid.ts'
import type { Model } from './model.ts'

const leaf: Material = { colour: (x, y, z) => mix([38, 96, 44], [104, 158, 70], fbm(x * 6, y * 6 + z * 5, 3, 3)), roughness: 0.5, specular: 0.25, translucent: 1.2 }
const stem: Material = { colour: [82, 132, 58], roughness: 0.7 }

export const sunflower: Model = {
  yaw: [-0.45, 0.45],
  pitch: 0.04,
  size: 1,
  alone: 1.15,
  solid: (colour) => {
    const yellow: Rgb = colour ?? [250, 186, 28]
    const petals: Part[] = []
    for (const [count, ring, z, shift] of [[17, 0.47, -0.01, 0], [17, 0.43, 0.045, 0.5]] as const) {
      for (let i = 0; i < count; i++) {
        const angle = ((i + shift) / count) * tau
        petals.push(ellipsoid([cos(angle) * ring, 1.6 + sin(angle) * ring, z], [0.25, 0.082, 0.022], 'petal', { rotate: [0, 0, (angle / tau) * 360] }))
      }
    }
    return {
      stands: true,
      bound: { at: [0, 1.12, 0.05], radius: 1.3 },
      materials: {
        petal: { colour: (x, y) => mix(mix([222, 116, 14], yellow, smooth(0.26, 0.5, length(x, y - 1.6))), [255, 224, 96], smooth(0.5, 0.72, length(x, y - 1.6)) * 0.5), roughness: 0.7, specular: 0.1, translucent: 1.8 },
        heart: { colour: (x, y) => mix(mix([52, 30, 18], [112, 68, 30], smooth(0.1, 0.28, length(x, y - 1.6))), [36, 22, 14], sin(length(x, y - 1.6) * 130 + atan2(y - 1.6, x) * 5) > 0.4 ? 0.6 : 0), roughness: 0.95, bump: [0.8, 30] },
        leaf, stem,
      },
      parts: [
        capsule([0, 0, -0.1], [0.05, 0.8, -0.12], 0.05, 'stem', { endRadius: 0.045 }),
        capsule([0.05, 0.8, -0.12], [0, 1.58, -0.1], 0.045, 'stem', { endRadius: 0.06, blend: 0.03 }),
        ellipsoid([0, 1.6, -0.06], [0.3, 0.3, 0.08], 'stem', { blend: 0.04 }),
        ...petals,
        ellipsoid([0, 1.6, 0.05], [0.3, 0.3, 0.1], 'heart'),
        ellipsoid([0.34, 0.66, -0.02], [0.34, 0.03, 0.19], 'leaf', { rotate: [24, 12, 24] }),
        ellipsoid([-0.28, 0.9, -0.02], [0.32, 0.03, 0.17], 'leaf', { rotate: [24, -12, 156] }),
        ellipsoid([-0.3, 0.4, 0], [0.3, 0.028, 0.16], 'leaf', { rotate: [30, -10, 160] }),
      ],
    }
  },
}

export const tulip: Model = {
  yaw: [-0.5, 0.5],
  pitch: 0.3,
  size: 0.85,
  alone: 1.1,
  solid: (colour) => {
    const red: Rgb = colour ?? [200, 28, 48]
    const petals: Part[] = []
    // Whorl within whorl: each petal is a shell, its inside taken away.
    for (const [count, ring, y, radius, lean, shift] of [[5, 0.24, 1.5, 0.31, 34, 0], [5, 0.16, 1.58, 0.27, 20, 0.5], [4, 0.09, 1.64, 0.22, 10, 0.2], [3, 0.04, 1.68, 0.16, 4, 0.6]] as const) {
      for (let i = 0; i < count; i++) {
        const angle = ((i + shift) / count) * tau
        const at: [number, number, number] = [sin(angle) * ring, y, cos(angle) * ring]
        petals.push(ellipsoid(at, [radius, radius * 1.02, radius * 0.62], 'petal', {
          rotate: [lean * 0.4, (angle / tau) * 360, 0],
          cut: { at: [-sin(angle) * ring * 0.2, y + radius * 0.42, -cos(angle) * ring * 0.2], radii: [radius + ring * 0.62 - 0.012, radius * 1.1, radius + ring * 0.62 - 0.012] },
        }))
      }
    }
    return {
      stands: true,
      bound: { at: [0, 1.0, 0], radius: 1.16 },
      materials: {
        petal: { colour: (x, y, z) => mix(scale(red, 0.5), mix(red, [255, 200, 200], 0.16), smooth(1.36, 1.9, y + length(x, z) * 0.4)), roughness: 0.65, specular: 0.14, translucent: 1.2 },
        leaf, stem,
      },
      parts: [
        capsule([0, 0, 0], [0.04, 0.7, 0], 0.04, 'stem', { endRadius: 0.036 }),
        capsule([0.04, 0.7, 0], [0, 1.3, 0], 0.036, 'stem', { endRadius: 0.05, blend: 0.03 }),
        sphere([0, 1.3, 0], 0.13, 'stem', { blend: 0.06 }),
        ...[0, 1, 2, 3, 4].map((i): Part => ellipsoid([sin((i / 5) * tau) * 0.2, 1.24, cos((i / 5) * tau) * 0.2], [0.05, 0.02, 0.16], 'leaf', { rotate: [14, i * 72, 0], blend: 0.02 })),
        ...petals,
        ellipsoid([0.3, 0.74, 0.05], [0.25, 0.025, 0.14], 'leaf', { rotate: [22, 10, 26] }),
        ellipsoid([-0.25, 0.5, 0.05], [0.24, 0.025, 0.13], 'leaf', { rotate: [22, -10, 152] }),
        ellipsoid([-0.17, 0.92, -0.02], [0.16, 0.02, 0.09], 'leaf', { rotate: [20, -10, 148] }),
      ],
    }
  },
}

export const butterfly: Model = {
  yaw: [-0.5, 0.5],
  pitch: 0.1,
  size: 0.6,
  flies: true,
  solid: (colour) => {
    const wing: Rgb = colour ?? [244, 128, 28]
    const pattern = (cx: number, cy: number, far: number): Material['colour'] => (x, y) => {
      const X = Math.abs(x) - cx
      const Y = y - cy
      const r = length(X, Y) / far
      const vein = Math.abs(sin(atan2(Y, X) * 7 + 0.6))
      const rim = smooth(0.8, 0.86, r)
      const dots = rim * smooth(0.82, 0.9, Math.abs(sin(atan2(Y, X) * 16))) * smooth(0.9, 0.93, r) * smooth(0.985, 0.96, r)
      const lit = mix(mix(wing, [255, 232, 150], smooth(0.5, 0.1, r) * 0.5), [26, 20, 22], Math.max(rim, smooth(0.16, 0.06, vein) * smooth(0.15, 0.4, r)))
      return mix(lit, [255, 250, 240], dots)
    }
    return {
      stands: true,
      bound: { at: [0, 1.0, 0.04], radius: 1.16 },
      materials: {
        upper: { colour: pattern(0.06, 1.04, 0.98), roughness: 0.6, specular: 0.25, translucent: 1.4 }, lower: { colour: pattern(0.06, 0.98, 0.82), roughness: 0.6, specular: 0.25, translucent: 1.4 },
        body: { colour: (_x, y) => scale([58, 42, 38], sin(y * 60) > 0 ? 1 : 0.7), roughness: 0.9, isFur: true, bump: [0.4, 24] }, dark: { colour: [24, 20, 22] },
      },
      parts: [
        ellipsoid([0.5, 1.34, 0.07], [0.52, 0.33, 0.016], 'upper', { rotate: [0, -14, 36], mirror: true }),
        ellipsoid([0.68, 1.52, 0.11], [0.3, 0.21, 0.015], 'upper', { rotate: [0, -14, 24], mirror: true, blend: 0.05 }),
        ellipsoid([0.4, 0.72, 0.05], [0.4, 0.29, 0.016], 'lower', { rotate: [0, -14, -42], mirror: true }),
        ellipsoid([0, 1.06, 0.04], [0.058, 0.21, 0.06], 'body'),
        ellipsoid([0, 0.76, 0.04], [0.042, 0.24, 0.042], 'body', { blend: 0.05 }),
        sphere([0, 1.3, 0.05], 0.066, 'body', { blend: 0.03 }),
        capsule([0.03, 1.34, 0.06], [0.2, 1.68, 0.14], 0.011, 'dark', { endRadius: 0.008, mirror: true }),
        sphere([0.2, 1.69, 0.14], 0.022, 'dark', { mirror: true }),
      ],
    }
  },
}

export const wineGlass: Model = {
  yaw: [-0.2, 0.2],
  pitch: 0.13,
  size: 0.75,
  alone: 1.05,
  solid: (colour) => {
    const wine: Rgb = colour ?? [104, 12, 34]
    return {
      stands: true,
      bound: { at: [0, 0.98, 0], radius: 1.08 },
      materials: {
        // The bowl shows its wine below and what stands behind it above.
        bowl: { colour: (x, y) => (y < 1.4 ? mix(scale(wine, 0.5), wine, smooth(0.42, 0, Math.abs(x))) : [236, 241, 246]), clear: (y) => (y < 1.4 ? 0.04 : 0.8), roughness: 0.05, specular: 1.3 },
        wine: { colour: mix(wine, [200, 60, 80], 0.22), roughness: 0.12, specular: 0.7 }, glass: { colour: [226, 232, 238], clear: () => 0.6, roughness: 0.05, specular: 1.4 },
      },
      parts: [
        ellipsoid([0, 1.42, 0], [0.44, 0.54, 0.44], 'bowl'),
        cylinder([0, 1.98, 0], 0.5, 0.2, 'glass', { subtract: true, blend: 0.012 }),
        ellipsoid([0, 1.5, 0], [0.405, 0.52, 0.405], 'glass', { subtract: true, blend: 0.01 }),
        cylinder([0, 1.39, 0], 0.42, 0.02, 'wine'),
        ellipsoid([0, 1.2, 0], [0.37, 0.26, 0.37], 'bowl'),
        capsule([0, 0.9, 0], [0, 0.1, 0], 0.04, 'glass', { endRadius: 0.045, blend: 0.05 }),
        ellipsoid([0, 0.05, 0], [0.34, 0.045, 0.34], 'glass', { blend: 0.07 }),
      ],
    }
  },
}
