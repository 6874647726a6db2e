/**
 * The money room: what was granted, held, captured and released, and the balance that follows from it.
 *
 * What moves money is part of the statement that writes the fact it belongs to, or takes that fact's transaction and opens none of its own. Rows are only
 * appended; a balance is the running sum of its rows and can be made again from them (`audit`). Absent on purpose: prices
 * (a card's), update and delete on `ledger`, fractions of a micro-dollar.
 */
import type { Client } from '../db/pool.ts'

/** Whose money: an account, in test or live mode. The two never meet. */
export interface Purse { accountId: string; livemode: boolean }

const purseKey = ({ accountId, livemode }: Purse) => `${accountId}${livemode ? 'L' : 'T'}`

/**
 * Locks purses and says what is in them, by `purseKey`. Locked in one order everywhere, so two groups never wait for each other.
 *
 * A purse nobody has put money into yet is empty, and has no row to lock.
 */
export async function lockPurses(client: Client, purses: Purse[]): Promise<Map<string, number>> {
  const unique = [...new Map(purses.map(purse => [purseKey(purse), purse])).values()]
  const { rows } = await client.query<{ account_id: string; livemode: boolean; available_micros: number }>({ name: 'ledger lock', text: `
    select account_id, livemode, available_micros from balance
    where (account_id, livemode) in (select * from unnest($1::uuid[], $2::boolean[]))
    order by account_id, livemode for update` },
  [unique.map(purse => purse.accountId), unique.map(purse => purse.livemode)])
  const available = new Map(unique.map(purse => [purseKey(purse), 0]))
  for (const row of rows) available.set(purseKey({ accountId: row.account_id, livemode: row.livemode }), row.available_micros)
  return available
}

/** What is left in a purse out of `lockPurses`. */
export const availableIn = (locked: Map<string, number>, purse: Purse): number => locked.get(purseKey(purse)) ?? 0
/** Notes that `micros` of a locked purse are spoken for. */
export const takeFrom = (locked: Map<string, number>, purse: Purse, micros: number): void => { locked.set(purseKey(purse), availableIn(locked, purse) - micros) }

/**
 * The parts of a statement that hold money: `bill` is what each purse is to give, `purse` whether it can. For a statement that has
 * written its tasks as `entries` (account_id, project_id, key_id, livemode, id, price_micros) and says in `verdict (written)` whether it does.
 */
export const holdingOf = (entries: string): string => `
    paid as (
      update balance b set available_micros = available_micros - bill.micros, held_micros = held_micros + bill.micros
      from bill, verdict where written and b.account_id = bill.account_id and b.livemode = bill.livemode),
    booked as (
      insert into ledger (kind, account_id, project_id, key_id, livemode, task_id, amount_micros)
      select 'hold', account_id, project_id, key_id, livemode, id, -price_micros from ${entries}, verdict where written)`

/**
 * The parts of a statement that capture or release holds, in the statement that ends their tasks. `charged` 0 releases; anything else
 * captures that much. A hold is closed once: the second row is refused by the database.
 *
 * @param closes a query of account_id, project_id, key_id, livemode, task_id, held, charged; it has locked the tasks
 * @param most a parameter that is no less than there are purses; it tells the planner of few, for whom it reads no whole table
 */
export const closingOf = (closes: string, most: string): string => `
    close as materialized (${closes}),
    movement as materialized (
      select account_id, livemode, sum(held - charged)::bigint as available, sum(held)::bigint as held, sum(charged)::bigint as spent from close group by 1, 2 limit ${most}),
    purse as materialized (
      select m.* from (select * from movement order by account_id, livemode) m
      cross join lateral (select from balance b where b.account_id = m.account_id and b.livemode = m.livemode for update) b),
    moved as (
      update balance b set available_micros = b.available_micros + m.available, held_micros = b.held_micros - m.held, spent_micros = b.spent_micros + m.spent
      from purse m where b.account_id = m.account_id and b.livemode = m.livemode),
    booked as (
      insert into ledger (kind, account_id, project_id, key_id, livemode, task_id, amount_micros)
      select case when charged > 0 or held = 0 then 'capture' else 'release' end, account_id, project_id, key_id, livemode, task_id, held - charged from close)`

/** Puts money into a purse. */
export async function grant(client: Client, purse: Purse, micros: number, note: string): Promise<void> {
  await client.query(`insert into balance (account_id, livemode) values ($1, $2) on conflict do nothing`, [purse.accountId, purse.livemode])
  await client.query(`update balance set available_micros = available_micros + $3 where account_id = $1 and livemode = $2`, [purse.accountId, purse.livemode, micros])
  await client.query(`insert into ledger (account_id, livemode, kind, amount_micros, note) values ($1, $2, 'grant', $3, $4)`, [purse.accountId, purse.livemode, micros, note])
}
