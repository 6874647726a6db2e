/** Wild animals: the sitting ones share a build, as a toymaker's moulds do; the large ones stand. */
import type { Rgb } from '../../kernel/colour.ts'
import { mix, scale, smooth } from '../../kernel/colour.ts'
import { cos, sin, tau } from '../../kernel/math.ts'
import { fbm } from '../../kernel/noise.ts'
import { capsule, cone, cylinder, ellipsoid, sphere } from '../solid.ts'
import type { Material, Part, Solid } from '../solid.ts'
import type { Model } from './model.ts'

const coatOf = (coat: Rgb, bump = 0.4): Material => ({ colour: (x, y, z) => mix(scale(coat, 0.78), mix(coat, [255, 240, 220], 0.2), fbm(x * 7, y * 7 + z * 5, 3, 3)), roughness: 0.85, specular: 0.1, isFur: true, bump: [bump, 14] })
const eye: Material = { colour: [22, 14, 10], roughness: 0.08, specular: 1.2 }
const nose: Material = { colour: [26, 22, 22], roughness: 0.25, specular: 0.9 }
const glint = (x: number, y: number, z: number): Part => sphere([x, y, z], 0.014, 'glint', { mirror: true })
const glintOf: Material = { colour: [255, 255, 255], glow: 0.8 }

interface Canine { coat: Rgb; light: Rgb; socks: Rgb; tailTip: Rgb; cheeks: number }

/** Pointed ears, narrow muzzle, a brush of a tail laid round the feet. */
function canine({ coat, light, socks, tailTip, cheeks }: Canine): Solid {
  return {
    stands: true,
    bound: { at: [0.1, 1, 0.05], radius: 1.2 },
    materials: {
      fur: coatOf(coat), light: coatOf(light, 0.35), tip: coatOf(tailTip), nose, eye, glint: glintOf, dark: coatOf(socks, 0.25),
      leg: { ...coatOf(coat), colour: (x, y, z) => mix(mix(socks, coat, smooth(0.34, 0.52, y)), scale(coat, 0.8), fbm(x * 7, y * 7 + z * 5, 3, 3) * 0.4) },
    },
    parts: [
      ellipsoid([0, 0.5, -0.22], [0.36, 0.46, 0.42], 'fur'),
      ellipsoid([0, 0.85, 0.03], [0.27, 0.46, 0.27], 'fur', { rotate: [-12, 0, 0], blend: 0.2 }),
      ellipsoid([0, 0.86, 0.2], [0.19, 0.33, 0.15], 'light', { blend: 0.14 }),
      ellipsoid([0.3, 0.26, -0.12], [0.17, 0.27, 0.31], 'fur', { mirror: true, blend: 0.12 }),
      ellipsoid([0.31, 0.06, 0.14], [0.1, 0.07, 0.19], 'dark', { mirror: true, blend: 0.06 }),
      capsule([0.14, 0.74, 0.2], [0.14, 0.1, 0.33], 0.105, 'leg', { endRadius: 0.078, mirror: true, blend: 0.08 }),
      ellipsoid([0.14, 0.065, 0.39], [0.092, 0.065, 0.13], 'dark', { mirror: true, blend: 0.05 }),
      capsule([0, 1.1, 0.06], [0, 1.38, 0.1], 0.22, 'fur', { blend: 0.16 }),
      ellipsoid([0, 1.52, 0.12], [0.31, 0.27, 0.28], 'fur', { blend: 0.12 }),
      ellipsoid([0.2, 1.4, 0.19], [0.17 * cheeks, 0.12, 0.16], 'light', { rotate: [0, 0, -22], mirror: true, blend: 0.08 }),
      capsule([0, 1.45, 0.3], [0, 1.405, 0.62], 0.125, 'fur', { endRadius: 0.052, blend: 0.08 }),
      capsule([0, 1.38, 0.3], [0, 1.365, 0.58], 0.1, 'light', { endRadius: 0.05, blend: 0.04 }),
      ellipsoid([0, 1.425, 0.665], [0.05, 0.04, 0.04], 'nose', { blend: 0.01 }),
      sphere([0.125, 1.545, 0.365], 0.05, 'eye', { mirror: true }),
      glint(0.115, 1.565, 0.407),
      cone([0.2, 1.86, 0.06], 0.145, 0.012, 0.21, 'fur', { rotate: [-6, 0, -14], mirror: true, blend: 0.06 }),
      cone([0.2, 1.83, 0.125], 0.085, 0.01, 0.15, 'dark', { rotate: [-6, 0, -14], mirror: true, blend: 0.02 }),
      capsule([0.12, 0.2, -0.5], [0.62, 0.2, -0.3], 0.13, 'fur', { endRadius: 0.19, blend: 0.1 }),
      capsule([0.62, 0.2, -0.3], [0.74, 0.2, 0.1], 0.19, 'fur', { endRadius: 0.17, blend: 0.06 }),
      capsule([0.74, 0.19, 0.16], [0.62, 0.17, 0.38], 0.165, 'tip', { endRadius: 0.05, blend: 0.03 }),
    ],
  }
}

