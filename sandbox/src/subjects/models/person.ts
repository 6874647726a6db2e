/** People in the manner of an animated film. */
import type { Rgb } from '../../kernel/colour.ts'
import { clamp, hex, mix, scale, smooth } from '../../kernel/colour.ts'
import { cos, exp, length, pow, sin, tau } from '../../kernel/math.ts'
import { fbm } from '../../kernel/noise.ts'
import type { Person } from '../../plan/plan.ts'
import { capsule, cone, cylinder, ellipsoid, sphere, torus } from '../solid.ts'
import type { Part, Solid } from '../solid.ts'

const skins = { light: '#f3cdb3', medium: '#dfab85', tan: '#c68a5f', dark: '#8a5636', deep: '#5c3926' } as const

/** Cheeks, lips and stubble are painted on; the rest is form. */
function faceColour(person: Person, skin: Rgb, hair: Rgb): (x: number, y: number, z: number) => Rgb {
  return (x, y, z) => {
    const cheek = exp(-(((Math.abs(x) - 0.24) / 0.1) ** 2) - ((y - 1.42) / 0.09) ** 2)
    let colour = mix(skin, [226, 120, 104], z > 0 ? cheek * 0.28 : 0)
    // A smile is a parabola; two Gaussians along it are the lips and the line between them.
    const curve = y - 1.285 - 2.2 * person.smile * x * x
    const lips = clamp(exp(-pow(Math.abs(x) / 0.15, 6) - (curve / 0.026) ** 2))
    if (z > 0.25) {
      colour = mix(colour, mix(skin, person.gender === 'female' ? [190, 52, 66] : [168, 76, 72], 0.72), lips * 0.9)
      colour = mix(colour, [92, 34, 36], clamp(exp(-pow(Math.abs(x) / 0.16, 8) - ((curve - 0.002) / 0.0075) ** 2)) * 0.85)
    }
    if (person.beard && z > -0.05 && y < 1.52) {
      const grown = smooth(1.41, 1.27, y - Math.abs(x) * 0.22 + (Math.abs(x) < 0.13 ? -0.02 : 0))
      colour = mix(colour, hair, clamp(grown) * smooth(1.04, 1.16, y) * (1 - lips) * 0.62)
    }
    return colour
  }
}

function head(skinned: string): Part[] {
  return [
    ellipsoid([0, 1.52, 0.06], [0.37, 0.45, 0.4], skinned),
    ellipsoid([0, 1.28, 0.14], [0.25, 0.2, 0.27], skinned, { blend: 0.16 }),
    capsule([0, 1.2, -0.02], [0, 0.85, -0.04], 0.15, skinned, { endRadius: 0.17, blend: 0.08 }),
    ellipsoid([0, 1.45, 0.47], [0.052, 0.1, 0.08], skinned, { rotate: [-18, 0, 0], blend: 0.07 }),
    ellipsoid([0.05, 1.4, 0.45], [0.043, 0.034, 0.05], skinned, { mirror: true, blend: 0.04 }),
    ellipsoid([0.37, 1.48, 0.02], [0.05, 0.1, 0.07], skinned, { mirror: true, blend: 0.03 }),
    ellipsoid([0, 1.285, 0.4], [0.1, 0.03, 0.035], skinned, { blend: 0.04 }),
    sphere([0.145, 1.545, 0.36], 0.078, 'eye', { mirror: true }),
    ellipsoid([0.145, 1.61, 0.385], [0.095, 0.03, 0.06], skinned, { rotate: [18, 0, -4], mirror: true, blend: 0.02 }),
    ellipsoid([0.145, 1.487, 0.375], [0.09, 0.022, 0.06], skinned, { mirror: true, blend: 0.02 }),
    capsule([0.075, 1.685, 0.425], [0.225, 1.695, 0.37], 0.02, 'brow', { endRadius: 0.013, mirror: true, blend: 0.015 }),
  ]
}

