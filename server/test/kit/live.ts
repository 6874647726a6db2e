/** A live order from outside and what it did to the money: for the suites that send real cards to rehearsed upstreams. */
import type { TestHouse } from './house.ts'

export interface Sent { status: number; body: any }

export const send = (house: TestHouse, body: object, waitS = 20): Promise<Sent> => fetch(`${house.url}/plantain/v1/tasks?wait=${waitS}`, {
  method: 'POST', headers: { authorization: `Bearer ${house.liveKey}`, 'content-type': 'application/json' }, body: JSON.stringify(body) }).then(async answer => ({ status: answer.status, body: await answer.json() as any }))

/**
 * What was held for a task and what it took in the end, in micro-dollars, by the ledger.
 *
 * A hold takes the price away at once; a capture gives back what was held too much, a release everything.
 */
export async function moneyOf(house: TestHouse, taskId: string): Promise<{ held: number; captured: number }> {
  const { rows } = await house.database.query<{ kind: string; amount: number }>('select kind, amount_micros::float8 as amount from ledger where task_id = $1', [taskId])
  const held = -(rows.find(({ kind }) => kind === 'hold')?.amount ?? 0)
  return { held, captured: -rows.reduce((sum, { amount }) => sum + amount, 0) || 0 }
}