export const fox: Model = {
  yaw: [-0.75, 0.35], pitch: 0.1, size: 0.85, fur: { length: 0.024 },
  solid: (colour) => canine({ coat: colour ?? [222, 112, 38], light: [252, 244, 232], socks: [52, 36, 32], tailTip: [252, 246, 238], cheeks: 1.15 }),
}

export const wolf: Model = {
  yaw: [-0.75, 0.35], pitch: 0.1, size: 1, fur: { length: 0.022 },
  solid: (colour) => {
    const coat: Rgb = colour ?? [98, 102, 110]
    return canine({ coat, light: mix(coat, [244, 242, 238], 0.62), socks: mix(coat, [240, 238, 234], 0.3), tailTip: scale(coat, 0.55), cheeks: 1.05 })
  },
}

/** A great cat, sitting. `mane` grows a lion's. */
function bigCat({ coat, isStriped, mane }: { coat: Rgb; isStriped: boolean; mane: Rgb | null }): Solid {
  const collar: Part[] = []
  if (mane) {
    for (let i = 0; i < 13; i++) {
      const angle = (i / 13) * tau
      collar.push(ellipsoid([sin(angle) * 0.36, 1.5 + cos(angle) * 0.34, 0.02 - 0.05 * cos(angle)], [0.19, 0.19, 0.2], 'mane', { blend: 0.07 }))
    }
    collar.push(ellipsoid([0, 1.02, 0.16], [0.32, 0.38, 0.26], 'mane', { blend: 0.12 }), ellipsoid([0, 1.35, -0.12], [0.44, 0.46, 0.28], 'mane', { blend: 0.1 }))
  }
  const striped = (base: Rgb): Material['colour'] => (x, y, z) => {
    const wave = sin((y * 1.1 + z * 0.55) * 17 + fbm(x * 4, y * 4 + z * 4, 6, 3) * 7)
    const band = smooth(0.45, 0.72, wave) * (Math.abs(x) > 0.05 || y > 1.6 ? 1 : 0.3)
    return mix(mix(scale(base, 0.86), mix(base, [255, 236, 200], 0.2), fbm(x * 7, y * 7, 3, 3)), [34, 26, 24], band * 0.92)
  }
  const fur = coatOf(coat)
  return {
    stands: true,
    bound: { at: [0.05, 1.0, 0.02], radius: mane ? 1.2 : 1.16 },
    materials: {
      fur: isStriped ? { ...fur, colour: striped(coat) } : fur, light: coatOf([250, 240, 224], 0.3), mane: coatOf(mane ?? coat, 0.7), nose: { colour: [176, 104, 92], roughness: 0.4, specular: 0.5 },
      iris: { colour: [206, 160, 52], roughness: 0.1, specular: 1 }, eye, glint: glintOf, dark: coatOf([44, 32, 28]), tuft: coatOf(mane ?? [34, 26, 24]), whisker: { colour: [250, 248, 244] }, mouth: { colour: [70, 40, 36] },
    },
    parts: [
      ellipsoid([0, 0.55, -0.22], [0.43, 0.52, 0.47], 'fur'),
      ellipsoid([0, 0.9, 0.03], [0.34, 0.48, 0.31], 'fur', { rotate: [-10, 0, 0], blend: 0.22 }),
      ellipsoid([0, 0.84, 0.22], [0.2, 0.34, 0.16], 'light', { blend: 0.15 }),
      ellipsoid([0.36, 0.28, -0.08], [0.19, 0.29, 0.33], 'fur', { mirror: true, blend: 0.12 }),
      ellipsoid([0.37, 0.08, 0.2], [0.13, 0.085, 0.2], 'light', { mirror: true, blend: 0.07 }),
      capsule([0.19, 0.78, 0.22], [0.19, 0.12, 0.36], 0.145, 'fur', { endRadius: 0.115, mirror: true, blend: 0.1 }),
      ellipsoid([0.19, 0.085, 0.42], [0.135, 0.085, 0.16], 'light', { mirror: true, blend: 0.06 }),
      ...collar,
      ellipsoid([0, 1.52, 0.14], [0.36, 0.33, 0.32], 'fur', { blend: mane ? 0.05 : 0.14 }),
      ellipsoid([0.11, 1.4, 0.42], [0.13, 0.105, 0.12], 'light', { mirror: true, blend: 0.06 }),
      ellipsoid([0, 1.3, 0.38], [0.13, 0.09, 0.12], 'light', { blend: 0.06 }),
      ellipsoid([0, 1.53, 0.4], [0.1, 0.12, 0.14], 'fur', { blend: 0.07 }),
      ellipsoid([0, 1.475, 0.545], [0.075, 0.046, 0.04], 'nose', { blend: 0.012 }),
      capsule([0, 1.43, 0.54], [0, 1.37, 0.53], 0.012, 'mouth'),
      sphere([0.155, 1.6, 0.395], 0.062, 'iris', { mirror: true }),
      sphere([0.156, 1.6, 0.425], 0.042, 'eye', { mirror: true }),
      glint(0.145, 1.622, 0.464),
      sphere([0.29, 1.82, 0.08], 0.125, 'fur', { mirror: true, blend: 0.05 }),
      sphere([0.295, 1.82, 0.155], 0.072, 'light', { mirror: true, blend: 0.03 }),
      ...[0.02, -0.02].map((dy): Part => capsule([0.17, 1.41 + dy, 0.5], [0.46, 1.43 + dy * 3.4, 0.4], 0.006, 'whisker', { endRadius: 0.003, mirror: true })),
      capsule([0.2, 0.14, -0.56], [0.74, 0.14, -0.28], 0.085, 'fur', { endRadius: 0.07, blend: 0.08 }),
      capsule([0.74, 0.14, -0.28], [0.82, 0.2, 0.12], 0.07, 'fur', { endRadius: 0.06, blend: 0.05 }),
      ellipsoid([0.82, 0.22, 0.2], mane ? [0.11, 0.11, 0.15] : [0.07, 0.07, 0.12], 'tuft', { blend: 0.03 }),
    ],
  }
}

