/**
 * Where a session stands, and the step that makes a task its next turn.
 *
 * A session's place is read, not kept: it is the newest turn asked for since somebody moved it that is done. So it agrees with its tasks after
 * whatever crash, and a turn that failed is simply passed over. Whoever changes a session holds its row.
 */
import type { Client } from '../db/pool.ts'
import { Problem } from '../domain/problem.ts'
import { turnsMax, type TurnPlace } from '../domain/session.ts'

export interface Standing { head: string | null; undone: string[]; turns: number; making: string | null }

interface Kept { id: string; turns: number; head: string | null; moved_at: number; undone: string[] }

/** What stands in the row, seen together with its tasks. */
export async function readStanding(client: Client, { id, turns, head, moved_at, undone }: Kept): Promise<Standing> {
  const { rows: [row] } = await client.query<{ latest: string | null; making: string | null }>({ name: 'session standing', text: `
    select (select t.task_id from session_turn t join task k on k.id = t.task_id where t.session_id = $1 and t.number > $2 and k.state = 'done' order by t.number desc limit 1) as latest,
      (select t.task_id from session_turn t join task k on k.id = t.task_id where t.session_id = $1 and k.state not in ('done', 'failed', 'cancelled') order by t.number desc limit 1) as making` }, [id, moved_at])
  return { head: row!.latest ?? head, undone: row!.latest === null ? undone : [], turns, making: row!.making }
}

/** Holds a session and says where it stands. @throws {Problem} `not_found` */
export async function lockSession(client: Client, { projectId, livemode }: { projectId: string; livemode: boolean }, id: string): Promise<Standing> {
  const { rows: [kept] } = await client.query<Kept>({ name: 'session lock', text: 'select id, turns, head, moved_at, undone from session where id = $1 and project_id = $2 and livemode = $3 for update' }, [id, projectId, livemode])
  if (!kept) throw new Problem('not_found', 'There is no such session.', { field: 'session' })
  // Asked after the lock is held: a statement that waited for it would still see the tasks of before.
  return readStanding(client, kept)
}

/**
 * The turn that was asked for under a key; null where the key was not used yet. Asked before a turn is put together: whoever repeats a call hears what came of
 * the first, whatever has become of the picture it went on from.
 *
 * @throws {Problem} `idempotency_mismatch` for a key that was used for something else
 */
export async function findTurnUnder(client: Client, { projectId, livemode }: { projectId: string; livemode: boolean }, { key, bodySha256 }: { key: string; bodySha256: Buffer }): Promise<string | null> {
  const { rows: [row] } = await client.query<{ task_id: string; body_sha256: Buffer }>({ name: 'session key', text: 'select task_id, body_sha256 from idempotency where project_id = $1 and livemode = $2 and key = $3' }, [projectId, livemode, key])
  if (!row) return null
  if (!row.body_sha256.equals(bodySha256)) throw new Problem('idempotency_mismatch', 'This Idempotency-Key was used with another body within the last 24 hours. Use a new key for a new order.', { field: 'Idempotency-Key' })
  return row.task_id
}

export interface TakingTurn { id: string; owner: { projectId: string; livemode: boolean }; place: TurnPlace }

/**
 * Writes the turns of tasks that are about to be written, in their transaction. A session takes one turn at a time, unless a turn names where it
 * goes on from; the others come back with the problem they are refused with.
 */
export async function takeTurns(client: Client, taking: TakingTurn[]): Promise<Map<string, Problem>> {
  const refused = new Map<string, Problem>()
  const begun = new Set<string>()
  // In one order everywhere, so that two groups never wait for each other.
  for (const { id, owner, place } of [...taking].sort((a, b) => a.place.sessionId < b.place.sessionId ? -1 : a.place.sessionId > b.place.sessionId ? 1 : 0)) {
    const standing = await lockSession(client, owner, place.sessionId).catch(thrown => { if (thrown instanceof Problem) return thrown; throw thrown })
    const problem = standing instanceof Problem ? standing : refusal(standing, place, begun.has(place.sessionId))
    if (problem !== null) { refused.set(id, problem); continue }
    begun.add(place.sessionId)
    await client.query({ name: 'session turn', text: `
      with counted as (update session set turns = turns + 1, updated_at = now() where id = $2 returning turns)
      insert into session_turn (task_id, session_id, number, parent, prompt) select $1, $2, counted.turns, $3, $4 from counted` }, [id, place.sessionId, place.parent, place.prompt])
  }
  return refused
}

function refusal({ making, head, turns }: Standing, { expected }: TurnPlace, isBegun: boolean): Problem | null {
  if (turns >= turnsMax) return new Problem('conflict', `A session has at most ${turnsMax} turns. Begin a new one with the last picture.`)
  if (expected === null) return null
  if (making !== null || isBegun) return new Problem('conflict', 'A turn of this session is being made. Wait for it, or name the turn this one goes on from (`from`).', { field: 'from', ...(making === null ? {} : { turn: making }) })
  if (head !== expected.head) return new Problem('conflict', 'The session has moved on meanwhile. Look at it and send the turn again.', { field: 'from', turn: head })
  return null
}
