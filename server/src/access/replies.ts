/**
 * Answers that are given again: a call under a key (`Idempotency-Key`) is handled once, and repetitions get what the first one was answered.
 *
 * A row stands for the call before it is handled and holds the answer afterwards. A row without an answer belongs to whoever is handling the
 * call, or to a process that died on it; after a while the next caller takes it over. That is why work that must not be done twice has a key
 * of its own in its own transaction: this here is for saying the same again.
 */
import { createHash } from 'node:crypto'
import { setTimeout as pause } from 'node:timers/promises'
import type { Database } from '../db/pool.ts'
import { Problem } from '../domain/problem.ts'
import type { Desk } from '../protocols/contract.ts'

export interface Replies { once(keyId: string, call: Parameters<Desk['once']>[0], handle: () => Promise<Response>): ReturnType<Desk['once']> }

interface ReplyRow { body_sha256: Buffer; status: number | null; headers: Record<string, string> | null; body: string | null }

const waitMs = 10_000
const lookMs = { first: 20, last: 250 }
/** Longer than anybody handles a call, pictures that are fetched for it included: then whoever had it is taken to have died. */
const handlingS = 120
/** Largest answer that is kept; a larger one is made anew. */
const bodyMax = 8 * 1024 * 1024
/** Headers that belong to the answer and not to one delivery of it. */
const keptHeaders = ['content-type', 'location', 'x-task-id']

export function createReplies({ database }: { database: Database }): Replies {
  return {
    async once(keyId, { key, call, body, isKept }, handle) {
      const name = `${call} ${key}`
      const sha256 = createHash('sha256').update(body).digest()
      const until = performance.now() + waitMs
      for (let lookingMs = lookMs.first; ; lookingMs = Math.min(lookMs.last, lookingMs * 2)) {
        const { rowCount } = await database.query({ name: 'reply begin', text: `
          insert into reply (key_id, call, body_sha256) values ($1, $2, $3)
          on conflict (key_id, call) do update set begun_at = now(), body_sha256 = excluded.body_sha256, status = null, headers = null, body = null
          where reply.begun_at < now() - interval '24 hours' or reply.status is null and reply.begun_at < now() - make_interval(secs => $4)` }, [keyId, name, sha256, handlingS])
        if (rowCount === 1) return { answer: await first(keyId, name, isKept, handle), replayed: false }
        const { rows: [row] } = await database.query<ReplyRow>({ name: 'reply find', text: 'select body_sha256, status, headers, body from reply where key_id = $1 and call = $2' }, [keyId, name])
        if (row && !row.body_sha256.equals(sha256)) throw new Problem('idempotency_mismatch', 'This Idempotency-Key was used with another body within the last 24 hours. Use a new key for a new call.', { field: 'Idempotency-Key' })
        if (row && row.status !== null) return { answer: new Response(row.body, { status: row.status, headers: row.headers ?? {} }), replayed: true }
        if (performance.now() > until) throw new Problem('idempotency_busy', 'The first call under this Idempotency-Key is still being handled. Try again in a moment.', { retryAfterS: 1 })
        // The row goes where the first call was answered with something that is not kept; then this one is the first.
        if (row) await pause(lookingMs)
      }
    },
  }

  async function first(keyId: string, name: string, isKept: (answer: Response) => boolean, handle: () => Promise<Response>): Promise<Response> {
    try {
      const answer = await handle()
      const body = isKept(answer) ? await answer.clone().text() : null
      if (body === null || body.length > bodyMax) await forget(keyId, name)
      else await database.query({ name: 'reply keep', text: 'update reply set status = $3, headers = $4, body = $5 where key_id = $1 and call = $2' },
        [keyId, name, answer.status, JSON.stringify(Object.fromEntries(keptHeaders.flatMap(header => answer.headers.has(header) ? [[header, answer.headers.get(header)!]] : []))), body])
      return answer
    } catch (thrown) {
      await forget(keyId, name)
      throw thrown
    }
  }

  async function forget(keyId: string, name: string): Promise<void> {
    await database.query({ name: 'reply forget', text: 'delete from reply where key_id = $1 and call = $2 and status is null' }, [keyId, name])
  }
}

export async function sweepReplies(database: Database): Promise<number> {
  const { rowCount } = await database.query(`delete from reply where begun_at < now() - interval '24 hours'`)
  return rowCount ?? 0
}