function hairParts({ hairStyle, hat }: Person): Part[] {
  if (hairStyle === 'bald') return []
  const cap = ellipsoid([0, 1.66, -0.05], [0.405, 0.4, 0.43], 'hair', { blend: 0.015, cut: { at: [0, 1.42, 0.5], radii: [0.42, 0.42, 0.5] } })
  const covered = hat === 'cap' || hat === 'chef' || hat === 'wizard'
  switch (hairStyle) {
    case 'long': return [cap,
      ellipsoid([0.34, 1.22, -0.1], [0.14, 0.52, 0.2], 'hair', { mirror: true, blend: 0.12 }),
      ellipsoid([0.36, 0.84, -0.02], [0.12, 0.26, 0.15], 'hair', { mirror: true, blend: 0.12, rotate: [0, 0, -8] }),
      ellipsoid([0, 1.25, -0.26], [0.38, 0.6, 0.2], 'hair', { blend: 0.15 }),
      ...(covered ? [] : [ellipsoid([0.17, 1.87, 0.2], [0.24, 0.085, 0.13], 'hair', { rotate: [32, 0, -30], mirror: true, blend: 0.1 })])]
    case 'curly': {
      const curls: Part[] = []
      // Two rings of balls around the head and a few on top; the golden angle keeps them from lining up.
      for (let i = 0; i < 22; i++) {
        const angle = i * 2.39996
        const up = 1 - i / 22
        const ring = 0.42 * Math.sqrt(1 - (up * 2 - 1) ** 2 * 0.75)
        const z = sin(angle) * ring - 0.1
        const y = 1.62 + (up - 0.35) * 0.55
        if (z > 0.16 && y < 1.82) continue
        if (covered && y > 1.75) continue
        curls.push(sphere([cos(angle) * ring, y, z], 0.135 + 0.03 * sin(i * 3.7), 'hair', { blend: 0.045 }))
      }
      if (!covered) for (const x of [-0.2, 0, 0.2]) curls.push(sphere([x, 1.93 - Math.abs(x) * 0.3, 0.22], 0.125, 'hair', { blend: 0.05 }))
      return [cap, ...curls]
    }
    case 'bun': return [cap,
      ...(covered ? [] : [sphere([0, 2.1, -0.18], 0.19, 'hair', { blend: 0.05 }), ellipsoid([0.14, 1.9, 0.22], [0.25, 0.1, 0.17], 'hair', { rotate: [30, 0, -16], mirror: true, blend: 0.08 })])]
    case 'short': return [cap,
      ...(covered ? [] : [ellipsoid([-0.06, 1.94, 0.2], [0.32, 0.12, 0.22], 'hair', { rotate: [22, 0, 8], blend: 0.1 }), ellipsoid([0.2, 1.9, 0.22], [0.18, 0.1, 0.16], 'hair', { rotate: [25, 0, -26], blend: 0.08 })])]
  }
}

