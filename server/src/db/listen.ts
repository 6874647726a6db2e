/**
 * Hearing and telling: LISTEN and NOTIFY, as a hint.
 *
 * The rows are the truth. A notification may be lost (the connection was), so a listener hears `onGap` and looks at the
 * rows; a notification never carries more than ids. No transaction of ours notifies: NOTIFY serialises commits in the
 * whole database until they are flushed, so telling happens afterwards, on a connection that does not wait for the disk.
 */
import { Client } from 'pg'
import { type Address, clientConfig } from './address.ts'
import { readLoss } from './down.ts'
import { locks } from './locks.ts'
import { type Log, silent } from './log.ts'

export type ListenerOptions = Address & {
  /** What to do with the ids that arrive, by channel. */
  channels: Record<string, (ids: string[]) => void>
  /** The connection was lost and is back: what was said meanwhile is lost. Look at the rows. */
  onGap(): void
  /** Whose words are not heard here: our own, which we knew before we told them. */
  except?: string
  log?: Log
}

export interface Listener {
  /** Whether nobody else listens, as far as we know: then nobody need be told anything. One who has just come is heard at once; that one has gone is found out at the next ping. */
  isAlone(): boolean
  close(): Promise<void>
}

const pingEveryMs = 15_000
const answerWithinMs = 5_000
const presenceChannel = 'plantain_here'
const countSql = `select count(*)::int as listening from pg_locks where locktype = 'advisory' and classid = 0 and objid = ${locks.presence} and objsubid = 1
  and database = (select oid from pg_database where datname = current_database())`
const againAfterMs = (attempt: number) => Math.min(2_000, 50 * 2 ** attempt) * (0.5 + Math.random() / 2)

/**
 * Listens on one direct connection, and connects again whenever it is lost.
 *
 * Must not go through a pooler in transaction mode: LISTEN belongs to a session. A silent network is noticed by a ping.
 *
 * @throws {DatabaseDown} when the first connection cannot be made
 */
export async function openListener({ channels, onGap, except, log = silent, ...address }: ListenerOptions): Promise<Listener> {
  let closed = false
  let current: Client | undefined
  let timer: NodeJS.Timeout | undefined
  let alone = false

  const count = async (client: Client) => { alone = (await client.query<{ listening: number }>(countSql)).rows[0]!.listening <= 1 }

  const connect = async () => {
    const client = new Client({ ...clientConfig(address, 'plantain listen'), connectionTimeoutMillis: answerWithinMs, query_timeout: answerWithinMs })
    client.on('error', () => {})
    client.on('notification', ({ channel, payload }) => {
      if (channel === presenceChannel) { alone = false; return }
      const { from, ids } = readPayload(payload ?? '')
      if (from === undefined || from !== except) channels[channel]?.(ids)
    })
    try {
      await client.connect()
      for (const channel of [presenceChannel, ...Object.keys(channels)]) await client.query(`listen ${client.escapeIdentifier(channel)}`)
      // Whoever counts from now on counts us; whoever has counted hears of us, and so do we.
      await client.query(`select pg_advisory_lock_shared(${locks.presence})`)
      await client.query(`notify ${presenceChannel}`)
      await count(client)
    } catch (error) {
      void client.end().catch(() => {})
      throw error
    }
    current = client
    const ping = setInterval(() => { count(client).catch(() => drop(client)) }, pingEveryMs).unref()
    let gone = false
    const lost = () => {
      if (gone) return
      gone = true
      clearInterval(ping)
      alone = false
      if (closed) return
      log.warn({}, 'the listening connection was lost')
      again(0)
    }
    client.once('end', lost)
    client.once('error', lost)
  }

  const again = (attempt: number) => {
    timer = setTimeout(async () => {
      try {
        await connect()
      } catch (error) {
        if (attempt === 0) log.warn({ err: error }, 'cannot listen yet, trying again')
        if (!closed) again(attempt + 1)
        return
      }
      if (closed) {
        await current?.end().catch(() => {})
        return
      }
      log.info({}, 'listening again')
      onGap()
    }, againAfterMs(attempt))
  }

  await connect().catch(error => { throw readLoss(error, false) })

  return {
    isAlone: () => alone,
    async close() {
      closed = true
      clearTimeout(timer)
      await current?.end().catch(() => {})
    },
  }
}

