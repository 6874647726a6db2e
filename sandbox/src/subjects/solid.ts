/**
 * Solids as we describe them: a list of rounded shapes, melted together or cut from each other.
 *
 * Right is +x, up is +y, towards the viewer is +z; feet stand at y = 0. A solid is data: `field.ts` turns it into a
 * distance function, `march.ts` into a picture.
 */
import type { Rgb } from '../kernel/colour.ts'

export type Point = [number, number, number]

export interface Material {
  colour: Rgb | ((x: number, y: number, z: number) => Rgb)
  /** 0.05 a mirror, 1 chalk. */
  roughness?: number
  specular?: number
  metal?: number
  /** Catches light around its edge and takes strokes of hair. */
  isFur?: boolean
  /** How far the surface wavers, and how finely. */
  bump?: [amount: number, frequency: number]
  /** Light of its own. */
  glow?: number
  /** Share of what is behind that shows through at a height, head-on: glass. */
  clear?: (y: number) => number
  /** Light goes in and comes out elsewhere: skin, wax, leaves. */
  translucent?: number
}

export interface Options {
  /** Width of the melt with what came before; 0 is a hard edge. */
  blend?: number
  /** Also on the left. */
  mirror?: boolean
  /** Takes away instead of adding. */
  subtract?: boolean
  /** Degrees about x, y, z. */
  rotate?: Point
  /** An ellipsoid taken out of this part alone. */
  cut?: { at: Point; radii: Point }
}

export type Shape =
  | { shape: 'sphere'; radius: number }
  | { shape: 'ellipsoid'; radii: Point }
  | { shape: 'box'; half: Point; round: number }
  | { shape: 'torus'; ring: number; tube: number; depth: number; above?: number | undefined }
  | { shape: 'cylinder'; radius: number; half: number; round: number }
  | { shape: 'capsule'; to: Point; radius: number; endRadius: number }
  | { shape: 'cone'; bottom: number; top: number; half: number; round: number }
  | { shape: 'plate'; corners: readonly (readonly [number, number])[]; half: number; bow: number }

export type Part = Shape & Options & { at: Point; material: string }

export interface Solid {
  parts: Part[]
  materials: Record<string, Material>
  /** A sphere around all of it. */
  bound: { at: Point; radius: number }
  /** Casts a shadow on the ground; a bust does not. */
  stands: boolean
  /** Where the ground is, 0 if absent. */
  ground?: number
}

export const sphere = (at: Point, radius: number, material: string, options: Options = {}): Part => ({ shape: 'sphere', at, radius, material, ...options })
export const ellipsoid = (at: Point, radii: Point, material: string, options: Options = {}): Part => ({ shape: 'ellipsoid', at, radii, material, ...options })
export const box = (at: Point, half: Point, material: string, options: Options & { round?: number } = {}): Part => ({ shape: 'box', at, half, material, round: 0.02, ...options })
export const cylinder = (at: Point, radius: number, half: number, material: string, options: Options & { round?: number } = {}): Part => ({ shape: 'cylinder', at, radius, half, material, round: 0, ...options })
/** A ring in the plane that faces the viewer; `above` keeps only what is higher than that over its middle. */
export const torus = (at: Point, ring: number, tube: number, material: string, options: Options & { depth?: number; above?: number } = {}): Part => ({ shape: 'torus', at, ring, tube, depth: options.depth ?? tube, material, ...options })
export const capsule = (at: Point, to: Point, radius: number, material: string, options: Options & { endRadius?: number } = {}): Part => ({ shape: 'capsule', at, to, radius, endRadius: options.endRadius ?? radius, material, ...options })
/** Upright; `bottom` and `top` are its radii. */
export const cone = (at: Point, bottom: number, top: number, half: number, material: string, options: Options & { round?: number } = {}): Part => ({ shape: 'cone', at, bottom, top, half, material, round: 0, ...options })
/** A thin plate facing the viewer: convex, `corners` counter-clockwise about `at`; `bow` swells its middle forward, as wind does a sail. */
export const plate = (at: Point, corners: readonly (readonly [number, number])[], half: number, material: string, options: Options & { bow?: number } = {}): Part => ({ shape: 'plate', at, corners, half, material, bow: options.bow ?? 0, ...options })