export const tiger: Model = { yaw: [-0.65, 0.45], pitch: 0.1, size: 1.1, fur: { length: 0.02 }, solid: (colour) => bigCat({ coat: colour ?? [232, 136, 44], isStriped: true, mane: null }) }
export const lion: Model = { yaw: [-0.55, 0.4], pitch: 0.1, size: 1.1, fur: { length: 0.03 }, solid: (colour) => bigCat({ coat: colour ?? [212, 160, 86], isStriped: false, mane: [128, 70, 32] }) }

/** Black ears, patches, arms and legs on white. */
export const panda: Model = {
  yaw: [-0.5, 0.5], pitch: 0.1, size: 1, fur: { length: 0.022 },
  solid: () => ({
    stands: true,
    bound: { at: [0, 0.96, 0.05], radius: 1.14 },
    materials: { white: coatOf([244, 240, 232], 0.3), black: coatOf([40, 38, 42], 0.3), nose, eye, glint: glintOf },
    parts: [
      ellipsoid([0, 0.6, 0], [0.53, 0.58, 0.45], 'white'),
      ellipsoid([0, 1.0, 0.0], [0.46, 0.17, 0.38], 'black', { blend: 0.1 }),
      capsule([0.38, 0.24, 0.15], [0.44, 0.17, 0.55], 0.21, 'black', { endRadius: 0.18, mirror: true, blend: 0.03 }),
      capsule([0.45, 0.95, 0.1], [0.53, 0.52, 0.36], 0.165, 'black', { endRadius: 0.15, mirror: true, blend: 0.04 }),
      ellipsoid([0, 1.42, 0.1], [0.45, 0.39, 0.39], 'white', { blend: 0.03 }),
      ellipsoid([0, 1.31, 0.43], [0.18, 0.13, 0.14], 'white', { blend: 0.09 }),
      sphere([0.35, 1.75, 0.02], 0.15, 'black', { mirror: true, blend: 0.02 }),
      ellipsoid([0.17, 1.46, 0.42], [0.105, 0.135, 0.075], 'black', { rotate: [0, 0, 28], mirror: true, blend: 0.015 }),
      ellipsoid([0, 1.37, 0.57], [0.075, 0.05, 0.05], 'nose', { blend: 0.012 }),
      sphere([0.15, 1.48, 0.478], 0.045, 'eye', { mirror: true }),
      glint(0.14, 1.5, 0.516),
    ],
  }),
}

