/** Things a shop would photograph. */
import type { Rgb } from '../../kernel/colour.ts'
import { luminance, mix, smooth } from '../../kernel/colour.ts'
import { sin } from '../../kernel/math.ts'
import { fbm } from '../../kernel/noise.ts'
import { box, capsule, cone, cylinder, sphere, torus } from '../solid.ts'
import type { Model } from './model.ts'

export const headphones: Model = {
  yaw: [0.35, 0.8],
  pitch: 0.16,
  size: 1,
  solid: (colour) => {
    const body: Rgb = colour ?? [42, 44, 48]
    return {
      stands: true,
      bound: { at: [0, 0.9, 0], radius: 1.2 },
      materials: {
        body: { colour: body, roughness: 0.42, specular: 0.55 },
        pad: { colour: luminance(body) > 150 ? [62, 60, 60] : [26, 25, 26], roughness: 0.75, specular: 0.2, bump: [0.12, 26] },
        metal: { colour: [205, 205, 210], roughness: 0.25, specular: 0.8, metal: 0.75 },
        accent: { colour: luminance(body) < 90 ? [196, 160, 110] : [70, 72, 78], roughness: 0.3, specular: 0.7, metal: 0.6 },
      },
      parts: [
        torus([0, 0.9, 0], 0.78, 0.05, 'body', { depth: 0.15, above: -0.02 }),
        torus([0, 0.87, 0], 0.71, 0.05, 'pad', { depth: 0.13, above: 0.42, blend: 0.02 }),
        capsule([0.785, 0.92, 0], [0.8, 0.60, 0], 0.045, 'metal', { mirror: true, blend: 0.02 }),
        cylinder([0.8, 0.4, 0], 0.4, 0.13, 'body', { round: 0.1, rotate: [0, 0, 84], mirror: true, blend: 0.03 }),
        cylinder([0.945, 0.4, 0], 0.25, 0.04, 'accent', { round: 0.03, rotate: [0, 0, 84], mirror: true, blend: 0.01 }),
        cylinder([0.955, 0.4, 0], 0.2, 0.045, 'body', { round: 0.02, rotate: [0, 0, 84], mirror: true, blend: 0.01 }),
        torus([0.62, 0.38, 0], 0.26, 0.12, 'pad', { rotate: [0, 96, 0], mirror: true, blend: 0.02 }),
        cylinder([0.66, 0.38, 0], 0.25, 0.04, 'pad', { rotate: [0, 0, 84], mirror: true }),
      ],
    }
  },
}

export const bottle: Model = {
  yaw: [-0.5, 0.5],
  pitch: 0.1,
  size: 0.8,
  solid: (colour) => {
    const liquid: Rgb = colour ?? [201, 116, 59]
    return {
      stands: true,
      bound: { at: [0, 1.05, 0], radius: 1.14 },
      materials: {
        glass: { colour: (_x, y) => (y < 1.15 ? mix(liquid, [255, 240, 220], 0.12 + 0.25 * smooth(0.4, 1.15, y)) : mix(liquid, [235, 235, 235], 0.75)), roughness: 0.1, specular: 1, translucent: 2.5, glow: 0.18 },
        cap: { colour: [212, 176, 110], roughness: 0.22, specular: 0.8, metal: 0.8 },
        label: { colour: (x, y) => ((Math.abs(y - 0.7) < 0.02 && Math.abs(x) < 0.2) || (Math.abs(y - 0.6) < 0.012 && Math.abs(x) < 0.13) ? [120, 100, 70] : [246, 240, 228]), roughness: 0.7, specular: 0.15 },
      },
      parts: [
        box([0, 0.72, 0], [0.52, 0.7, 0.26], 'glass', { round: 0.12 }),
        cylinder([0, 1.46, 0], 0.15, 0.1, 'cap', { round: 0.03, blend: 0.05 }),
        cylinder([0, 1.78, 0], 0.22, 0.24, 'cap', { round: 0.04 }),
        box([0, 0.66, 0.255], [0.34, 0.26, 0.02], 'label', { round: 0.015 }),
      ],
    }
  },
}

