/**
 * The money room: what was granted, held, captured and released, and the balance that follows from it.
 *
 * Every function that moves money takes the transaction of the fact it belongs to and opens none of its own. Rows are only
 * appended; a balance is the running sum of its rows and can be made again from them (`audit`). Absent on purpose: prices
 * (a card's), update and delete on `ledger`, fractions of a micro-dollar.
 */
import type { Client } from '../db/pool.ts'

/** Whose money: an account, in test or live mode. The two never meet. */
export interface Purse { accountId: string; livemode: boolean }

export interface Hold extends Purse { taskId: string; projectId: string; keyId: string | null; micros: number }

/** How a hold ends. `chargedMicros` 0 releases it; anything else captures that much. */
export interface Close extends Purse { taskId: string; projectId: string; keyId: string | null; heldMicros: number; chargedMicros: number }

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

/** Holds money for tasks that are being written in the same transaction. The purses are locked and suffice. */
export async function hold(client: Client, holds: Hold[]): Promise<void> {
  if (holds.length === 0) return
  await move(client, holds.map(({ accountId, livemode, micros }) => ({ accountId, livemode, available: -micros, held: micros, spent: 0 })))
  await append(client, 'hold', holds.map(one => ({ ...one, amount: -one.micros })))
}

/** Captures or releases holds, in the transaction that ends their tasks. A hold is closed once: the second row is refused by the database. */
export async function close(client: Client, closes: Close[]): Promise<void> {
  if (closes.length === 0) return
  await move(client, closes.map(({ accountId, livemode, heldMicros, chargedMicros }) =>
    ({ accountId, livemode, available: heldMicros - chargedMicros, held: -heldMicros, spent: chargedMicros })))
  const rows = closes.map(one => ({ ...one, amount: one.heldMicros - one.chargedMicros }))
  await append(client, 'capture', rows.filter(row => row.chargedMicros > 0 || row.heldMicros === 0))
  await append(client, 'release', rows.filter(row => row.chargedMicros === 0 && row.heldMicros > 0))
}

/** Puts money into a purse. */
export async function grant(client: Client, purse: Purse, micros: number, note: string): Promise<void> {
  await client.query(`insert into balance (account_id, livemode) values ($1, $2) on conflict do nothing`, [purse.accountId, purse.livemode])
  await client.query(`update balance set available_micros = available_micros + $3 where account_id = $1 and livemode = $2`, [purse.accountId, purse.livemode, micros])
  await client.query(`insert into ledger (account_id, livemode, kind, amount_micros, note) values ($1, $2, 'grant', $3, $4)`, [purse.accountId, purse.livemode, micros, note])
}

interface Movement extends Purse { available: number; held: number; spent: number }

/** Adds movements to the balances, one update per purse, in the order in which purses are locked. */
async function move(client: Client, movements: Movement[]): Promise<void> {
  const sums = new Map<string, Movement>()
  for (const movement of movements) {
    const sum = sums.get(purseKey(movement))
    if (!sum) sums.set(purseKey(movement), { ...movement })
    else { sum.available += movement.available; sum.held += movement.held; sum.spent += movement.spent }
  }
  const rows = [...sums.values()]
  await client.query({ name: 'ledger move', text: `
    with movement as (select * from unnest($1::uuid[], $2::boolean[], $3::bigint[], $4::bigint[], $5::bigint[]) as m(account_id, livemode, available, held, spent)),
    locked as materialized (
      select b.account_id, b.livemode from balance b join movement m using (account_id, livemode) order by 1, 2 for update of b)
    update balance b set available_micros = available_micros + m.available, held_micros = held_micros + m.held, spent_micros = spent_micros + m.spent
    from movement m join locked using (account_id, livemode) where b.account_id = m.account_id and b.livemode = m.livemode` },
  [rows.map(row => row.accountId), rows.map(row => row.livemode), rows.map(row => row.available), rows.map(row => row.held), rows.map(row => row.spent)])
}

type Entry = Purse & { taskId: string; projectId: string; keyId: string | null; amount: number }

async function append(client: Client, kind: 'hold' | 'capture' | 'release', entries: Entry[]): Promise<void> {
  if (entries.length === 0) return
  await client.query({ name: 'ledger append', text: `
    insert into ledger (kind, account_id, project_id, key_id, livemode, task_id, amount_micros)
    select $1, * from unnest($2::uuid[], $3::uuid[], $4::uuid[], $5::boolean[], $6::uuid[], $7::bigint[])` },
  [kind, entries.map(entry => entry.accountId), entries.map(entry => entry.projectId), entries.map(entry => entry.keyId),
    entries.map(entry => entry.livemode), entries.map(entry => entry.taskId), entries.map(entry => entry.amount)])
}
