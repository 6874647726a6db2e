/**
 * Calls that are sent again without any key.
 *
 * SDKs repeat a call after a time-out or a lost line; without an `Idempotency-Key` that would buy twice. The last call of each key
 * with the same body is remembered for a short while. It is taken for a repetition when the client says that it has tried before,
 * or when whoever sent the first one went away unanswered. Two equal calls side by side are two orders: people ask for variations
 * that way. A task that failed is no answer to give again.
 */
import type { Client } from '../db/pool.ts'
import type { Accepted, Submission } from './submit.ts'

/** Of a remembered call `c` and its task `t`: it may be given as the answer to the same call again. */
export const isAnswerable = `c.created_at > now() - interval '10 minutes' and t.state not in ('failed', 'cancelled')`

/** Only doors that answer with the picture itself ask for this, and only where the caller brought no key of his own. */
export const isRepeatable = ({ order, bodyHash }: Submission): boolean => order.retryCount !== undefined && order.idempotencyKey === undefined && bodyHash !== null

const nameOf = (keyId: string, bodyHash: Buffer) => `${keyId} ${bodyHash.toString('hex')}`

/** Answers repetitions with the task of the first call. */
export async function answerRepeated(client: Client, group: Submission[], answers: Map<string, Accepted>): Promise<void> {
  const calls = group.filter(isRepeatable)
  if (calls.length === 0) return
  const { rows } = await client.query<{ key_id: string; body_sha256: Buffer; task_id: string; unanswered: boolean }>({ name: 'repeat find', text: `
    select c.key_id, c.body_sha256, c.task_id, c.unanswered from recent_call c join task t on t.id = c.task_id
    where (c.key_id, c.body_sha256) in (select * from unnest($1::uuid[], $2::bytea[])) and ${isAnswerable}
    order by c.key_id, c.body_sha256 for update of c` }, [calls.map(one => one.caller.keyId), calls.map(one => one.bodyHash)])
  const earlier = new Map(rows.map(row => [nameOf(row.key_id, row.body_sha256), row]))
  for (const one of calls) {
    const row = earlier.get(nameOf(one.caller.keyId, one.bodyHash!))
    if (!row || !(row.unanswered || one.order.retryCount! > 0)) continue
    answers.set(one.id, { kind: 'repeated', taskId: row.task_id })
    // One who went away is owed one answer, not any number.
    row.unanswered = false
  }
  const answered = calls.filter(one => answers.has(one.id))
  if (answered.length > 0) await client.query({ name: 'repeat answered', text: `
    update recent_call c set unanswered = false from unnest($1::uuid[], $2::bytea[]) as a(key_id, body_sha256)
    where c.key_id = a.key_id and c.body_sha256 = a.body_sha256` }, [answered.map(one => one.caller.keyId), answered.map(one => one.bodyHash)])
}

/** The calls to remember: of equal ones the last. */
export const lastOfEqual = (group: Submission[]): Submission[] =>
  [...new Map(group.filter(isRepeatable).map(one => [nameOf(one.caller.keyId, one.bodyHash!), one])).values()]

/** Whoever asked for this task went away before it was answered. */
export const markUnanswered = (client: Client, taskId: string) => client.query({ name: 'repeat unanswered', text: `
  update recent_call set unanswered = true where task_id = $1` }, [taskId])
