import type { Plan } from '../plan/plan.ts'
import type { Face } from '../type/draw.ts'

/** The face for the Plan's lettering. */
export const faceOf = (plan: Plan): Face => plan.lettering

/** Ink and ground colours that go together: ground, ink, accent, a second ground. */
export const palettes = [
  ['#0f2e2a', '#f2e6c8', '#d9a441', '#1d4a43'],
  ['#1b1b2f', '#f5f0e6', '#e4572e', '#33335a'],
  ['#f4ead5', '#20304a', '#d1495b', '#e0c9a0'],
  ['#12355b', '#fefae0', '#f4a259', '#1f5288'],
  ['#fbe4d8', '#2b124c', '#854f6c', '#dfb6b2'],
  ['#0b0b0f', '#f7f7f2', '#c9a227', '#22222a'],
] as const

export type Palette = readonly [ground: string, ink: string, accent: string, second: string]

export const capitalised = (text: string): string => (text ? text[0]!.toUpperCase() + text.slice(1) : text)
