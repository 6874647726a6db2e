/** The colours of each time of day, tuned together: sky, sun, shade, distance. */
import type { Rgb, Stop } from '../kernel/colour.ts'
import { hex, mix } from '../kernel/colour.ts'
import type { Time } from '../plan/words/phrases.ts'
import type { Light } from './scene.ts'

export interface Daylight {
  /** From the zenith down to the horizon. */
  sky: readonly Stop[]
  sun: Rgb
  ambient: Rgb
  key: Rgb
  haze: Rgb
  cloudLit: Rgb
  cloudShade: Rgb
  strength: number
  /** Height of the sun in the sky's part of the picture, 0 at the top. */
  sunY: number
}

const stops = (...pairs: [number, string][]): Stop[] => pairs.map(([at, colour]) => [at, hex(colour)])

export const daylights: Readonly<Record<Time, Daylight>> = {
  day: { sky: stops([0, '#2368c0'], [0.55, '#76b2e8'], [1, '#d9ecf7']), sun: [255, 250, 235], ambient: [150, 185, 225], key: [255, 246, 225], haze: hex('#c9dff0'), cloudLit: [255, 255, 255], cloudShade: [168, 186, 208], strength: 1.15, sunY: 0.2 },
  sunset: { sky: stops([0, '#2b3a6b'], [0.35, '#8a4f8e'], [0.62, '#e8718d'], [0.85, '#ffb27a'], [1, '#ffe3b0']), sun: [255, 226, 170], ambient: [150, 110, 150], key: [255, 170, 105], haze: hex('#f0a08a'), cloudLit: [255, 190, 165], cloudShade: [110, 70, 110], strength: 1.1, sunY: 0.8 },
  pink: { sky: stops([0, '#5b4b93'], [0.4, '#c66aa6'], [0.75, '#ff9bb0'], [1, '#ffd9c7']), sun: [255, 220, 205], ambient: [170, 120, 165], key: [255, 165, 165], haze: hex('#f4a9b8'), cloudLit: [255, 205, 210], cloudShade: [150, 90, 140], strength: 1.1, sunY: 0.78 },
  dawn: { sky: stops([0, '#5f8fc9'], [0.5, '#b9cfe6'], [0.85, '#ffe0bd'], [1, '#ffeeda']), sun: [255, 240, 205], ambient: [160, 175, 205], key: [255, 222, 175], haze: hex('#f2dcc9'), cloudLit: [255, 238, 225], cloudShade: [175, 175, 200], strength: 1.1, sunY: 0.72 },
  golden: { sky: stops([0, '#5f9ad4'], [0.5, '#b4cfe2'], [0.85, '#ffe2a6'], [1, '#fff0c8']), sun: [255, 236, 180], ambient: [165, 175, 180], key: [255, 214, 140], haze: hex('#f6dfae'), cloudLit: [255, 244, 222], cloudShade: [190, 180, 180], strength: 1.2, sunY: 0.55 },
  night: { sky: stops([0, '#040816'], [0.6, '#0d1b3d'], [1, '#2a3c6b']), sun: [225, 232, 255], ambient: [44, 60, 104], key: [160, 184, 240], haze: hex('#1f2f58'), cloudLit: [66, 82, 124], cloudShade: [18, 26, 52], strength: 0.66, sunY: 0.25 },
  storm: { sky: stops([0, '#2b323c'], [0.6, '#5a6672'], [1, '#98a3ab']), sun: [200, 205, 210], ambient: [110, 120, 130], key: [170, 178, 185], haze: hex('#8d979f'), cloudLit: [150, 158, 166], cloudShade: [48, 54, 62], strength: 0.75, sunY: 0.3 },
  overcast: { sky: stops([0, '#9fb0be'], [0.6, '#c3ced6'], [1, '#e3e8ea']), sun: [240, 240, 240], ambient: [175, 182, 188], key: [225, 228, 230], haze: hex('#d5dcdf'), cloudLit: [235, 238, 240], cloudShade: [150, 160, 168], strength: 0.85, sunY: 0.3 },
}

/** Light under an open sky, with the ground's colour thrown back up. */
export function outdoors(time: Time, ground: Rgb, sunX: number): Light {
  const day = daylights[time]
  const isLow = time === 'sunset' || time === 'pink'
  return {
    key: [(sunX - 0.5) * 2.4 + 0.15, isLow ? 0.55 : 0.95, 0.55],
    colour: mix(day.key, [255, 255, 255], 0.15),
    sky: mix(day.ambient, [255, 255, 255], 0.25),
    ground,
    haze: day.haze,
    strength: 2.35 * day.strength,
    ambient: 1.15,
    rim: day.sun,
  }
}