export const elephant: Model = {
  yaw: [0.45, 0.95], pitch: 0.08, size: 1.4, alone: 1.2,
  solid: (colour) => {
    const hide: Rgb = colour ?? [140, 138, 144]
    return {
      stands: true,
      bound: { at: [0, 0.88, 0.2], radius: 1.34 },
      materials: {
        hide: { colour: (x, y, z) => scale(hide, 0.78 + 0.38 * fbm(x * 6, y * 8 + z * 5, 3, 4)), roughness: 0.9, specular: 0.08, bump: [0.35, 13] },
        inner: { colour: mix(hide, [222, 160, 150], 0.45), roughness: 0.9 }, ivory: { colour: [246, 236, 212], roughness: 0.4, specular: 0.4 }, nail: { colour: mix(hide, [240, 226, 208], 0.6) }, eye, glint: glintOf,
      },
      parts: [
        ellipsoid([0, 1.02, -0.15], [0.54, 0.52, 0.74], 'hide'),
        ellipsoid([0, 1.1, 0.32], [0.44, 0.46, 0.4], 'hide', { blend: 0.2 }),
        capsule([0.29, 0.8, 0.38], [0.29, 0.13, 0.42], 0.2, 'hide', { endRadius: 0.17, mirror: true, blend: 0.12 }),
        capsule([0.31, 0.8, -0.55], [0.31, 0.13, -0.56], 0.23, 'hide', { endRadius: 0.175, mirror: true, blend: 0.12 }),
        cylinder([0.29, 0.06, 0.42], 0.19, 0.06, 'hide', { round: 0.03, mirror: true, blend: 0.04 }),
        cylinder([0.31, 0.06, -0.56], 0.195, 0.06, 'hide', { round: 0.03, mirror: true, blend: 0.04 }),
        ...[-0.09, 0, 0.09].map((dx): Part => sphere([0.29 + dx, 0.05, 0.59 - Math.abs(dx) * 0.4], 0.045, 'nail', { mirror: true, blend: 0.01 })),
        ellipsoid([0, 1.4, 0.72], [0.35, 0.38, 0.36], 'hide', { blend: 0.16 }),
        sphere([0.13, 1.66, 0.72], 0.2, 'hide', { mirror: true, blend: 0.1 }),
        capsule([0, 1.28, 0.98], [0, 0.85, 1.2], 0.175, 'hide', { endRadius: 0.13, blend: 0.12 }),
        capsule([0, 0.85, 1.2], [0, 0.45, 1.22], 0.13, 'hide', { endRadius: 0.1, blend: 0.05 }),
        capsule([0, 0.45, 1.22], [0, 0.34, 1.4], 0.1, 'hide', { endRadius: 0.075, blend: 0.05 }),
        capsule([0, 0.34, 1.4], [0, 0.48, 1.5], 0.075, 'hide', { endRadius: 0.065, blend: 0.04 }),
        ellipsoid([0.5, 1.38, 0.5], [0.33, 0.44, 0.055], 'hide', { rotate: [0, 28, -8], mirror: true, blend: 0.06 }),
        ellipsoid([0.52, 1.36, 0.55], [0.24, 0.34, 0.035], 'inner', { rotate: [0, 28, -8], mirror: true, blend: 0.02 }),
        capsule([0.17, 1.12, 0.98], [0.24, 0.92, 1.26], 0.055, 'ivory', { endRadius: 0.035, mirror: true }),
        capsule([0.24, 0.92, 1.26], [0.23, 0.97, 1.45], 0.035, 'ivory', { endRadius: 0.01, mirror: true, blend: 0.02 }),
        sphere([0.25, 1.45, 0.98], 0.045, 'eye', { mirror: true }),
        glint(0.245, 1.468, 1.018),
        capsule([0, 1.1, -0.86], [0.05, 0.6, -1.0], 0.045, 'hide', { endRadius: 0.025, blend: 0.06 }),
        ellipsoid([0.05, 0.54, -1.01], [0.04, 0.1, 0.04], 'eye'),
      ],
    }
  },
}

