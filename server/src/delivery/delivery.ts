/**
 * Telling callers: rows of the outbox become signed requests, at least once.
 *
 * Invariants: nothing is sent that is not a row first; the same delivery has the same id and body at every attempt; who holds
 * a row sends it, and what a dead process held is sent by another. `wake` is a hint and looking at the rows is the truth.
 * Absent on purpose: what a body says (`writeBody`), following redirects, and any memory that must survive.
 */
import type { KeyObject } from 'node:crypto'
import { setTimeout as pause } from 'node:timers/promises'
import about from '../../package.json' with { type: 'json' }
import { DatabaseDown } from '../db/down.ts'
import type { Database } from '../db/pool.ts'
import type { Caller } from '../domain/caller.ts'
import { Problem } from '../domain/problem.ts'
import { createPost } from '../kit/post.ts'
import type { Desk } from '../protocols/contract.ts'
import { createDeliveries } from './deliveries.ts'
import { createEndpoints } from './endpoints.ts'
import { writeHeaders } from './headers.ts'
import { createLanes, firstWidth, type Pace } from './lanes.ts'
import * as outbox from './outbox.ts'
import type { HeldDelivery, Outgoing, Seal } from './outbox.ts'
import type { Owner } from './owner.ts'
import { answerBytesMax, send as sendLetter, type Result } from './post.ts'
import { pauseMs } from './schedule.ts'
import { changeHouseSignature, findKieKey, hasHouseSignature, makeCallbackSecret, publishSecretOf, rotateCallbackSecret, rotateKieKey } from './secrets.ts'

export type { Outgoing } from './outbox.ts'
export { checkTarget } from './target.ts'

/** The delivery room as one caller sees it. */
export type Webhooks = Desk['webhooks']

export interface Delivery {
  start(): void
  /** Rows the settling transaction wrote in this process's hands; or, without any, "look at the rows now". */
  wake(rows?: Outgoing[]): void
  /** Finishes what is under way and hands the rest back. */
  stop(): Promise<void>
  /** Gives back what dead processes held, and says how much that was. */
  free(workerIds: string[]): Promise<number>
  /** Removes ended deliveries of long ago; once an hour is plenty. */
  sweep(): Promise<number>
  webhooks(caller: Pick<Caller, 'accountId' | 'projectId' | 'keyId' | 'livemode'>): Webhooks
}

export interface DeliveryOptions {
  database: Database
  /** Whether messages may go to private addresses. Asked when an address is registered, and again when it is connected to. */
  allowPrivate: boolean
  /** The house's own key (`readSigningKey`), for projects that want its signature as well; without one, nobody gets it. */
  signingKey?: KeyObject
  /** The body of a delivery about a task, an execution or a batch; the same bytes each time. `not_found` parks the delivery. */
  writeBody(delivery: Outgoing): Promise<string>
  /** The id under which this process beats in `worker`. */
  workerId: string
  now(): Date
  log: { warn(fields: object, message: string): void; error(fields: object, message: string): void }
  /** Requests under way at once. */
  slots?: number
  /** In [0, 1). */
  random?(): number
  timeoutMs?: number
  /** How often the rows are looked at without a hint. */
  pollMs?: number
}

/** An answer within this time shows that a host can take more. */
const quickMs = 1_000
const slowMs = 5_000

/** What was read or seen of a delivery for longer than this is looked at again before it is sent. */
const freshMs = 1_000

/** Attempts that were answered and are still to be written down, at most so many for each slot. */
const underWayPerSlot = 8

/** A delivery in hand, with what was looked up when it was taken. */
interface Taken extends HeldDelivery { takenAt: number; seal: Promise<Seal> }

/** A database that is away is asked again after this time. */
const againMs = 500

