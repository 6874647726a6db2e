/**
 * Which of a card's routes makes a task, and where it goes when one cannot. Pure: how providers stand is an argument.
 *
 * A fallback stays on the card, so it never leads to another kind of model. It happens only after a failure that says nothing was begun:
 * never around a refused prompt, never after `outcome_unknown`, never after anything that may have been bought.
 */
import type { ProblemCode } from './problem.ts'

/** A provider that makes a card's model, under which name. Lower `order` comes first; among equals `weight` shares the traffic, and 0 is a last resort. */
export interface Route { provider: string; model: string; order: number; weight: number }

/** A route and how its provider stands: `ready`; `busy` (it asked to be left alone) or `down` (its breaker is open) until then. */
export interface Candidate extends Route { standing: 'ready' | 'busy' | 'down'; until: Date | null }

/** One time an upstream was asked: what came of it, null while nothing has. */
export interface Try { provider: string; model: string; code: ProblemCode | null }

/** 53 bits of a text, well mixed (cyrb53): the same everywhere and for ever, which is all that is asked of it. */
function hash(text: string): number {
  let high = 0xdeadbeef
  let low = 0x41c6ce57
  for (let index = 0; index < text.length; index++) {
    const code = text.charCodeAt(index)
    high = Math.imul(high ^ code, 2_654_435_761)
    low = Math.imul(low ^ code, 1_597_334_677)
  }
  high = Math.imul(high ^ (high >>> 16), 2_246_822_507) ^ Math.imul(low ^ (low >>> 13), 3_266_489_909)
  low = Math.imul(low ^ (low >>> 16), 2_246_822_507) ^ Math.imul(high ^ (high >>> 13), 3_266_489_909)
  return 4_294_967_296 * (2_097_151 & low) + (high >>> 0)
}

/** Where a route stands in a key's draw, higher first: among routes of weights 1 and 3 the second wins three draws of four. */
const draw = ({ provider, model, weight }: Route, key: string): number => weight > 0 ? Math.log((hash(`${key}\n${provider}\n${model}`) + 0.5) / 2 ** 53) / weight : -Infinity

/**
 * A card's routes in the order a key tries them (weighted rendezvous hashing).
 *
 * The same key gets the same order as long as the routes are the same; a route that goes moves only the keys it had, and one that comes
 * takes from each of the others its share and nothing more.
 */
export const rankRoutes = <R extends Route>(routes: readonly R[], key: string): R[] =>
  routes.map(route => ({ route, score: draw(route, key) })).sort((a, b) => a.route.order - b.route.order || (a.score === b.score ? 0 : b.score - a.score)).map(({ route }) => route)

export const isSame = (one: { provider: string; model: string }, other: { provider: string; model: string }): boolean => one.provider === other.provider && one.model === other.model

/** Of routes that were ranked, the first that can take work now; where none can, the one that can soonest. */
export function firstOf<C extends Candidate>(ranked: readonly C[]): C | null {
  let soonest: C | null = null
  for (const one of ranked) {
    if (one.standing === 'ready') return one
    if (soonest === null || (one.until?.getTime() ?? 0) < (soonest.until?.getTime() ?? 0)) soonest = one
  }
  return soonest
}

/** What a provider says before it asks anybody: it cannot do this, and another one may. */
const unable: ReadonlySet<ProblemCode> = new Set(['unsupported_parameter', 'too_large'])
export const isUnable = (code: ProblemCode): boolean => unable.has(code)

/** What makes a route useless for the whole task: it will say the same again. */
const bars = (code: ProblemCode | null): boolean => code !== null && (unable.has(code) || code === 'provider_not_configured')

/** Attempts that use up nobody's patience: the upstream was only full, or said at once that it cannot. */
export const isPatient = (code: ProblemCode | null): boolean => code === 'provider_busy' || bars(code)

export interface Ways {
  /** Another route that can take it at once. */
  now: Route | null
  /** Where to come back to after a pause, and how long it asks for at least; null where every route is useless. */
  later: { route: Route; floorMs: number } | null
}

export interface Looking {
  /** The card's routes in this task's order. Empty where there is one way only, which is the present one. */
  ranked: readonly Candidate[]
  present: { provider: string; model: string }
  /** Every time an upstream was asked for this task, the present one included. */
  tries: readonly Try[]
  retryAfterMs: number | null
  now: Date
}

/**
 * Where a task may go after a failure.
 *
 * At once to a route that was tried less often than this one, so each is asked once before any is asked again; then, after a pause, to the
 * one that can take it soonest.
 */
export function findWays({ ranked, present, tries, retryAfterMs, now }: Looking): Ways {
  const all: readonly Candidate[] = ranked.length > 0 ? ranked : [{ ...present, order: 0, weight: 1, standing: 'ready', until: null }]
  const countOf = (route: { provider: string; model: string }) => tries.filter(one => isSame(one, route)).length
  const open = all.filter(route => !tries.some(one => isSame(one, route) && bars(one.code)))
  const asked = countOf(present)
  const ready = open.find(route => !isSame(route, present) && route.standing === 'ready' && countOf(route) < asked) ?? null
  const waits = open.map((route, place) => {
    const untilMs = route.until === null || route.standing === 'ready' ? 0 : Math.max(0, route.until.getTime() - now.getTime())
    return { route, place, count: countOf(route), floorMs: isSame(route, present) ? Math.max(untilMs, retryAfterMs ?? 0) : untilMs }
  })
  const [later] = waits.sort((a, b) => a.floorMs - b.floorMs || a.count - b.count || a.place - b.place)
  return { now: ready, later: later ? { route: later.route, floorMs: later.floorMs } : null }
}

/** A route as an operator sets it: it may be there and switched off. */
export interface SetRoute extends Route { enabled: boolean }

/** A model's routes, and whose word they are: the card's own, or the operator's in their place. */
export interface ModelRoutes { model: string; source: 'card' | 'operator'; changedAt: Date | null; routes: SetRoute[] }

/** A further name of the house's for a model. */
export interface Alias { name: string; model: string; changedAt: Date }

/** How a provider stands here: whether it is set up (else what is missing), how its breaker stands, until when it asked to be left alone. */
export interface ProviderStanding {
  provider: string
  configured: boolean
  missing: string[]
  state: 'closed' | 'open' | 'half_open'
  failures: number
  openUntil: Date | null
  pausedUntil: Date | null
}
