/** Heroes of stories: an astronaut and a dragon. */
import type { Rgb } from '../../kernel/colour.ts'
import { mix, scale, smooth } from '../../kernel/colour.ts'
import { sin } from '../../kernel/math.ts'
import { fbm } from '../../kernel/noise.ts'
import { box, capsule, cone, cylinder, ellipsoid, plate, sphere, torus } from '../solid.ts'
import type { Part } from '../solid.ts'
import type { Model } from './model.ts'

/** Whole, in the suit, waving. */
export const astronaut: Model = {
  yaw: [-0.5, 0.4],
  pitch: 0.06,
  size: 1.1,
  alone: 1.15,
  solid: (colour) => {
    const suit: Rgb = colour ?? [236, 238, 242]
    return {
      stands: true,
      bound: { at: [0, 1.12, 0], radius: 1.26 },
      materials: {
        suit: { colour: (x, y, z) => scale(suit, 0.9 + 0.12 * fbm(x * 7, y * 9 + z * 6, 3, 3)), roughness: 0.75, specular: 0.12, bump: [0.22, 9] },
        joint: { colour: [150, 156, 166], roughness: 0.6, specular: 0.3 }, shell: { colour: [246, 247, 250], roughness: 0.25, specular: 0.6 },
        visor: { colour: (_x, y) => mix([120, 62, 14], [250, 190, 80], smooth(1.6, 2.0, y)), roughness: 0.05, specular: 1.3, metal: 0.55 },
        trim: { colour: [224, 84, 40], roughness: 0.6 }, glow: { colour: [90, 210, 255], glow: 1.4 }, dark: { colour: [58, 62, 72], roughness: 0.5 },
      },
      parts: [
        ellipsoid([0, 1.14, 0], [0.42, 0.44, 0.32], 'suit'),
        ellipsoid([0, 0.84, 0], [0.37, 0.26, 0.3], 'suit', { blend: 0.12 }),
        torus([0, 0.86, 0], 0.345, 0.035, 'joint', { rotate: [90, 0, 0], depth: 0.05 }),
        box([0, 1.2, -0.36], [0.36, 0.42, 0.16], 'shell', { round: 0.1 }),
        torus([0, 1.5, 0], 0.28, 0.06, 'joint', { rotate: [90, 0, 0] }),
        sphere([0, 1.82, 0.02], 0.43, 'shell'),
        ellipsoid([0, 1.83, 0.17], [0.335, 0.29, 0.3], 'visor', { blend: 0.012 }),
        torus([0, 1.83, 0.27], 0.335, 0.03, 'shell', { depth: 0.05, blend: 0.02 }),
        cylinder([0.43, 1.82, 0], 0.1, 0.045, 'joint', { rotate: [0, 0, 90], round: 0.02, mirror: true }),
        capsule([-0.4, 1.4, 0], [-0.68, 1.06, 0.12], 0.155, 'suit', { endRadius: 0.13, blend: 0.08 }),
        capsule([-0.68, 1.04, 0.12], [-0.62, 0.72, 0.28], 0.13, 'suit', { endRadius: 0.11, blend: 0.05 }),
        sphere([-0.61, 0.63, 0.32], 0.125, 'joint', { blend: 0.03 }),
        capsule([0.4, 1.4, 0], [0.78, 1.42, 0.1], 0.155, 'suit', { endRadius: 0.13, blend: 0.08 }),
        capsule([0.78, 1.42, 0.1], [0.9, 1.8, 0.16], 0.13, 'suit', { endRadius: 0.11, blend: 0.05 }),
        sphere([0.92, 1.92, 0.17], 0.12, 'joint', { blend: 0.03 }),
        ...[-0.09, 0, 0.09].map((dx): Part => capsule([0.92 + dx * 0.8, 1.97, 0.18], [0.92 + dx * 1.5, 2.06, 0.2], 0.05, 'joint', { blend: 0.02 })),
        capsule([0.2, 0.72, 0], [0.24, 0.42, 0.04], 0.195, 'suit', { endRadius: 0.17, mirror: true, blend: 0.08 }),
        capsule([0.24, 0.4, 0.04], [0.25, 0.18, 0.0], 0.17, 'suit', { endRadius: 0.155, mirror: true, blend: 0.04 }),
        ellipsoid([0.26, 0.1, 0.08], [0.18, 0.11, 0.27], 'joint', { mirror: true, blend: 0.04 }),
        box([0, 1.2, 0.3], [0.19, 0.13, 0.06], 'joint', { round: 0.03 }),
        sphere([-0.09, 1.23, 0.36], 0.032, 'trim'), sphere([0.0, 1.23, 0.36], 0.032, 'glow'), box([0.1, 1.2, 0.355], [0.045, 0.06, 0.012], 'dark', { round: 0.01 }),
        box([0, 1.12, 0.36], [0.11, 0.018, 0.01], 'trim', { round: 0.01 }),
        torus([-0.66, 0.98, 0.15], 0.13, 0.02, 'trim', { rotate: [70, 20, 0], depth: 0.04 }), torus([0.82, 1.55, 0.12], 0.122, 0.02, 'trim', { rotate: [80, 0, -18], depth: 0.04 }),
      ],
    }
  },
}

