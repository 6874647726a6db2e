/**
 * Which provider makes what: the built-in model for test keys, the card's routes for live ones, in order, by weight and by health.
 *
 * Answers from a snapshot of a few small tables (breakers, pauses, what the operator changed), read once a second by every process and at
 * once by the one that wrote; no task waits for it. Absent on purpose: waiting, retries, money.
 */
import type { Card } from './domain/card.ts'
import { Problem } from './domain/problem.ts'
import { firstOf, rankRoutes, type Candidate, type Route } from './domain/routing.ts'
import type { Database } from './db/pool.ts'
import type { Roads } from './engine/engine.ts'
import { readStates, type ProviderState } from './engine/health.ts'
import type { Log } from './kit/log.ts'

export interface Routing extends Roads {
  /** Where a new task goes first. @throws {Problem} `provider_not_configured` */
  route(card: Card, livemode: boolean, key: string): Pick<Route, 'provider' | 'model'>
  /** How every provider stands that is not simply well. */
  states(): ProviderState[]
  start(): Promise<void>
  stop(): void
}

export interface RoutingOptions {
  database: Database
  findCard(id: string): Card | null
  /** Providers that are set up, by id. */
  configured: ReadonlySet<string>
  /** Settings that are missing, by the id of a provider that is known but not set up. */
  missing: ReadonlyMap<string, string[]>
  now(): Date
  log: Log
}

/** How old the snapshot may be: a change made elsewhere takes effect everywhere within this. */
const snapshotMs = 1_000

/** What the choice among equal routes hangs on: the caller's own key within its project, else the task. */
export const stickyKeyOf = (task: { id: string; project_id: string; sticky_key: string | null }): string => task.sticky_key === null ? task.id : `${task.project_id} ${task.sticky_key}`

export function createRouting({ database, findCard, configured, missing, now, log }: RoutingOptions): Routing {
  let states = new Map<string, ProviderState>()
  let timer: NodeJS.Timeout | undefined
  let reading: Promise<void> | null = null
  let again = false

  const read = async () => {
    const rows = await readStates(database)
    states = new Map(rows.map(row => [row.provider, row]))
  }
  /** One reading at a time; whoever asks during one gets the next. */
  const refresh = (): Promise<void> => {
    if (reading) { again = true; return reading }
    reading = (async () => { do { again = false; await read() } while (again) })()
      .catch(error => log.warn({ error }, 'the state of the providers could not be read; what was known still holds')).finally(() => { reading = null })
    return reading
  }

  const standingOf = (provider: string): Pick<Candidate, 'standing' | 'until'> => {
    const state = states.get(provider)
    if (state === undefined) return { standing: 'ready', until: null }
    const { health, pausedUntil } = state
    // Open or half open: its one probe is taken from what is queued there, never a new task that has somebody else.
    if (health.state !== 'closed') return { standing: 'down', until: health.openUntil }
    return pausedUntil !== null && pausedUntil > now() ? { standing: 'busy', until: pausedUntil } : { standing: 'ready', until: null }
  }

  const candidatesOf = (card: Card, key: string): Candidate[] =>
    rankRoutes(card.routes.filter(route => configured.has(route.provider)), key).map(({ provider, model, order, weight }) => ({ provider, model, order, weight, ...standingOf(provider) }))

  const refusal = (card: Card): Problem => {
    const routes = [...card.routes].sort((a, b) => a.order - b.order)
    const settings = routes.flatMap(route => missing.get(route.provider) ?? [])
    return new Problem('provider_not_configured', settings.length > 0
      ? `No provider of ${card.id} is set up on this server. Set ${settings.join(' or ')} and restart it, or use a test key.`
      : `${card.id} is made by ${routes.map(route => route.provider).join(' or ') || 'nobody'}, and this server has no such provider. Use a test key, or another model.`,
    { model: card.id, settings })
  }

  return {
    route(card, livemode, key) {
      if (!livemode) return { provider: 'sandbox', model: card.id }
      const chosen = firstOf(candidatesOf(card, key))
      if (!chosen) throw refusal(card)
      return { provider: chosen.provider, model: chosen.model }
    },
    routesOf(task) {
      const card = task.livemode ? findCard(task.model) : null
      return card ? candidatesOf(card, stickyKeyOf(task)) : []
    },
    isWell(provider) {
      const health = states.get(provider)?.health
      return health === undefined || health.state === 'closed' && health.failures === 0
    },
    stranded() {
      const providers = [...states.keys()].filter(provider => standingOf(provider).standing !== 'ready')
      return providers.length > 0 ? { providers, models: [] } : null
    },
    changed: refresh,
    states: () => [...states.values()],
    async start() {
      await refresh()
      timer = setInterval(() => { void refresh() }, snapshotMs).unref()
    },
    stop() { clearInterval(timer) },
  }
}