/** Ends a connection that no longer answers, without waiting for its answer. */
function drop(client: Client) {
  (client as unknown as { connection: { stream: { destroy(): void } } }).connection.stream.destroy()
}

export interface Notifier {
  /** Tells every listener of `channel`. Returns at once; what arrives while one telling is under way goes with the next. */
  notify(channel: string, ids: string[]): void
  /** Settles when everything has been said, or given up. */
  drain(): Promise<void>
  /** Says what is left, and closes. */
  close(): Promise<void>
}

/** PostgreSQL takes payloads shorter than 8000 bytes. */
const payloadBytesMax = 7_999

/** What is kept while the database is away. Beyond it ids are dropped: listeners look at the rows anyway. */
const pendingMax = 50_000

const notifySql = 'select pg_notify(channel, payload) from unnest($1::text[], $2::text[]) as message(channel, payload)'

/**
 * Opens the connection that tells. It connects when there is something to say, and again when it was lost.
 *
 * @param options.from who is speaking: a word without commas and spaces
 */
export function openNotifier({ from, log = silent, ...address }: Address & { from?: string; log?: Log }): Notifier {
  const pending = new Map<string, Set<string>>()
  let count = 0
  let closed = false
  let client: Client | undefined
  let speaking: Promise<void> | undefined

  const connected = async () => {
    if (client) return client
    const fresh = new Client({
      ...clientConfig(address, 'plantain notify'),
      connectionTimeoutMillis: answerWithinMs, query_timeout: answerWithinMs,
    })
    fresh.on('error', () => {})
    fresh.once('end', () => { if (client === fresh) client = undefined })
    await fresh.connect()
    await fresh.query('set synchronous_commit = off')
    client = fresh
    return fresh
  }

  const take = () => {
    const messages = [...pending].flatMap(([channel, ids]) => writePayloads(ids, from).map(payload => ({ channel, payload })))
    pending.clear()
    count = 0
    return messages
  }

  const speak = async () => {
    // A microtask later, so that what is said in the same moment is one statement.
    await Promise.resolve()
    let attempt = 0
    while (pending.size > 0) {
      let messages
      try {
        const ready = await connected()
        messages = take()
        await ready.query(notifySql, [messages.map(({ channel }) => channel), messages.map(({ payload }) => payload)])
        attempt = 0
      } catch (error) {
        log.warn({ err: error }, 'cannot notify')
        if (client) drop(client)
        client = undefined
        if (closed) return
        for (const { channel, payload } of messages ?? []) add(channel, readPayload(payload).ids)
        await new Promise(resolve => { setTimeout(resolve, againAfterMs(attempt++)) })
      }
    }
  }

  const add = (channel: string, ids: string[]) => {
    let set = pending.get(channel)
    if (!set) pending.set(channel, set = new Set())
    for (const id of ids) {
      if (count >= pendingMax) return
      if (set.has(id)) continue
      set.add(id)
      count++
    }
  }

  return {
    notify(channel, ids) {
      if (closed) return
      for (const id of ids) {
        if (id === '' || /[ ,]/.test(id) || Buffer.byteLength(id) > payloadBytesMax - 100) throw new TypeError(`"${id.slice(0, 80)}" cannot be told: an id is short and has neither comma nor space.`)
      }
      add(channel, ids)
      speaking ??= speak().finally(() => { speaking = undefined })
    },
    drain: async () => { await speaking },
    async close() {
      closed = true
      await speaking
      await client?.end().catch(() => {})
    },
  }
}

/** A payload is ids with commas between them, so that SQL can write it with `string_agg(id, ',')` too; before them, and a space, who speaks. */
function readPayload(payload: string): { from?: string; ids: string[] } {
  const space = payload.indexOf(' ')
  const ids = payload.slice(space + 1)
  return { ...space < 0 ? {} : { from: payload.slice(0, space) }, ids: ids === '' ? [] : ids.split(',') }
}

/** Packs ids into as few payloads as fit. */
export function writePayloads(ids: Iterable<string>, from?: string): string[] {
  const payloads: string[] = []
  const head = from === undefined ? '' : `${from} `
  let payload = head
  for (const id of ids) {
    if (payload !== head && Buffer.byteLength(payload) + 1 + Buffer.byteLength(id) > payloadBytesMax) {
      payloads.push(payload)
      payload = head
    }
    payload += payload === head ? id : `,${id}`
  }
  if (payload !== head) payloads.push(payload)
  return payloads
}