function hatParts({ hat }: Person): Part[] {
  switch (hat) {
    case 'wizard': return [
      cone([0, 2.34, -0.06], 0.42, 0.06, 0.42, 'hat', { rotate: [-10, 0, 4], blend: 0.06 }),
      cone([0.07, 2.82, -0.2], 0.1, 0.02, 0.14, 'hat', { rotate: [-24, 0, -34], blend: 0.12 }),
      cylinder([0, 1.95, -0.02], 0.7, 0.025, 'hat', { round: 0.02, rotate: [8, 0, 0], blend: 0.06 }),
      torus([0, 2.0, -0.02], 0.405, 0.035, 'band', { rotate: [98, 0, 0], depth: 0.05 }),
    ]
    case 'cap': return [
      ellipsoid([0, 1.8, -0.02], [0.425, 0.36, 0.45], 'hat', { cut: { at: [0, 1.35, 0.15], radii: [0.6, 0.42, 0.7] } }),
      ellipsoid([0, 1.8, 0.5], [0.28, 0.03, 0.26], 'hat', { rotate: [10, 0, 0], blend: 0.03 }),
    ]
    case 'chef': return [
      cylinder([0, 1.98, 0], 0.4, 0.15, 'white', { round: 0.03 }),
      sphere([0.2, 2.24, 0.08], 0.26, 'white', { mirror: true, blend: 0.08 }),
      sphere([0, 2.3, -0.1], 0.3, 'white', { blend: 0.08 }),
      sphere([0, 2.26, 0.2], 0.22, 'white', { blend: 0.08 }),
    ]
    case 'crown': {
      const points: Part[] = []
      for (let i = 0; i < 8; i++) {
        const angle = (i / 8) * tau
        points.push(cone([cos(angle) * 0.36, 2.1, sin(angle) * 0.36], 0.12, 0.012, 0.13, 'gold', { blend: 0.02 }), sphere([cos(angle) * 0.36, 2.24, sin(angle) * 0.36], 0.034, 'gold', { blend: 0.01 }))
      }
      return [torus([0, 1.97, 0], 0.38, 0.03, 'gold', { rotate: [90, 0, 0], depth: 0.09 }), ...points]
    }
    case 'helmet': return [
      sphere([0, 1.55, 0], 0.66, 'white'),
      sphere([0, 1.55, 0.32], 0.5, 'white', { subtract: true, blend: 0.05 }),
      ...head('skin'),
      torus([0, 0.9, 0], 0.4, 0.1, 'trim', { rotate: [90, 0, 0], blend: 0.04 }),
    ]
    case null: return []
  }
}

/** Where a whole figure's feet stand, in the bust's own measure. */
const floor = -1.46

const shoulders: Part[] = [
  ellipsoid([0, 0.55, -0.06], [0.62, 0.36, 0.33], 'cloth', { blend: 0.015 }),
  ellipsoid([0, 0.2, -0.04], [0.6, 0.5, 0.36], 'cloth', { blend: 0.04 }),
]

const body: Part[] = [
  ellipsoid([0, 0.52, -0.05], [0.42, 0.34, 0.26], 'cloth', { blend: 0.015 }),
  ellipsoid([0, 0.1, -0.03], [0.36, 0.42, 0.26], 'cloth', { blend: 0.1 }),
  ellipsoid([0, -0.26, -0.02], [0.345, 0.2, 0.26], 'trousers', { blend: 0.02 }),
  capsule([0.17, -0.32, 0], [0.19, -1.28, 0], 0.175, 'trousers', { endRadius: 0.115, mirror: true, blend: 0.06 }),
  ellipsoid([0.2, -1.37, 0.09], [0.135, 0.1, 0.24], 'shoe', { mirror: true }),
  capsule([0.4, 0.62, -0.04], [0.56, 0.12, 0], 0.13, 'cloth', { endRadius: 0.1, mirror: true, blend: 0.07 }),
  capsule([0.56, 0.1, 0], [0.55, -0.2, 0.13], 0.1, 'cloth', { endRadius: 0.085, mirror: true, blend: 0.04 }),
  ellipsoid([0.55, -0.31, 0.17], [0.085, 0.12, 0.095], 'skin', { mirror: true, blend: 0.015 }),
]

