/**
 * Which provider makes what: the built-in model for test keys, the card's routes for live ones, in order, by weight and by health.
 *
 * Answers from a snapshot of a few small tables (breakers, pauses, what the operator changed), read once a second by every process and at
 * once by the one that wrote; no task waits for it. Absent on purpose: waiting, retries, money.
 */
import { isDeepStrictEqual } from 'node:util'
import { createChangeRoom, noChanges, readChanges, routesIn, type ChangeRoom } from './catalog/changes.ts'
import type { Catalog } from './catalog/catalog.ts'
import { costsOf, losesOn, type Sold } from './catalog/cost.ts'
import type { Card } from './domain/card.ts'
import type { Priority } from './domain/order.ts'
import { Problem } from './domain/problem.ts'
import { firstOf, rankRoutes, type Candidate, type ModelRoutes, type ProviderStanding, type Route } from './domain/routing.ts'
import type { Database } from './db/pool.ts'
import type { Roads } from './engine/engine.ts'
import { readStates, type ProviderState } from './engine/health.ts'
import type { Log } from './kit/log.ts'

export interface Routing extends Roads {
  /** Where a new task goes first. @throws {Problem} `provider_not_configured` */
  route(card: Card, livemode: boolean, key: string, order: Patience & Sold): Pick<Route, 'provider' | 'model'>
  /** The model an alias stands for; null for a name that is none. */
  aliasOf(name: string): string | null
  /** The routes that count now. */
  routesIn(card: Card): ModelRoutes
  /** How a route's provider stands now. */
  standingOf(provider: string): Pick<Candidate, 'standing' | 'until'>
  isConfigured(provider: string): boolean
  /** Every provider there is. */
  providers(): ProviderStanding[]
  changes: ChangeRoom
  start(): Promise<void>
  stop(): void
}

export interface RoutingOptions {
  database: Database
  catalog: Catalog
  /** Providers there are, by id. */
  known: readonly string[]
  /** Providers that are set up, by id. */
  configured: ReadonlySet<string>
  /** Settings that are missing, by the id of a provider that is known but not set up. */
  missing: ReadonlyMap<string, string[]>
  /** Whose a further account of a provider is, by its id. */
  accountOf(provider: string): string | undefined
  /** Whether a route may make what its list says costs more than it was sold for. */
  takesLosses: boolean
  now(): Date
  log: Log
}

/** How old the snapshot may be: a change made elsewhere takes effect everywhere within this. */
const snapshotMs = 1_000
/** How often one process sends a new task to find out whether an upstream that was left alone is back. Of those, one asks; the rest are moved on. */
const probeEveryMs = 5_000
/** How long queued work of a model is looked through after its routes were changed, a batch a second. */
const lookThroughMs = 60_000

/** What the choice among equal routes hangs on: the caller's own key within its project, else the task. */
export const stickyKeyOf = (task: { id: string; project_id: string; sticky_key: string | null }): string => task.sticky_key === null ? task.id : `${task.project_id} ${task.sticky_key}`

/** How long an order can wait. */
export interface Patience { priority: Priority; leftMs: number }

/** Somebody who waits: what a model can do for everybody. */
export const inAHurry: Patience = { priority: 'interactive', leftMs: 0 }

/** Whether an order may go to a provider that takes its time; what a card says of one holds for it wherever an operator puts it. */
export const hasPatienceFor = ({ routes }: Card, provider: string, { priority, leftMs }: Patience): boolean => {
  const hoursMin = routes.find(route => route.provider === provider)?.batchHoursMin
  return hoursMin === undefined || priority === 'batch' && leftMs >= hoursMin * 3_600_000
}