/** Standing, seen from the side; a unicorn has a horn and a pale mane besides. */
function equine({ coat, mane, hasHorn }: { coat: Rgb; mane: Rgb; hasHorn: boolean }): Solid {
  const crest: Part[] = []
  for (let i = 0; i < 8; i++) {
    const t = i / 7
    crest.push(ellipsoid([0.03, 1.98 - t * 0.56, 0.72 - t * 0.4], [0.07, 0.14, 0.1], 'mane', { rotate: [24, 0, 0], blend: 0.05 }))
  }
  const leg = (x: number, z: number, bend: number, thick: number): Part[] => [
    capsule([x, 1.12, z], [x, 0.6, z + bend], thick, 'coat', { endRadius: 0.085, mirror: true, blend: 0.1 }),
    capsule([x, 0.6, z + bend], [x, 0.16, z], 0.08, 'coat', { endRadius: 0.062, mirror: true, blend: 0.04 }),
    cone([x, 0.075, z + 0.02], 0.105, 0.075, 0.075, 'hoof', { round: 0.02, mirror: true }),
  ]
  return {
    stands: true,
    bound: hasHorn ? { at: [0, 1.32, 0.14], radius: 1.64 } : { at: [0, 1.16, 0.12], radius: 1.46 },
    materials: {
      coat: { colour: (x, y, z) => mix(scale(coat, 0.84), mix(coat, [255, 236, 210], 0.12), fbm(x * 5, y * 5 + z * 5, 3, 3)), roughness: 0.55, specular: 0.22, bump: [0.1, 20] },
      mane: { colour: (x, y, z) => scale(mane, 0.75 + 0.5 * fbm(x * 8 + z * 18, y * 6 - z * 10, 3, 3)), roughness: 0.7, specular: 0.2, isFur: true, bump: [0.7, 18] },
      muzzle: { colour: hasHorn ? [240, 206, 204] : scale(coat, 0.55), roughness: 0.7 }, hoof: { colour: hasHorn ? [214, 178, 96] : [50, 42, 38], roughness: 0.5, specular: 0.3 },
      horn: { colour: (_x, y, z) => mix([228, 182, 78], [255, 236, 178], sin((y + z) * 70) * 0.5 + 0.5), roughness: 0.25, specular: 0.8, metal: 0.3 }, eye, glint: glintOf,
    },
    parts: [
      ellipsoid([0, 1.24, -0.1], [0.32, 0.34, 0.66], 'coat'),
      ellipsoid([0, 1.27, 0.4], [0.29, 0.36, 0.3], 'coat', { blend: 0.16 }),
      ellipsoid([0, 1.32, -0.55], [0.33, 0.36, 0.34], 'coat', { blend: 0.14 }),
      capsule([0, 1.42, 0.5], [0, 1.92, 0.84], 0.25, 'coat', { endRadius: 0.15, blend: 0.14 }),
      capsule([0, 2.0, 0.88], [0, 1.76, 1.24], 0.165, 'coat', { endRadius: 0.105, blend: 0.08 }),
      ellipsoid([0, 1.73, 1.28], [0.105, 0.115, 0.12], 'muzzle', { blend: 0.06 }),
      ellipsoid([0, 1.9, 0.92], [0.12, 0.16, 0.15], 'coat', { blend: 0.08 }),
      cone([0.09, 2.23, 0.8], 0.062, 0.008, 0.12, 'coat', { rotate: [-12, 0, -10], mirror: true, blend: 0.04 }),
      sphere([0.135, 2.0, 0.99], 0.043, 'eye', { mirror: true }),
      glint(0.155, 2.02, 1.015),
      sphere([0.06, 1.73, 1.385], 0.02, 'eye', { mirror: true }),
      ...crest,
      ellipsoid([0, 2.13, 0.98], [0.06, 0.1, 0.1], 'mane', { rotate: [-40, 0, 0], blend: 0.04 }),
      ...leg(0.17, 0.48, 0.03, 0.15),
      ...leg(0.19, -0.62, -0.07, 0.19),
      capsule([0, 1.42, -0.86], [0, 1.12, -1.08], 0.075, 'mane', { endRadius: 0.11, blend: 0.06 }),
      capsule([0, 1.12, -1.08], [0, 0.5, -1.12], 0.12, 'mane', { endRadius: 0.05, blend: 0.08 }),
      ...(hasHorn ? [cone([0, 2.36, 1.1], 0.062, 0.006, 0.27, 'horn', { rotate: [32, 0, 0] })] : []),
    ],
  }
}

