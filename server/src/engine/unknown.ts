/** What an operator has to look up himself: attempts that may have been bought, and of which nobody here can say what became. */
import type { Client } from '../db/pool.ts'
import type { StoredProblem } from '../domain/problem.ts'

export interface UnknownAttempt {
  taskId: string
  attempt: number
  provider: string
  upstreamModel: string
  /** The upstream's own id of it, where it gave one. */
  upstreamId: string | null
  /** What the upstream was sent as our key. */
  key: string
  outcome: 'unknown' | 'cancelled'
  problem: StoredProblem | null
  sentAt: Date
  endedAt: Date
  /** Until when it is still looked for; null where nobody looks. */
  lookedForUntil: Date | null
}

/** Newest first, in live mode. What was found, failed or stopped since is not among them. */
export async function readUnknown(client: Client, { since, limit }: { since: Date; limit: number }): Promise<UnknownAttempt[]> {
  const { rows } = await client.query<{
    task_id: string; number: number; provider: string; upstream_model: string; upstream_id: string | null; outcome: UnknownAttempt['outcome']; problem: StoredProblem | null
    sent_at: Date; ended_at: Date; until: Date | null
  }>(`
    select replace(a.task_id::text, '-', '') as task_id, a.number, a.provider, a.upstream_model, a.outcome, a.problem, a.sent_at, a.ended_at,
      case when l.state = 'open' then l.until end as until,
      coalesce(a.receipt->'receipt'->>'id', a.receipt->'from'->'receipt'->>'id', case when t.attempts = a.number then t.upstream_id end) as upstream_id
    from attempt a join task t on t.id = a.task_id left join late_look l on l.task_id = a.task_id and l.number = a.number
    where a.outcome in ('unknown', 'cancelled') and a.ended_at >= $1 and t.livemode and (l.state is null or l.state in ('open', 'given_up'))
      and not exists (select from provider_cost c where c.task_id = a.task_id and c.number = a.number and c.micros is not null)
    order by a.ended_at desc limit $2`, [since, limit])
  return rows.map(row => ({
    taskId: row.task_id, attempt: row.number, provider: row.provider, upstreamModel: row.upstream_model, upstreamId: row.upstream_id, key: `${row.task_id}-${row.number}`, outcome: row.outcome,
    problem: row.problem, sentAt: row.sent_at, endedAt: row.ended_at, lookedForUntil: row.until,
  }))
}
