/**
 * What every scene hands to the composer.
 *
 * A scene knows nothing of the subjects that will stand in it: it says where the ground is, how the light falls and
 * how large a thing looks, so any subject fits any scene.
 */
import type { Canvas } from '../kernel/canvas.ts'
import type { Rgb } from '../kernel/colour.ts'
import type { Plan } from '../plan/plan.ts'

/** Left, top, right, bottom in pixels. */
export type Box = [number, number, number, number]

export interface Layer {
  /** `far`, `ground`, `subject0`, `front`… */
  name: string
  /** 1 far, 0 at the glass: how little it moves when the camera does. */
  depth: number
  canvas: Canvas
  bbox?: Box
}

export interface Light {
  /** Towards the light: right, up, towards the viewer. */
  key: [number, number, number]
  colour: Rgb
  strength: number
  sky: Rgb
  ground: Rgb
  haze: Rgb
  ambient: number
  rim?: Rgb
  /** Reflections show softboxes rather than the sky. */
  studio?: boolean
}

export interface Scene {
  layers: Layer[]
  light: Light
  /** Where a subject's feet are, 0 to 1 of the height. */
  groundY: number
  /** Height of one subject against the shorter side. */
  subjectScale: number
  /** How much the ground mirrors, 0 to 1. */
  reflect?: number
  /** How dark shadows lie on it, 0 to 1; water takes little. */
  shadow?: number
  /** Nothing stands: subjects hang in the middle. */
  floats?: boolean
  /** Laid over things that are not people: water. */
  tint?: { colour: Rgb; alpha: number }
  /** What grows in front of the subjects' feet. */
  front?: () => Layer[]
  /** Light over everything: sun through haze, shafts. */
  finish?: (canvas: Canvas) => void
  /** How hard the highlights bleed, 0 to 1. */
  bloom?: number
  vignette?: number
}

export type SceneMaker = (plan: Plan, width: number, height: number) => Scene

export const has = (plan: Plan, feature: string): boolean => plan.features.includes(feature)
