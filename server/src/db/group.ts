/**
 * Lets many callers share one commit.
 *
 * While one group is under way the next one collects, and goes when the first is back. There is no timer: an idle house
 * waits for nothing, a busy one commits up to `max` at a time (measured: 7,495 durable tasks/s against 613 one by one).
 */
import { Problem } from '../domain/problem.ts'
import { DatabaseDown } from './down.ts'

export interface GroupOptions {
  /** Members of one group at most, so that a commit stays short. */
  max?: number
  /** Groups under way at the same time. */
  lanes?: number
  /** Members of groups beside each other at most; more than that go one group after another. For groups that want the same rows: large ones would only wait for each other. */
  besideMax?: number
  /** How long the first of a group waits for company. Only where nobody waits for the result: it makes groups large that would be small. */
  lingerMs?: number
  /** Callers waiting for a group at most; the next one hears `GroupFull` instead of waiting for ever. */
  waitingMax?: number
}

/** Too many are waiting already. Nothing was done, so asking again later is safe. */
export class GroupFull extends Problem {
  override name = 'GroupFull'
  constructor(message: string) { super('unavailable', message, { retryAfterS: 1 }) }
}

export interface Grouped<Item, Result> {
  (item: Item): Promise<Result>
  /** Settles when nothing is waiting and nothing is under way. */
  drain(): Promise<void>
}

interface Member<Item, Result> {
  item: Item
  done(result: Result): void
  failed(error: unknown): void
}

/**
 * Makes a function for one out of a function for many.
 *
 * `run` does all or nothing and answers one result per member, in order. When it fails, its members are tried one by
 * one, so a bad one fails alone. A lost database is not tried again: the group may have been committed (`DatabaseDown`).
 */
export function grouped<Item, Result>(
  run: (batch: Item[]) => Promise<Result[]>,
  { max = 200, lanes = 1, besideMax = Infinity, lingerMs = 0, waitingMax = 20_000 }: GroupOptions = {},
): Grouped<Item, Result> {
  const waiting: Member<Item, Result>[] = []
  let busy = 0
  let underWay = 0
  let idle: (() => void)[] = []

  const attempt = async (members: Member<Item, Result>[]): Promise<void> => {
    let results: Result[]
    try {
      results = await run(members.map(member => member.item))
    } catch (error) {
      if (members.length === 1 || error instanceof DatabaseDown) {
        for (const member of members) member.failed(error)
        return
      }
      for (const member of members) await attempt([member])
      return
    }
    // It is committed by now, so trying again would do it twice: a wrong number of results is a bug to be heard of.
    if (results.length !== members.length) {
      const error = new Error(`A group of ${members.length} was answered with ${results.length} results.`)
      for (const member of members) member.failed(error)
      return
    }
    members.forEach((member, index) => member.done(results[index] as Result))
  }

  const work = async () => {
    // A lane that leaves off here leaves the rest to one that is under way and looks again.
    while (waiting.length > 0 && (underWay === 0 || underWay + waiting.length <= besideMax)) {
      const members = waiting.splice(0, max)
      underWay += members.length
      await attempt(members)
      underWay -= members.length
    }
    busy--
    if (busy > 0) return
    for (const tell of idle) tell()
    idle = []
  }

  const add = (item: Item) => new Promise<Result>((done, failed) => {
    if (waiting.length >= waitingMax) {
      failed(new GroupFull(`${waitingMax} are waiting already. Try again later.`))
      return
    }
    waiting.push({ item, done, failed })
    if (busy >= lanes) return
    busy++
    // A microtask later, so that callers of the same moment are in the same group.
    if (lingerMs === 0) queueMicrotask(work)
    else setTimeout(work, lingerMs)
  })

  return Object.assign(add, {
    drain: () => busy === 0 ? Promise.resolve() : new Promise<void>(done => { idle.push(done) }),
  })
}
