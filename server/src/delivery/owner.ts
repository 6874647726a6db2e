import type { Caller } from '../domain/caller.ts'
import { Problem } from '../domain/problem.ts'

/** Whose endpoints and deliveries: a project in one mode, and the key that asks. */
export type Owner = Pick<Caller, 'accountId' | 'projectId' | 'keyId' | 'livemode'>

const overlapHoursMax = 168

/** Until when a replaced secret still signs; null for not at all. @throws {Problem} `bad_request` */
export function overlapUntil(overlapHours: number, now: Date): Date | null {
  if (!(overlapHours >= 0 && overlapHours <= overlapHoursMax)) {
    throw new Problem('bad_request', `Two secrets overlap for 0 to ${overlapHoursMax} hours.`, { field: 'overlap_hours', value: overlapHours })
  }
  return overlapHours === 0 ? null : new Date(now.getTime() + overlapHours * 3_600_000)
}
