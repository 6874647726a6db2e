/** A cupcake and a pizza. */
import type { Rgb } from '../../kernel/colour.ts'
import { mix, scale, smooth } from '../../kernel/colour.ts'
import { atan2, cos, sin, tau } from '../../kernel/math.ts'
import { fbm } from '../../kernel/noise.ts'
import { capsule, cone, cylinder, ellipsoid, sphere, torus } from '../solid.ts'
import type { Part } from '../solid.ts'
import type { Model } from './model.ts'

const sprinkleColours: Rgb[] = [[240, 80, 90], [80, 170, 230], [250, 200, 60], [110, 200, 120], [255, 255, 255]]

export const cupcake: Model = {
  yaw: [-0.5, 0.5],
  pitch: 0.2,
  size: 0.65,
  solid: (colour) => {
    const cream: Rgb = colour ?? [246, 160, 190]
    const swirl: Part[] = []
    // One rope of cream, wound upwards in ever smaller turns.
    for (let i = 0; i < 30; i++) {
      const t = i / 29
      const angle = t * tau * 3.1
      const ring = 0.44 * (1 - t) + 0.02
      swirl.push(sphere([cos(angle) * ring, 0.86 + t * 0.62, sin(angle) * ring], 0.2 - t * 0.08, 'cream', { blend: 0.05 }))
    }
    const sprinkles: Part[] = []
    for (let i = 0; i < 26; i++) {
      const t = (i + 0.5) / 26
      const angle = i * 2.39996
      const ring = 0.66 - 0.5 * t
      const at: [number, number, number] = [cos(angle) * ring, 0.9 + t * 0.6, sin(angle) * ring]
      sprinkles.push(capsule(at, [at[0] + 0.05 * cos(i * 2.1), at[1] + 0.03 * sin(i * 1.7), at[2] + 0.05 * sin(i * 2.1)], 0.024, `sprinkle${i % sprinkleColours.length}`))
    }
    return {
      stands: true,
      bound: { at: [0, 0.84, 0], radius: 1.04 },
      materials: {
        paper: { colour: (x, _y, z) => scale([120, 78, 60], 0.72 + 0.42 * smooth(-0.6, 0.6, sin(atan2(z, x) * 30))), roughness: 0.9, specular: 0.05 },
        sponge: { colour: (x, y, z) => mix([196, 134, 76], [232, 182, 118], fbm(x * 14, y * 14 + z * 12, 3, 3)), roughness: 0.95, bump: [0.5, 18] },
        cream: { colour: mix(cream, [255, 255, 255], 0.12), roughness: 0.6, specular: 0.2, translucent: 1.4 },
        cherry: { colour: [196, 24, 36], roughness: 0.12, specular: 0.9 }, stalk: { colour: [92, 110, 48] },
        ...Object.fromEntries(sprinkleColours.map((sprinkle, i) => [`sprinkle${i}`, { colour: sprinkle, roughness: 0.4, specular: 0.4 }])),
      },
      parts: [
        cone([0, 0.36, 0], 0.42, 0.6, 0.36, 'paper', { round: 0.02 }),
        ellipsoid([0, 0.74, 0], [0.62, 0.13, 0.62], 'sponge'),
        cylinder([0, 0.9, 0], 0.42, 0.1, 'cream', { round: 0.08 }),
        ...swirl,
        ...sprinkles,
        sphere([0, 1.62, 0], 0.15, 'cherry'),
        capsule([0.01, 1.74, 0], [0.12, 1.86, 0.03], 0.014, 'stalk'),
      ],
    }
  },
}

export const pizza: Model = {
  yaw: [-0.4, 0.4],
  pitch: 0.72,
  size: 1,
  solid: () => {
    const toppings: Part[] = []
    for (let i = 0; i < 11; i++) {
      const angle = i * 2.39996
      const ring = 0.76 * Math.sqrt((i + 0.5) / 11)
      toppings.push(cylinder([cos(angle) * ring, 0.105, sin(angle) * ring], 0.125, 0.022, 'salami', { round: 0.015, rotate: [4 * sin(i * 3), 0, 4 * cos(i * 2)] }))
    }
    for (let i = 0; i < 7; i++) {
      const angle = i * 2.39996 + 1.1
      const ring = 0.66 * Math.sqrt((i + 0.8) / 7)
      toppings.push(ellipsoid([cos(angle) * ring, 0.125, sin(angle) * ring], [0.12, 0.022, 0.06], 'basil', { rotate: [0, i * 67, 8] }))
      toppings.push(torus([cos(angle + 0.5) * ring, 0.115, sin(angle + 0.5) * ring], 0.05, 0.022, 'olive', { rotate: [90, 0, 0] }))
    }
    return {
      stands: true,
      bound: { at: [0, 0.05, 0], radius: 1.14 },
      materials: {
        crust: { colour: (x, y, z) => mix(mix([150, 88, 38], [228, 172, 100], smooth(0.02, 0.18, y)), [120, 66, 30], smooth(0.55, 0.75, fbm(x * 7, z * 7, 4, 3)) * 0.8), roughness: 0.85, specular: 0.08, bump: [0.5, 14] },
        cheese: { colour: (x, _y, z) => mix(mix([206, 60, 34], [250, 206, 110], smooth(0.3, 0.46, fbm(x * 5, z * 5, 8, 4))), [214, 140, 56], smooth(0.62, 0.74, fbm(x * 9, z * 9, 2, 3)) * 0.7), roughness: 0.4, specular: 0.35, bump: [0.5, 9] },
        salami: { colour: (x, _y, z) => mix([176, 42, 34], [216, 92, 66], fbm(x * 40, z * 40, 3, 2)), roughness: 0.45, specular: 0.3, bump: [0.2, 24] },
        basil: { colour: (x, _y, z) => mix([34, 92, 34], [84, 146, 56], fbm(x * 12, z * 12, 3, 2)), roughness: 0.5, specular: 0.25 }, olive: { colour: [40, 36, 44], roughness: 0.3, specular: 0.6 },
        board: { colour: (x, _y, z) => scale([168, 116, 70], 0.78 + 0.4 * fbm(x * 2, z * 12, 5, 3)), roughness: 0.6, specular: 0.2 },
      },
      parts: [
        cylinder([0, -0.02, 0], 1.08, 0.025, 'board', { round: 0.02 }),
        cylinder([0, 0.05, 0], 0.96, 0.05, 'crust', { round: 0.04 }),
        torus([0, 0.085, 0], 0.91, 0.085, 'crust', { rotate: [90, 0, 0], blend: 0.05 }),
        cylinder([0, 0.075, 0], 0.86, 0.03, 'cheese', { round: 0.02, blend: 0.015 }),
        ...toppings,
      ],
    }
  },
}

