import type { Client } from '../db/pool.ts'
import type { Caller } from '../domain/caller.ts'
import { Problem } from '../domain/problem.ts'

/** Whose endpoints and deliveries: a project in one mode, and the key that asks. */
export type Owner = Pick<Caller, 'accountId' | 'projectId' | 'keyId' | 'livemode'>

/** Writes an administrative act down, in the transaction of the act. */
export async function writeAct(client: Client, { accountId, projectId, keyId }: Owner, act: string, subject: string, details: Record<string, unknown> = {}): Promise<void> {
  await client.query(
    { name: 'delivery audit', text: 'insert into audit (account_id, project_id, key_id, act, subject, details) values ($1, $2, $3, $4, $5, $6)' },
    [accountId, projectId, keyId, act, subject, JSON.stringify(details)])
}

const overlapHoursMax = 168

/** Until when a replaced secret still signs; null for not at all. @throws {Problem} `bad_request` */
export function overlapUntil(overlapHours: number, now: Date): Date | null {
  if (!(overlapHours >= 0 && overlapHours <= overlapHoursMax)) {
    throw new Problem('bad_request', `Two secrets overlap for 0 to ${overlapHoursMax} hours.`, { field: 'overlap_hours', value: overlapHours })
  }
  return overlapHours === 0 ? null : new Date(now.getTime() + overlapHours * 3_600_000)
}
