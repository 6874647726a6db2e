/** Reading the books: balances, rows, usage, and whether it all adds up. Nothing here moves money. */
import type { Client } from '../db/pool.ts'
import type { Purse } from './ledger.ts'

export interface PurseState { livemode: boolean; availableMicros: number; heldMicros: number; spentMicros: number }

export async function readBalance(client: Client, { accountId, livemode }: Purse): Promise<PurseState> {
  const { rows: [row] } = await client.query<{ available_micros: number; held_micros: number; spent_micros: number }>(
    { name: 'books balance', text: 'select available_micros, held_micros, spent_micros from balance where account_id = $1 and livemode = $2' }, [accountId, livemode])
  return { livemode, availableMicros: row?.available_micros ?? 0, heldMicros: row?.held_micros ?? 0, spentMicros: row?.spent_micros ?? 0 }
}

export interface BookRow { id: number; kind: 'grant' | 'hold' | 'capture' | 'release' | 'adjust'; amountMicros: number; taskId: string | null; note: string | null; createdAt: Date }

/** The account's rows, newest first. `after` is the id of the last row of the page before. */
export async function readLedger(client: Client, { accountId, livemode }: Purse, { after, limit, taskId }: { after: number | null; limit: number; taskId: string | null }): Promise<BookRow[]> {
  const { rows } = await client.query<{ id: number; kind: BookRow['kind']; amount_micros: number; task_id: string | null; note: string | null; created_at: Date }>(
    `select id, kind, amount_micros, task_id, note, created_at from ledger
     where account_id = $1 and livemode = $2 and ($3::bigint is null or id < $3) and ($4::uuid is null or task_id = $4)
     order by id desc limit $5`, [accountId, livemode, after, taskId, limit])
  return rows.map(row => ({ id: row.id, kind: row.kind, amountMicros: row.amount_micros, taskId: row.task_id, note: row.note, createdAt: row.created_at }))
}

export interface UsageLine { day: string; model: string; keyId: string | null; projectId: string; tasks: number; done: number; failed: number; chargedMicros: number }

/** What a project made in a span of time, by UTC day, model and key. Ids hold their time, so the project's index by id serves. */
export async function readUsage(client: Client, { projectId, livemode, from, to }: { projectId: string; livemode: boolean; from: Date; to: Date }): Promise<UsageLine[]> {
  const bound = (time: Date) => Math.max(0, time.getTime()).toString(16).padStart(12, '0').slice(-12).padEnd(32, '0')
  const { rows } = await client.query<{ day: string; model: string; key_id: string | null; tasks: number; done: number; failed: number; charged: number }>(
    `select to_char(created_at at time zone 'utc', 'YYYY-MM-DD') as day, model, key_id, count(*)::int as tasks,
       count(*) filter (where state = 'done')::int as done, count(*) filter (where state in ('failed', 'cancelled'))::int as failed,
       coalesce(sum(charged_micros), 0)::bigint as charged
     from task where project_id = $1 and livemode = $2 and id >= $3::uuid and id < $4::uuid
     group by 1, 2, 3 order by 1, 2, 3`, [projectId, livemode, bound(from), bound(to)])
  return rows.map(row => ({ day: row.day, model: row.model, keyId: row.key_id, projectId, tasks: row.tasks, done: row.done, failed: row.failed, chargedMicros: row.charged }))
}

/** What does not add up, as sentences; empty when the books are right. */
export async function audit(client: Client): Promise<string[]> {
  const { rows } = await client.query<{ sentence: string }>(`
    with sums as (select account_id, livemode, sum(amount_micros)::bigint as available from ledger group by 1, 2),
    making as (select account_id, livemode, sum(price_micros) filter (where ended_at is null)::bigint as held, sum(charged_micros)::bigint as spent from task group by 1, 2)
    select format('account %s (%s): the ledger says %s available, the balance %s', b.account_id, case when b.livemode then 'live' else 'test' end, coalesce(s.available, 0), b.available_micros) as sentence
      from balance b left join sums s using (account_id, livemode) where b.available_micros <> coalesce(s.available, 0)
    union all
    select format('account %s: tasks hold %s, the balance says %s', b.account_id, coalesce(m.held, 0), b.held_micros)
      from balance b left join making m using (account_id, livemode) where b.held_micros <> coalesce(m.held, 0)
    union all
    select format('account %s: tasks were charged %s, the balance says %s', b.account_id, coalesce(m.spent, 0), b.spent_micros)
      from balance b left join making m using (account_id, livemode) where b.spent_micros <> coalesce(m.spent, 0)
    union all
    select format('task %s: the ledger says %s, the task %s', t.id, -coalesce(l.amount, 0), coalesce(t.charged_micros, t.price_micros))
      from task t left join (select task_id, sum(amount_micros)::bigint as amount from ledger where task_id is not null group by 1) l on l.task_id = t.id
      where -coalesce(l.amount, 0) <> coalesce(t.charged_micros, t.price_micros)
    union all
    select format('task %s ended without a charge', id) from task where ended_at is not null and charged_micros is null
    union all
    select format('task %s: attempt %s was done and nobody wrote down what it cost', a.task_id, a.number)
      from attempt a join task t on t.id = a.task_id
      where t.livemode and a.outcome = 'done' and not exists (select from provider_cost c where c.task_id = a.task_id and c.number = a.number)
    union all
    select format('task %s: its attempts say that %s was charged, the task %s', t.id, c.charged, t.charged_micros)
      from task t join (select task_id, sum(charged_micros)::bigint as charged from provider_cost group by 1) c on c.task_id = t.id where c.charged <> coalesce(t.charged_micros, 0)
    union all
    select format('task %s was charged %s, and no attempt of it', t.id, t.charged_micros)
      from task t where t.livemode and t.charged_micros > 0 and not exists (select from provider_cost c where c.task_id = t.id)
    union all
    select format('%s: %s searches were counted in the month of %s, its attempts say %s', f.provider, f.used, f.month, coalesce(c.searches, 0))
      from free_use f left join (select provider, (date_trunc('month', created_at, 'UTC') at time zone 'UTC')::date as month, sum((usage->>'searches')::bigint)::bigint as searches
        from provider_cost group by 1, 2) c on c.provider = f.provider and c.month = f.month
      where f.what = 'search' and f.used <> coalesce(c.searches, 0)
    limit 100`)
  return rows.map(row => row.sentence)
}