export function createDelivery({
  database, allowPrivate, signingKey, writeBody, workerId, now, log,
  slots = 64, random = Math.random, timeoutMs = 15_000, pollMs = 5_000,
}: DeliveryOptions): Delivery {
  const lanes = createLanes<Taken>({ slots })
  const hands = outbox.createHands()
  const findSeal = outbox.createSeals({ database, now })
  const isOurs = outbox.createChecks({ database, workerId })
  const record = outbox.createRecord({ database, hands })
  const post = createPost({ allowPrivate, deadlineMs: timeoutMs, answerBytes: answerBytesMax })
  const underWay = new Set<Promise<void>>()
  let state: 'new' | 'open' | 'stopping' = 'new'
  const isOpen = () => state === 'open'
  let poll: NodeJS.Timeout | undefined

  // Looking -----------------------------------------------------------------------------------------------------------

  /** Hosts up to this one had their turn in claiming. */
  let lastHost = ''
  /** Due rows may have been left for want of slots, or at these hosts for want of room in their lanes. */
  let more = false
  let full = new Set<string>()
  let timer: NodeJS.Timeout | undefined
  let timerAt = Infinity

  /** Claiming and rescuing take turns: what a claim has taken is ours in the database before it is in our hands. */
  let turn = Promise.resolve()
  const inTurn = (work: () => Promise<void>) => {
    let queued = false
    return () => {
      if (queued || !isOpen()) return
      queued = true
      turn = turn.then(async () => {
        queued = false
        if (isOpen()) await work()
      }).catch((error: unknown) => log.warn({ error }, 'could not look for deliveries'))
    }
  }

  const look = inTurn(async () => {
    const limit = lanes.free()
    more = true
    full = new Set()
    if (limit === 0) return
    const rooms = lanes.rooms()
    // One moment for the whole look: what becomes due while we claim is the next due, not nobody's.
    const at = now()
    const counts = new Map<string, number>()
    const ask = async (after: string, wanted: number) => {
      const held = await outbox.claim(database, { workerId, now: at, after, rooms: lanes.rooms(), limit: wanted })
      for (const { host } of held) {
        counts.set(host, (counts.get(host) ?? 0) + 1)
        if (host > lastHost) lastHost = host
      }
      await take(held)
      return held.length
    }
    const from = lastHost
    let claimed = await ask(from, limit)
    if (claimed < limit) {
      // Past the last host: begin again with the first.
      lastHost = ''
      if (from !== '') claimed += await ask('', limit - claimed)
    }
    more = claimed === limit
    for (const [host, count] of counts) if (count >= firstWidth) full.add(host)
    for (const { host, room } of rooms) if ((counts.get(host) ?? 0) >= room) full.add(host)
    const due = await outbox.nextDue(database, at)
    if (due) lookAt(due)
  })

  /** Looks again when the next row becomes due. One timer, for the earliest. */
  const lookAt = (due: Date) => {
    const at = due.getTime()
    if (at >= timerAt || !isOpen()) return
    const inMs = Math.max(0, at - now().getTime())
    if (inMs > pollMs) return
    clearTimeout(timer)
    timerAt = at
    timer = setTimeout(() => {
      timerAt = Infinity
      look()
    }, inMs).unref()
  }

  /** Of hands, and could be neither sent nor given back: the database was away. */
  let dropped: HeldDelivery[] = []

  const rescueLost = inTurn(async () => {
    await giveBack(dropped.splice(0))
    const freed = await outbox.rescue(database, { workerId, now: now(), inHand: lanes.ids(), hands: hands.ids() })
    if (freed > 0) log.warn({ deliveries: freed }, 'deliveries were held by nobody and are given back')
  })

  // Holding -----------------------------------------------------------------------------------------------------------

  const take = async (rows: HeldDelivery[]) => {
    hands.take(rows)
    const left: HeldDelivery[] = []
    let crowded = false
    for (const row of rows) {
      const already = lanes.held(row.id)
      if (isOpen() && !already && lanes.hasRoom(row.host)) lanes.add({ ...row, takenAt: performance.now(), seal: lookUp(row) })
      // In hand already: told of twice, and left alone; or claimed anew while its last attempt is still being written down.
      else if (!isOpen() || already?.seen !== row.seen) {
        left.push(row)
        crowded ||= !already
      }
    }
    dispatch()
    if (left.length === 0) return
    for (const { host } of left) full.add(host)
    await giveBack(left)
    // While they were on their way back, the last of their host may have gone.
    if (crowded && lanes.free() > 0) look()
  }

  const lookUp = (row: HeldDelivery) => {
    const seal = findSeal(row)
    seal.catch(() => {})
    return seal
  }

  const giveBack = async (rows: HeldDelivery[]) => {
    if (rows.length === 0) return
    try {
      await outbox.handBack(database, workerId, rows)
      for (const row of rows) hands.release(row)
    } catch (error) {
      // Those that were claimed are found by `rescue`.
      dropped = dropped.concat(rows.filter(({ hand }) => hand))
      log.warn({ error, deliveries: rows.length }, 'could not hand deliveries back')
    }
  }

  const dispatch = () => {
    while (isOpen() && underWay.size < slots * underWayPerSlot) {
      const row = lanes.next()
      if (!row) return
      const sending = send(row).finally(() => {
        underWay.delete(sending)
        dispatch()
      })
      underWay.add(sending)
    }
  }

  // Sending -----------------------------------------------------------------------------------------------------------

  const send = async (held: Taken) => {
    try {
      let attempted: outbox.Attempted | null = null
      try {
        const isFresh = performance.now() - held.takenAt < freshMs
        if (isFresh || await isOurs(held)) attempted = await attempt(held, await (isFresh ? held.seal : findSeal(held)))
      } finally {
        freeSlot(held, attempted)
      }
      if (attempted) await recordFirmly(attempted)
      hands.release(held)
    } catch (error) {
      // The row stays ours and is found again by `rescueLost`.
      if (held.hand) dropped.push(held)
      log.warn({ error, deliveryId: held.id }, 'a delivery was put off')
    }
    lanes.drop(held)
  }

  /** The slot is free with the answer; the row is in hand until it is written down. */
  const freeSlot = (held: Taken, attempted: outbox.Attempted | null) => {
    const wasLast = lanes.done(held, attempted === null ? 'fair' : paceOf(attempted))
    dispatch()
    if (isOpen() && lanes.free() > 0 && (more || (wasLast && full.has(held.host)))) look()
  }

  const paceOf = ({ status, tookMs }: outbox.Attempted): Pace =>
    status === 429 || status === 503 || tookMs >= slowMs ? 'busy' : tookMs < quickMs ? 'quick' : 'fair'

  const attempt = async (held: HeldDelivery, seal: Seal): Promise<outbox.Attempted> => {
    const at = now()
    const begun = performance.now()
    const result = seal.obstacle === null ? await tell(held, seal, at) : parked(seal.obstacle)
    const tookMs = Math.round(performance.now() - begun)
    const pause = result.error === null || result.final ? null : pauseMs(held.number - held.attemptsBefore, result.retryAfterMs, random())
    return {
      held, at, tookMs, dueAt: new Date(now().getTime() + (pause ?? 0)), url: seal.url, status: result.status, error: result.error, answer: result.answer,
      state: result.error === null ? 'delivered' : pause === null ? 'parked' : 'pending',
    }
  }

  const tell = async (held: HeldDelivery, { url, secrets, kieKey, houseSignature }: Seal, at: Date): Promise<Result> => {
    let body: string
    try {
      body = outbox.isPing(held) ? writePing(held) : await writeBody(held)
    } catch (error) {
      if (error instanceof Problem && error.code === 'not_found') return parked('What it tells of is no longer kept.')
      log.error({ error, deliveryId: held.id, taskId: held.taskId }, 'could not write the body of a delivery')
      return { ...parked('The message could not be written.'), final: false }
    }
    const headers = writeHeaders({ ...held, body, secrets, kieKey, signingKey: houseSignature ? signingKey : undefined, timestampS: Math.floor(at.getTime() / 1_000) })
    return sendLetter(post, url, { headers: { 'content-type': 'application/json', 'user-agent': `Plantain/${about.version}`, ...headers }, body }, { timeoutMs, now })
  }

  /** Writes an attempt down, waiting for the database where it is away: what was sent should not be sent again. */
  const recordFirmly = async (attempted: outbox.Attempted) => {
    for (let tries = 1; ; tries++) {
      try {
        if (await record(attempted)) {
          if (attempted.state === 'pending') lookAt(attempted.dueAt)
        } else log.warn({ deliveryId: attempted.held.id }, 'a delivery was in other hands by the time it was answered')
        return
      } catch (error) {
        if (!(error instanceof DatabaseDown) || (state === 'stopping' && tries >= 3)) throw error
        await pause(againMs)
      }
    }
  }

  return {
    start() {
      if (state !== 'new') return
      state = 'open'
      poll = setInterval(() => {
        rescueLost()
        look()
      }, pollMs).unref()
      look()
    },

    wake(rows) {
      if (rows) void take(rows.map(row => outbox.holdFresh(row, now())))
      else look()
    },

    async stop() {
      state = 'stopping'
      clearInterval(poll)
      clearTimeout(timer)
      await turn
      const rest = lanes.empty()
      if (rest.length > 0) await giveBack(rest)
      await Promise.all(underWay)
      await outbox.forgetHands(database, hands.takeEmpty()).catch((error: unknown) => log.warn({ error }, 'could not take empty hands away'))
      await post.close()
    },

    async free(workerIds) {
      const count = workerIds.length === 0 ? 0 : await outbox.free(database, workerIds)
      if (count > 0) look()
      return count
    },

    sweep: () => outbox.sweep(database, now()),

    webhooks({ accountId, projectId, keyId, livemode }) {
      const owner: Owner = { accountId, projectId, keyId, livemode }
      return {
        ...createEndpoints(owner, { database, allowPrivate, now }),
        ...createDeliveries(owner, { database, now, wake: look }),
        kieKey: () => findKieKey(database, owner),
        rotateKieKey: () => rotateKieKey(database, owner, now()),
        callbackSecret: () => makeCallbackSecret(database, owner),
        publishSecret: async () => publishSecretOf(await makeCallbackSecret(database, owner)),
        rotateCallbackSecret: overlapHours => rotateCallbackSecret(database, owner, overlapHours, now()),
        houseSignature: () => hasHouseSignature(database, owner),
        changeHouseSignature: enabled => changeHouseSignature(database, owner, enabled),
      }
    },
  }
}

const parked = (error: string): Result => ({ status: null, error, answer: null, retryAfterMs: null, final: true })

const writePing = ({ endpointId, createdAt }: HeldDelivery): string =>
  JSON.stringify({ type: 'ping', timestamp: createdAt.toISOString(), data: { endpoint_id: endpointId } })