/** Head and shoulders; a whole figure where the person stands among other things. */
export function bust(person: Person, isWhole = false): Solid {
  const skin = hex(skins[person.skin])
  const hair = hex(person.hair)
  const outfit = hex(person.outfit)
  const eye = hex(person.eye)
  // Hair before cloth: what comes later melts into what is there, and locks must not run into a collar.
  const parts: Part[] = [
    ...head('skin'),
    ...(person.hat === 'helmet' ? [] : hairParts(person)),
    ...(isWhole ? body : shoulders),
    torus([0, 0.86, -0.03], 0.18, 0.045, 'trim', { rotate: [90, 0, 0], blend: 0.02 }),
  ]
  if (person.glasses) {
    parts.push(torus([0.15, 1.545, 0.47], 0.115, 0.013, 'frame', { mirror: true }),
      capsule([0, 1.56, 0.5], [0.04, 1.56, 0.49], 0.012, 'frame', { mirror: true }),
      capsule([0.265, 1.56, 0.45], [0.39, 1.55, 0.05], 0.011, 'frame', { mirror: true }))
  }
  if (person.beard) {
    parts.push(ellipsoid([0, 1.16, 0.2], [0.24, 0.17, 0.22], 'beard', { blend: 0.08 }))
    if (person.hat === 'wizard') parts.push(ellipsoid([0, 0.92, 0.28], [0.19, 0.34, 0.13], 'beard', { blend: 0.12 }))
    parts.push(ellipsoid([0.075, 1.335, 0.46], [0.09, 0.024, 0.04], 'beard', { rotate: [0, 0, -12], mirror: true, blend: 0.025 }))
  }
  parts.push(...hatParts(person))
  const bound: Solid['bound'] = isWhole ? (person.hat === 'wizard' ? { at: [0, 0.76, 0], radius: 2.3 } : { at: [0, 0.38, 0], radius: person.hat ? 2.02 : 1.88 }) : person.hat === 'wizard' ? { at: [0, 1.5, 0], radius: 1.5 } : person.hat === 'chef' || person.hat === 'crown' ? { at: [0, 1.44, 0], radius: 1.24 } : { at: [0, 1.36, 0], radius: 1.12 }
  return {
    stands: isWhole,
    ground: floor,
    bound,
    materials: {
      skin: { colour: faceColour(person, skin, hair), roughness: 0.5, specular: 0.28, translucent: 2.2 },
      hair: { colour: (x, y, z) => mix(scale(hair, 0.65), mix(hair, [255, 235, 210], 0.18), fbm(x * 16, y * 3 + z * 6, 7, 3)), roughness: 0.45, specular: 0.5, bump: [0.28, 18] },
      beard: { colour: (x, y) => mix(scale(hair, 0.72), mix(hair, [255, 245, 230], 0.2), fbm(x * 22, y * 5, 9, 3)), roughness: 0.7, specular: 0.2, bump: [0.4, 20] },
      brow: { colour: scale(hair, 0.8), roughness: 0.8, specular: 0.05 },
      cloth: { colour: (x, y) => scale(outfit, 0.86 + 0.26 * fbm(x * 18, y * 18, 3, 3)), roughness: 0.9, specular: 0.05 },
      trousers: { colour: (x, y) => scale([54, 64, 88], 0.85 + 0.3 * fbm(x * 16, y * 16, 3, 3)), roughness: 0.95, specular: 0.04 },
      shoe: { colour: [70, 48, 38], roughness: 0.5, specular: 0.3 },
      trim: { colour: mix(outfit, [255, 255, 255], 0.18), roughness: 0.85, specular: 0.08 },
      eye: {
        colour: (x, y) => {
          const r = length(Math.abs(x) - 0.14, y - 1.547)
          return r < 0.019 ? [8, 8, 10] : r < 0.042 ? mix(eye, scale(eye, 0.5), smooth(0.03, 0.042, r)) : [246, 244, 242]
        }, roughness: 0.1, specular: 1,
      },
      frame: { colour: [25, 24, 26], roughness: 0.3, specular: 0.6 },
      hat: { colour: (x, y) => scale(outfit, 0.76 + 0.4 * fbm(x * 14, y * 14, 2, 3)), roughness: 0.8, specular: 0.1 },
      band: { colour: [214, 170, 70], roughness: 0.4, specular: 0.5, metal: 0.3 },
      gold: { colour: [226, 176, 66], roughness: 0.22, specular: 0.8, metal: 0.75 },
      white: { colour: [238, 240, 244], roughness: 0.3, specular: 0.5 },
    },
    parts,
  }
}