export const mug: Model = {
  yaw: [-0.5, 0.4],
  pitch: 0.42,
  size: 0.62,
  solid: (colour) => {
    const glaze: Rgb = colour ?? [242, 239, 233]
    return {
      stands: true,
      bound: { at: [0.12, 0.62, 0], radius: 0.98 },
      materials: {
        glaze: { colour: glaze, roughness: 0.22, specular: 0.7 },
        coffee: { colour: (x, _y, z) => mix([58, 30, 16], [206, 160, 112], smooth(0.3, 0.62, fbm(x * 5 + sin(z * 6), z * 5, 3, 3)) * 0.85), roughness: 0.3, specular: 0.4 },
        saucer: { colour: mix(glaze, [255, 255, 255], 0.2), roughness: 0.22, specular: 0.7 },
      },
      parts: [
        cone([0, 0.68, 0], 0.44, 0.58, 0.56, 'glaze', { round: 0.05 }),
        cone([0, 0.86, 0], 0.44, 0.54, 0.56, 'glaze', { round: 0.02, subtract: true, blend: 0.03 }),
        cylinder([0, 1.0, 0], 0.5, 0.03, 'coffee'),
        torus([0.62, 0.68, 0], 0.27, 0.075, 'glaze', { blend: 0.06 }),
        cylinder([0, 1.02, 0], 0.5, 0.02, 'coffee'),
        cylinder([0, 0.06, 0], 0.86, 0.035, 'saucer', { round: 0.03 }),
      ],
    }
  },
}

export const jar: Model = {
  yaw: [-0.5, 0.5],
  pitch: 0.22,
  size: 0.6,
  solid: (colour) => ({
    stands: true,
    bound: { at: [0, 0.62, 0], radius: 0.98 },
    materials: {
      glass: { colour: colour ?? [232, 201, 192], roughness: 0.3, specular: 0.6, translucent: 1 },
      lid: { colour: [238, 234, 228], roughness: 0.3, specular: 0.6 },
      label: { colour: (_x, y) => (Math.abs(y - 0.46) < 0.012 || Math.abs(y - 0.36) < 0.006 ? [150, 130, 110] : [250, 247, 242]), roughness: 0.7, specular: 0.15 },
    },
    parts: [
      cylinder([0, 0.42, 0], 0.74, 0.42, 'glass', { round: 0.1 }),
      cylinder([0, 1.0, 0], 0.76, 0.16, 'lid', { round: 0.05 }),
      box([0, 0.42, 0.72], [0.3, 0.2, 0.028], 'label', { round: 0.02 }),
    ],
  }),
}

export const phone: Model = {
  yaw: [-0.6, 0.6],
  pitch: 0.1,
  size: 0.75,
  solid: (colour) => ({
    stands: true,
    bound: { at: [0, 1, 0], radius: 1.15 },
    materials: {
      body: { colour: colour ?? [31, 33, 38], roughness: 0.25, specular: 0.7, metal: 0.3 },
      screen: {
        colour: (x, y) => {
          const t = fbm(x * 2.2 + 3, y * 1.6, 8, 4)
          return mix(mix([40, 60, 160], [230, 90, 140], smooth(0.3, 0.7, t)), [255, 200, 120], smooth(0.55, 0.8, t))
        }, roughness: 0.08, specular: 1, glow: 0.55,
      },
      notch: { colour: [10, 10, 12], roughness: 0.2, specular: 0.8 },
    },
    parts: [
      box([0, 1, 0], [0.5, 1, 0.055], 'body', { round: 0.05 }),
      box([0, 1, 0.045], [0.465, 0.962, 0.02], 'screen', { round: 0.02 }),
      box([0, 1.9, 0.06], [0.1, 0.022, 0.01], 'notch', { round: 0.01 }),
    ],
  }),
}

export const ball: Model = {
  yaw: [-0.4, 0.4],
  pitch: 0.12,
  size: 0.7,
  solid: (colour) => ({
    stands: true,
    bound: { at: [0, 0.8, 0], radius: 0.9 },
    materials: { skin: { colour: colour ?? [195, 74, 58], roughness: 0.2, specular: 0.8 } },
    parts: [sphere([0, 0.8, 0], 0.8, 'skin')],
  }),
}
