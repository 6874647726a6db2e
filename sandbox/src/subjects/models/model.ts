/** What a model's file offers: a solid in a colour, and how to look at it. One file, one model; `models.ts` lists them. */
import type { Rgb } from '../../kernel/colour.ts'
import type { Random } from '../../kernel/random.ts'
import type { Solid } from '../solid.ts'

export interface Model {
  solid: (colour: Rgb | null, random: Random) => Solid
  /** Turned by how much, at least and at most (radians); seen from how far above. */
  yaw: readonly [number, number]
  pitch: number
  /** Against other things in the same picture. */
  size: number
  /** Larger than others where it is the only thing in the picture. */
  alone?: number
  /** A lamp that shines out in the dark, in fractions of what is visible of it. */
  beacon?: { u: number; v: number }
  fur?: { length: number }
  /** Hangs in the air outdoors. */
  flies?: boolean
}
