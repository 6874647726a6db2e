import { glow } from '../kernel/composite.ts'
import { Random } from '../kernel/random.ts'
import { daylights, outdoors } from './daylight.ts'
import { has } from './scene.ts'
import type { SceneMaker } from './scene.ts'
import { paintSky } from './sky.ts'
import { paintLandscape } from './terrain.ts'
import type { Land } from './terrain.ts'

const groundColours: Record<Land, [number, number, number]> = { alpine: [90, 100, 70], snow: [225, 230, 240], hills: [96, 128, 60], dunes: [190, 140, 90] }

const land = (kind: Land): SceneMaker => (plan, width, height) => {
  const { time } = plan
  const random = new Random(plan.seed).fork('land')
  const hasWater = kind !== 'dunes' && (has(plan, 'lake') || has(plan, 'sea'))
  const horizon = kind === 'dunes' ? random.range(0.4, 0.5) : random.range(0.44, 0.56)
  const sunX = random.range(0.15, 0.85)
  const clouds = kind === 'dunes' ? random.range(0.1, 0.4) : random.range(0.35, 0.6)
  const canvas = paintLandscape(width, height, { land: kind, seed: plan.seed, time, horizon, sunX, clouds, hasWater, autumn: has(plan, 'autumn') })
  return {
    layers: [{ name: 'far', depth: 1, canvas }],
    light: outdoors(time, groundColours[kind], sunX),
    groundY: 0.9,
    subjectScale: 0.5,
    finish: (target) => glow(target, { u: sunX, v: horizon * 0.5 }, daylights[time].sun, time === 'night' ? 0.12 : 0.25),
  }
}

export const desert = land('dunes')
export const snow = land('snow')
export const mountains: SceneMaker = (plan, width, height) => (has(plan, 'snow') && !has(plan, 'lake') ? snow : land('alpine'))(plan, width, height)

/** Nothing but sky, and whatever flies in it. */
export const sky: SceneMaker = (plan, width, height) => {
  const random = new Random(plan.seed).fork('sky')
  const sunX = random.range(0.15, 0.85)
  const canvas = paintSky(width, height, { time: plan.time, seed: plan.seed, sunX, clouds: random.range(0.5, 0.85) })
  return {
    layers: [{ name: 'far', depth: 1, canvas }],
    light: outdoors(plan.time, daylights[plan.time].haze, sunX),
    groundY: 0.6,
    subjectScale: 0.5,
    floats: true,
    finish: (target) => glow(target, { u: sunX, v: daylights[plan.time].sunY }, daylights[plan.time].sun, plan.time === 'night' ? 0.12 : 0.3),
  }
}
