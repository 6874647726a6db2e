/** What Prometheus reads at `/metrics`: answers by door and route, work by state, and how the process is. */
import { Gauge, Histogram, Registry, collectDefaultMetrics } from 'prom-client'
import type { Database } from './db/pool.ts'
import { readCosts, type CostLine } from './ledger/costs.ts'

export interface Metrics {
  observe(answer: { door: string; method: string; route: string; status: number; seconds: number }): void
  write(): Promise<string>
}

export function createMetrics({ database, busy , tellsCosts }: { database: Database; /** Whether amounts are told: anybody who reaches the address reads them. */ tellsCosts: boolean; busy(): number }): Metrics {
  const register = new Registry()
  collectDefaultMetrics({ register, prefix: 'plantain_' })
  const answers = new Histogram({
    name: 'plantain_http_seconds', help: 'Time to answer a request.', labelNames: ['door', 'method', 'route', 'status'] as const,
    buckets: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60], registers: [register],
  })
  new Gauge({
    name: 'plantain_tasks', help: 'Tasks that have not ended, by state.', labelNames: ['state'] as const, registers: [register],
    async collect() {
      // Each state has a partial index of its own: this reads what is unfinished, never what is done.
      const { rows } = await database.query<{ state: string; count: number }>(`
        select 'queued' as state, count(*)::int as count from task where state = 'queued'
        union all select 'waiting', count(*)::int from task where state = 'waiting'
        union all select 'running', count(*)::int from task where state = 'running'`)
      for (const row of rows) this.set({ state: row.state }, row.count)
    },
  })
  new Gauge({
    name: 'plantain_deliveries_pending', help: 'Webhook deliveries still to be made.', registers: [register],
    async collect() {
      const { rows: [row] } = await database.query<{ count: number }>(`
        select (select count(*) from delivery_due)::int
          + (select count(*) from delivery_hand, unnest(deliveries) as held(id) join delivery d using (id) where d.state = 'pending' and not exists (select from delivery_due where delivery_id = d.id))::int as count`)
      this.set(row!.count)
    },
  })
  // Summed over a day of rows, so not more than once a minute, however often somebody asks.
  const readToday = atMostEvery(60_000, () => readCosts(database, { from: new Date(new Date().toISOString().slice(0, 10)), to: new Date(Date.now() + 86_400_000) }))
  const costs = (name: string, help: string, valueOf: (line: CostLine) => number) => new Gauge({
    name, help, labelNames: ['provider', 'model'] as const, registers: [register],
    async collect() {
      this.reset()
      for (const line of await readToday()) this.set({ provider: line.provider, model: line.model }, valueOf(line))
    },
  })
  if (tellsCosts) costs('plantain_cost_today_dollars', 'What upstreams took today (UTC), as far as it is known.', line => line.costMicros / 1e6)
  if (tellsCosts) costs('plantain_charged_today_dollars', 'What callers were charged for it today (UTC).', line => line.chargedMicros / 1e6)
  costs('plantain_cost_unknown_today', 'Attempts of today (UTC) of which nobody knows what they cost.', line => line.unknown)
  new Gauge({
    name: 'plantain_late_looks', help: 'Attempts that are still looked after although their task has ended.', registers: [register],
    async collect() {
      const { rows: [row] } = await database.query<{ count: number }>(`select count(*)::int as count from late_look where state = 'open'`)
      this.set(row!.count)
    },
  })
  new Gauge({ name: 'plantain_steps_in_hand', help: 'Steps this process has in hand.', registers: [register], collect() { this.set(busy()) } })

  return {
    observe: ({ door, method, route, status, seconds }) => { answers.observe({ door, method, route, status: String(status) }, seconds) },
    write: () => register.metrics(),
  }
}

/** What was read within the last `ms` is told again. */
function atMostEvery<T>(ms: number, read: () => Promise<T>): () => Promise<T> {
  let kept: { at: number; value: Promise<T> } | null = null
  return () => {
    if (!kept || performance.now() - kept.at > ms) {
      const value = read()
      kept = { at: performance.now(), value }
      value.catch(() => { kept = null })
    }
    return kept.value
  }
}