export function createRouting({ database, catalog, known, configured, missing, accountOf, takesLosses, now, log }: RoutingOptions): Routing {
  let states = new Map<string, ProviderState>()
  let changes = noChanges
  /** Models whose routes were changed a while ago, and until when their queued work is looked through. */
  const lookThrough = new Map<string, number>()
  /** When a new task was last sent to find out, by provider. */
  const probed = new Map<string, number>()
  let timer: NodeJS.Timeout | undefined
  let reading: Promise<void> | null = null
  let again = false
  let begun = false

  const read = async () => {
    const [rows, changed] = await Promise.all([readStates(database), readChanges(database)])
    states = new Map(rows.map(row => [row.provider, row]))
    if (begun) {
      for (const model of new Set([...changes.routes.keys(), ...changed.routes.keys()])) {
        if (!isDeepStrictEqual(changes.routes.get(model)?.routes, changed.routes.get(model)?.routes)) lookThrough.set(model, now().getTime() + lookThroughMs)
      }
    }
    changes = changed
    begun = true
  }
  /** One reading at a time; whoever asks during one gets the next. */
  const refresh = (): Promise<void> => {
    if (reading) { again = true; return reading }
    reading = (async () => {
      do {
        again = false
        await read().catch(error => log.warn({ error }, 'the state of the providers could not be read; what was known still holds'))
      } while (again)
      reading = null
    })()
    return reading
  }

  const standingOf = (provider: string): Pick<Candidate, 'standing' | 'until'> => {
    const state = states.get(provider)
    if (state === undefined) return { standing: 'ready', until: null }
    const { health, pausedUntil } = state
    if (health.state !== 'closed') return { standing: 'down', until: health.openUntil }
    return pausedUntil !== null && pausedUntil > now() ? { standing: 'busy', until: pausedUntil } : { standing: 'ready', until: null }
  }

  /** Whether an order may go to a route at all, ready or not. */
  const isFor = (card: Card, route: Pick<Route, 'provider' | 'model'>, order: Patience & Sold): boolean =>
    hasPatienceFor(card, route.provider, order) && (takesLosses || !losesOn(card, costsOf(card, route, accountOf), order, now()))

  /** `order` null: for any. */
  const candidatesOf = (card: Card, key: string, order: Patience & Sold | null): Candidate[] =>
    rankRoutes(routesIn(changes, card).routes.filter(route => route.enabled && configured.has(route.provider) && (order === null || isFor(card, route, order))), key)
      .map(({ provider, model, order, weight }) => ({ provider, model, order, weight, ...standingOf(provider) }))

  /** Whether a new task may be sent to find out: its time alone is over, and nobody was sent a moment ago. Without this an upstream whose work all went elsewhere would never be asked again. */
  const mayProbe = ({ provider, standing, until }: Candidate): boolean =>
    standing === 'down' && states.get(provider)?.health.state === 'open' && until !== null && until <= now() && now().getTime() - (probed.get(provider) ?? 0) >= probeEveryMs

  const refusal = (card: Card, order: Patience & Sold): Problem => {
    const { routes, source } = routesIn(changes, card)
    // What could never have taken this order is no advice.
    const on = routes.filter(route => route.enabled && hasPatienceFor(card, route.provider, order)).sort((a, b) => a.order - b.order)
    const settings = on.flatMap(route => missing.get(route.provider) ?? [])
    const refused = (message: string) => new Problem('provider_not_configured', message, { model: card.id, settings })
    if (on.some(({ provider }) => configured.has(provider))) return refused(`Whoever makes ${card.id} on this server takes more for this than it is sold for, and the server makes nothing at a loss. Ask its operator to see to the price, or take another model.`)
    if (on.length === 0 && source === 'operator') return refused(`${card.id} is switched off on this server. Use a test key, or another model.`)
    return refused(settings.length > 0
      ? `No provider of ${card.id} is set up on this server. Set ${settings.join(' or ')} and restart it, or use a test key.`
      : `${card.id} is made by ${on.map(route => route.provider).join(' or ') || 'nobody'}, and this server has no such provider. Use a test key, or another model.`)
  }

  const room = createChangeRoom({ database, catalog, providers: known })
  /** Known here at once, and to other processes with their next reading. */
  const seenAtOnce = <Arguments extends unknown[], Result>(change: (...values: Arguments) => Promise<Result>) => async (...values: Arguments): Promise<Result> => {
    const result = await change(...values)
    await refresh()
    return result
  }

  return {
    route(card, livemode, key, order) {
      if (!livemode) return { provider: 'sandbox', model: card.id }
      const chosen = firstOf(candidatesOf(card, key, order).map(one => mayProbe(one) ? { ...one, standing: 'ready' as const, finds: true } : { ...one, finds: false }))
      if (!chosen) throw refusal(card, order)
      if (chosen.finds) probed.set(chosen.provider, now().getTime())
      return { provider: chosen.provider, model: chosen.model }
    },
    routesOf(task) {
      const card = task.livemode ? catalog.find(task.model)?.card : undefined
      return card ? candidatesOf(card, stickyKeyOf(task), { ...task, leftMs: task.end_by.getTime() - now().getTime(), priceMicros: task.price_micros }) : []
    },
    isWell(provider) {
      const health = states.get(provider)?.health
      return health === undefined || health.state === 'closed' && health.failures === 0
    },
    stranded() {
      for (const [model, untilMs] of lookThrough) if (untilMs < now().getTime()) lookThrough.delete(model)
      const providers = [...states.keys()].filter(provider => standingOf(provider).standing !== 'ready')
      if (providers.length === 0 && lookThrough.size === 0) return null
      // Only what has somewhere to go: what must wait would otherwise be looked at again and again, and stand before what need not.
      const movable = providers.length === 0 ? [] : catalog.all().filter(card => {
        const candidates = candidatesOf(card, '', null)
        return candidates.some(one => one.standing === 'ready') && candidates.some(one => one.standing !== 'ready')
      }).map(card => card.id)
      return { providers, movable, changed: [...lookThrough.keys()] }
    },
    changed: refresh,
    aliasOf: name => changes.aliases.get(name)?.model ?? null,
    routesIn: card => routesIn(changes, card),
    standingOf,
    isConfigured: provider => configured.has(provider),
    providers: () => known.filter(provider => provider !== 'sandbox').map(provider => {
      const { health, pausedUntil } = states.get(provider) ?? { health: null, pausedUntil: null }
      return {
        provider, configured: configured.has(provider), missing: [...missing.get(provider) ?? []],
        state: health?.state ?? 'closed', failures: health?.failures ?? 0, openUntil: health?.openUntil ?? null, pausedUntil: pausedUntil !== null && pausedUntil > now() ? pausedUntil : null,
      }
    }),
    changes: { read: room.read, setRoutes: seenAtOnce(room.setRoutes), resetRoutes: seenAtOnce(room.resetRoutes), setAlias: seenAtOnce(room.setAlias), removeAlias: seenAtOnce(room.removeAlias) },
    async start() {
      await refresh()
      timer = setInterval(() => { void refresh() }, snapshotMs).unref()
    },
    stop() { clearInterval(timer) },
  }
}