export const dragon: Model = {
  yaw: [-0.8, -0.2],
  pitch: 0.08,
  size: 1.3,
  alone: 1.2,
  solid: (colour) => {
    const hide: Rgb = colour ?? [58, 142, 84]
    const spikes: Part[] = []
    for (const [y, z, size, lean] of [[2.02, -0.08, 0.09, -30], [1.82, -0.24, 0.1, -50], [1.55, -0.3, 0.11, -66], [1.22, -0.42, 0.13, -62], [0.92, -0.6, 0.13, -54], [0.62, -0.76, 0.11, -40]] as const) spikes.push(cone([0, y, z], size * 0.8, 0.008, size * 1.3, 'horn', { rotate: [lean, 0, 0], blend: 0.02 }))
    return {
      stands: true,
      bound: { at: [0.05, 1.12, -0.05], radius: 1.5 },
      materials: {
        hide: { colour: (x, y, z) => mix(scale(hide, 0.62), mix(hide, [226, 240, 150], 0.24), smooth(0.2, 0.8, 0.5 + 0.5 * sin(y * 34 + sin(x * 30 + z * 26) * 1.6)) * 0.5 + 0.4 * fbm(x * 5, y * 5 + z * 5, 3, 3)), roughness: 0.42, specular: 0.4, bump: [0.25, 22] },
        belly: { colour: (_x, y) => mix([246, 222, 150], [206, 164, 92], sin(y * 44) > 0.55 ? 0.8 : 0), roughness: 0.6, specular: 0.2 },
        wing: { colour: (x, y) => mix([206, 92, 54], [250, 172, 92], smooth(0.7, 1.9, y - Math.abs(x) * 0.2)), roughness: 0.7, specular: 0.15, translucent: 2 },
        horn: { colour: [238, 222, 184], roughness: 0.4, specular: 0.4 }, iris: { colour: [252, 196, 44], roughness: 0.08, specular: 1, glow: 0.3 }, eye: { colour: [20, 16, 14], roughness: 0.1, specular: 1 },
      },
      parts: [
        ellipsoid([0, 0.62, -0.18], [0.46, 0.58, 0.5], 'hide'),
        ellipsoid([0, 1.0, 0.02], [0.33, 0.46, 0.32], 'hide', { blend: 0.2 }),
        ellipsoid([0, 0.72, 0.2], [0.28, 0.52, 0.2], 'belly', { blend: 0.06 }),
        ellipsoid([0.4, 0.3, 0], [0.2, 0.3, 0.34], 'hide', { mirror: true, blend: 0.12 }),
        ellipsoid([0.4, 0.08, 0.3], [0.15, 0.09, 0.22], 'hide', { mirror: true, blend: 0.07 }),
        ...[-0.09, 0, 0.09].map((dx): Part => cone([0.4 + dx, 0.05, 0.52], 0.04, 0.006, 0.06, 'horn', { rotate: [90, 0, 0], mirror: true })),
        capsule([0.26, 0.92, 0.22], [0.34, 0.62, 0.46], 0.1, 'hide', { endRadius: 0.075, mirror: true, blend: 0.07 }),
        sphere([0.34, 0.58, 0.5], 0.09, 'hide', { mirror: true, blend: 0.04 }),
        capsule([0, 1.25, 0], [0, 1.68, 0.02], 0.25, 'hide', { endRadius: 0.19, blend: 0.16 }),
        ellipsoid([0, 1.82, 0.12], [0.3, 0.27, 0.31], 'hide', { blend: 0.12 }),
        ellipsoid([0, 1.72, 0.46], [0.21, 0.16, 0.26], 'hide', { blend: 0.1 }),
        ellipsoid([0, 1.63, 0.42], [0.18, 0.07, 0.26], 'belly', { blend: 0.03 }),
        ellipsoid([0.09, 1.82, 0.66], [0.06, 0.05, 0.06], 'hide', { mirror: true, blend: 0.04 }),
        sphere([0.095, 1.83, 0.712], 0.022, 'eye', { mirror: true }),
        sphere([0.19, 1.9, 0.32], 0.09, 'iris', { mirror: true }),
        ellipsoid([0.215, 1.905, 0.392], [0.024, 0.062, 0.024], 'eye', { rotate: [0, 22, 0], mirror: true }),
        ellipsoid([0.18, 1.99, 0.3], [0.12, 0.04, 0.12], 'hide', { rotate: [14, 0, -16], mirror: true, blend: 0.03 }),
        capsule([0.15, 2.02, 0.02], [0.24, 2.26, -0.2], 0.068, 'horn', { endRadius: 0.012, mirror: true, blend: 0.03 }),
        ...spikes,
        capsule([0.2, 1.2, -0.2], [0.72, 1.98, -0.42], 0.055, 'hide', { endRadius: 0.04, mirror: true, blend: 0.05 }),
        capsule([0.72, 1.98, -0.42], [1.2, 1.72, -0.34], 0.04, 'hide', { endRadius: 0.018, mirror: true, blend: 0.02 }),
        plate([0.72, 1.44, -0.37], [[-0.5, -0.34], [-0.1, -0.2], [0.02, 0.52], [-0.02, 0.54]], 0.018, 'wing', { mirror: true, bow: -0.05 }),
        plate([0.72, 1.44, -0.37], [[-0.12, -0.22], [0.26, -0.1], [0.48, 0.28], [0.0, 0.54]], 0.018, 'wing', { mirror: true, bow: -0.05 }),
        capsule([0.1, 0.26, -0.6], [0.72, 0.16, -0.56], 0.2, 'hide', { endRadius: 0.13, blend: 0.12 }),
        capsule([0.72, 0.16, -0.56], [0.98, 0.16, -0.1], 0.13, 'hide', { endRadius: 0.075, blend: 0.06 }),
        cone([0.99, 0.2, 0.08], 0.13, 0.01, 0.15, 'horn', { rotate: [80, 0, 0], blend: 0.04 }),
      ],
    }
  },
}
