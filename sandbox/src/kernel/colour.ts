/** Red, green and blue, 0 to 255 each, not rounded until they become pixels. */
export type Rgb = [number, number, number]

export const clamp = (x: number, low = 0, high = 1): number => (x < low ? low : x > high ? high : x)

export const lerp = (a: number, b: number, t: number): number => a + (b - a) * t

/** 0 before `from`, 1 after `to`, eased between; `from` may be the larger. */
export function smooth(from: number, to: number, x: number): number {
  const t = clamp((x - from) / (to - from))
  return t * t * (3 - 2 * t)
}

export const mix = (a: Rgb, b: Rgb, t: number): Rgb => [lerp(a[0], b[0], t), lerp(a[1], b[1], t), lerp(a[2], b[2], t)]

export const scale = (a: Rgb, k: number): Rgb => [a[0] * k, a[1] * k, a[2] * k]

/** Light of colour `b` falling on `a`. */
export const multiply = (a: Rgb, b: Rgb): Rgb => [(a[0] * b[0]) / 255, (a[1] * b[1]) / 255, (a[2] * b[2]) / 255]

export function hex(text: string): Rgb {
  const digits = text.replace('#', '')
  const full = digits.length === 3 ? [...digits].map((digit) => digit + digit).join('') : digits
  return [parseInt(full.slice(0, 2), 16), parseInt(full.slice(2, 4), 16), parseInt(full.slice(4, 6), 16)]
}

const byte = (x: number): number => Math.round(clamp(x, 0, 255))

export const toHex = (c: Rgb): string => `#${c.map((x) => byte(x).toString(16).padStart(2, '0')).join('')}`

export const css = (c: Rgb, alpha = 1): string => `rgba(${byte(c[0])},${byte(c[1])},${byte(c[2])},${Math.round(clamp(alpha) * 1e4) / 1e4})`

/** Hue in degrees, saturation and lightness 0 to 1. */
export function hsl(hue: number, saturation: number, lightness: number): Rgb {
  const turned = ((hue % 360) + 360) % 360
  const a = saturation * Math.min(lightness, 1 - lightness)
  const channel = (n: number): number => {
    const k = (n + turned / 30) % 12
    return 255 * (lightness - a * Math.max(-1, Math.min(k - 3, Math.min(9 - k, 1))))
  }
  return [channel(0), channel(8), channel(4)]
}

export function rgbToHsl(c: Rgb): [number, number, number] {
  const r = c[0] / 255
  const g = c[1] / 255
  const b = c[2] / 255
  const high = Math.max(r, g, b)
  const low = Math.min(r, g, b)
  const lightness = (high + low) / 2
  const span = high - low
  if (span === 0) return [0, 0, lightness]
  const saturation = span / (1 - Math.abs(2 * lightness - 1))
  const sixth = high === r ? ((g - b) / span) % 6 : high === g ? (b - r) / span + 2 : (r - g) / span + 4
  return [(sixth * 60 + 360) % 360, saturation, lightness]
}

/** How bright a colour looks, 0 to 255. */
export const luminance = (c: Rgb): number => 0.2126 * c[0] + 0.7152 * c[1] + 0.0722 * c[2]

export type Stop = readonly [at: number, colour: Rgb]

/** The colour of a gradient at `t`. */
export function gradientAt(stops: readonly Stop[], t: number): Rgb {
  for (let i = 1; i < stops.length; i++) {
    const [to, colour] = stops[i]!
    const [from, before] = stops[i - 1]!
    if (t <= to) return mix(before, colour, clamp((t - from) / (to - from || 1)))
  }
  return stops.at(-1)![1]
}