export const horse: Model = { yaw: [0.95, 1.3], pitch: 0.07, size: 1.3, alone: 1.2, solid: (colour) => equine({ coat: colour ?? [140, 82, 46], mane: colour ? scale(colour, 0.45) : [46, 32, 26], hasHorn: false }) }
export const unicorn: Model = { yaw: [0.9, 1.25], pitch: 0.07, size: 1.3, alone: 1.2, solid: (colour) => equine({ coat: colour ?? [246, 242, 246], mane: [232, 150, 200], hasHorn: true }) }

export const owl: Model = {
  yaw: [-0.45, 0.45], pitch: 0.08, size: 0.65, fur: { length: 0.018 },
  solid: (colour) => {
    const coat: Rgb = colour ?? [142, 102, 66]
    return {
      stands: true,
      bound: { at: [0, 0.86, 0], radius: 1.02 },
      materials: {
        feather: coatOf(coat), wing: { ...coatOf(scale(coat, 0.72)), colour: (x, y, z) => mix(scale(coat, 0.55), scale(coat, 0.95), smooth(-0.2, 0.5, sin(y * 34 + sin(z * 18) * 1.4))) },
        breast: { ...coatOf(mix(coat, [255, 244, 222], 0.7)), colour: (x, y) => mix(mix(coat, [255, 244, 222], 0.75), scale(coat, 0.8), smooth(0.3, 0.8, sin(y * 38 + Math.abs(sin(x * 24)) * 2.4))) },
        disc: coatOf(mix(coat, [255, 246, 228], 0.66), 0.25), iris: { colour: [246, 178, 40], roughness: 0.08, specular: 1.1 }, eye, glint: glintOf, beak: { colour: [86, 74, 66], roughness: 0.4, specular: 0.4 }, claw: { colour: [206, 160, 80] },
      },
      parts: [
        ellipsoid([0, 0.68, 0], [0.46, 0.62, 0.42], 'feather'),
        ellipsoid([0, 0.62, 0.18], [0.34, 0.48, 0.28], 'breast', { blend: 0.06 }),
        ellipsoid([0, 1.26, 0.04], [0.44, 0.36, 0.38], 'feather', { blend: 0.16 }),
        ellipsoid([0.17, 1.27, 0.29], [0.215, 0.225, 0.12], 'disc', { rotate: [0, 16, 0], mirror: true, blend: 0.03 }),
        sphere([0.175, 1.29, 0.34], 0.115, 'iris', { mirror: true }),
        sphere([0.178, 1.29, 0.4], 0.074, 'eye', { mirror: true }),
        glint(0.165, 1.322, 0.468),
        cone([0, 1.16, 0.44], 0.06, 0.008, 0.1, 'beak', { rotate: [160, 0, 0], blend: 0.015 }),
        cone([0.29, 1.58, 0.02], 0.11, 0.01, 0.17, 'feather', { rotate: [0, 0, -26], mirror: true, blend: 0.07 }),
        ellipsoid([0.45, 0.68, -0.02], [0.13, 0.5, 0.32], 'wing', { rotate: [0, 0, 8], mirror: true, blend: 0.04 }),
        ...[-0.07, 0, 0.07].map((dx): Part => capsule([0.17 + dx, 0.05, 0.26], [0.17 + dx * 1.3, 0.03, 0.42], 0.042, 'claw', { mirror: true, blend: 0.02 })),
        ellipsoid([0, 0.2, -0.38], [0.22, 0.28, 0.1], 'wing', { rotate: [30, 0, 0], blend: 0.06 }),
      ],
    }
  },
}
