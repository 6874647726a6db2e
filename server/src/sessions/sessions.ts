/**
 * The room of editing sessions: what is kept in mind from turn to turn, the tree of turns, and moving about in it.
 *
 * Nothing is ever taken out of a session: undo goes back, a new turn from there is a branch. Absent on purpose: making pictures (the desk orders
 * a turn as any task), and a place of its own to keep the history: a turn is a task.
 */
import type { Client, Database } from '../db/pool.ts'
import type { Asset } from '../domain/asset.ts'
import type { InputReference } from '../domain/order.ts'
import type { Json } from '../domain/outcome.ts'
import { Problem } from '../domain/problem.ts'
import type { Brand, NewSession, Session, SessionChange, Turn } from '../domain/session.ts'
import type { State } from '../domain/task.ts'
import { newId } from '../kit/id.ts'
import type { Page } from '../protocols/contract.ts'
import { findTurnUnder, lockSession, readStanding } from './turns.ts'

export interface Owner { projectId: string; livemode: boolean }

export interface SessionsOptions {
  database: Database
  pictures: {
    find(owner: Owner, ids: string[]): Promise<Asset[]>
    /** The same picture under a new id, for good. */
    copy(owner: Owner, asset: Asset): Promise<Asset>
    drop(owner: Owner, id: string): Promise<void>
  }
}

export interface Sessions {
  create(owner: Owner, session: NewSession): Promise<Session>
  find(owner: Owner, id: string): Promise<Session | null>
  /** Newest first. */
  list(owner: Owner, filter: { after?: string | undefined; limit: number }): Promise<Page<Session>>
  change(owner: Owner, id: string, change: SessionChange): Promise<Session>
  /** Its tasks and pictures stay. */
  remove(owner: Owner, id: string): Promise<void>
  /** In the order they were asked for. */
  turns(sessionId: string): Promise<Turn[]>
  /** The turn an earlier call under the same key has begun. @throws {Problem} `idempotency_mismatch` */
  turnUnder(owner: Owner, asked: { key: string; bodySha256: Buffer }): Promise<string | null>
  /** @throws {Problem} `conflict` where there is nothing to undo, or a turn is being made */
  undo(owner: Owner, id: string): Promise<Session>
  redo(owner: Owner, id: string): Promise<Session>
  /** Goes to a turn, or to the beginning (null): the next one branches off there. */
  branch(owner: Owner, id: string, turn: string | null): Promise<Session>
  /** Which output of a turn the next one goes on from. `outputs` is how many there are. */
  select(owner: Owner, id: string, turn: string, output: number, outputs: number): Promise<Session>
}

interface SessionRow { id: string; project_id: string; livemode: boolean; name: string; model: string; parameters: Record<string, Json>; brand: Brand; turns: number; head: string | null; moved_at: number; undone: string[]; created_at: Date; updated_at: Date }

const columns = 'id, project_id, livemode, name, model, parameters, brand, turns, head, moved_at, undone, created_at, updated_at'

const readSession = async (client: Client, row: SessionRow): Promise<Session> => ({
  id: row.id, projectId: row.project_id, livemode: row.livemode, name: row.name, model: row.model, parameters: row.parameters, brand: row.brand,
  ...await readStanding(client, row), createdAt: row.created_at, updatedAt: row.updated_at,
})

const missing = () => new Problem('not_found', 'There is no such session.', { field: 'session' })

export function createSessions({ database, pictures }: SessionsOptions): Sessions {
  const find = async (client: Client, owner: Owner, id: string): Promise<Session | null> => {
    const { rows: [row] } = await client.query<SessionRow>(`select ${columns} from session where id = $1 and project_id = $2 and livemode = $3`, [id, owner.projectId, owner.livemode])
    return row ? readSession(client, row) : null
  }
  const the = async (owner: Owner, id: string): Promise<Session> => {
    const session = await find(database, owner, id)
    if (session === null) throw missing()
    return session
  }

  /** Pictures of the brand are kept for good, as copies of the session's own. */
  async function keepBrand(owner: Owner, brand: Brand, before: InputReference[]): Promise<Brand> {
    const known = new Set(before.map(({ assetId }) => assetId))
    const assets = new Map((await pictures.find(owner, brand.references.map(({ assetId }) => assetId))).map(asset => [asset.id, asset]))
    const gone = brand.references.findIndex(({ assetId }) => !assets.has(assetId))
    if (gone >= 0) throw new Problem('bad_input_image', `brand.references[${gone}] names an asset that is not there. Upload it first (POST /plantain/v1/assets).`, { field: `brand.references[${gone}]`, value: brand.references[gone]!.assetId.slice(0, 100) })
    const references: InputReference[] = []
    for (const { assetId, role } of brand.references) references.push({ role, assetId: known.has(assetId) ? assetId : (await pictures.copy(owner, assets.get(assetId)!)).id })
    return { ...brand, references }
  }
  /** Writes with pictures that are copies already, and lets go of them where nothing comes of it. */
  const writing = async <R>(owner: Owner, copies: InputReference[], before: InputReference[], write: () => Promise<R>): Promise<R> => {
    try { return await write() } catch (thrown) { await dropPictures(owner, copies, before); throw thrown }
  }
  const dropPictures = async (owner: Owner, gone: InputReference[], left: InputReference[]) => {
    const kept = new Set(left.map(({ assetId }) => assetId))
    for (const { assetId } of gone) if (!kept.has(assetId)) await pictures.drop(owner, assetId)
  }

  /** Moves a session that nothing is being made in. */
  const move = async (owner: Owner, id: string, to: (client: Client, now: { head: string | null; undone: string[] }) => Promise<{ head: string | null; undone: string[] }>): Promise<Session> => {
    await database.transaction(async client => {
      const standing = await lockSession(client, owner, id)
      if (standing.making !== null) throw new Problem('conflict', 'A turn of this session is being made. Wait for it or cancel its task.', { turn: standing.making })
      const { head, undone } = await to(client, standing)
      await client.query('update session set head = $2, moved_at = turns, undone = $3, updated_at = now() where id = $1', [id, head, undone])
    })
    return the(owner, id)
  }
  const turnIn = async (client: Client, sessionId: string, turn: string): Promise<{ parent: string | null; state: State; number: number }> => {
    const { rows: [row] } = await client.query<{ parent: string | null; state: State; number: number }>('select t.parent, t.number, k.state from session_turn t join task k on k.id = t.task_id where t.session_id = $1 and t.task_id = $2', [sessionId, turn])
    if (!row) throw new Problem('not_found', `This session has no turn ${turn.slice(0, 100)}.`, { field: 'turn', value: turn.slice(0, 100) })
    return row
  }
  const doneTurn = async (client: Client, sessionId: string, turn: string) => {
    const row = await turnIn(client, sessionId, turn)
    if (row.state !== 'done') throw new Problem('conflict', `Turn ${row.number} of this session has no picture: it is ${row.state}.`, { field: 'turn', value: turn })
    return row
  }

  return {
    find: (owner, id) => find(database, owner, id),
    turnUnder: (owner, asked) => findTurnUnder(database, owner, asked),
    async create(owner, session) {
      const id = newId()
      const brand = await keepBrand(owner, session.brand, [])
      await writing(owner, brand.references, [], () => database.query('insert into session (id, project_id, livemode, name, model, parameters, brand) values ($1, $2, $3, $4, $5, $6, $7)',
        [id, owner.projectId, owner.livemode, session.name, session.model, JSON.stringify(session.parameters), JSON.stringify(brand)]))
      return the(owner, id)
    },
    async list(owner, { after, limit }) {
      const { rows } = await database.query<SessionRow>(`select ${columns} from session where project_id = $1 and livemode = $2 and ($3::uuid is null or id < $3) order by id desc limit $4`, [owner.projectId, owner.livemode, after ?? null, limit + 1])
      const items = await Promise.all(rows.slice(0, limit).map(row => readSession(database, row)))
      return { items, next: rows.length > limit ? items.at(-1)!.id : null }
    },
    async change(owner, id, { name, model, parameters, brand: wanted }) {
      const before = await the(owner, id)
      const brand = wanted === undefined ? undefined : await keepBrand(owner, wanted, before.brand.references)
      // Whoever writes a brand lets go of the pictures of the one he saw: two at once must not let go of each other's.
      const seen = brand === undefined ? null : JSON.stringify(before.brand)
      const { rowCount } = await writing(owner, brand?.references ?? [], before.brand.references, () => database.query(`update session set name = coalesce($2, name), model = coalesce($3, model), parameters = coalesce($4, parameters), brand = coalesce($5, brand), updated_at = now() where id = $1 and ($6::jsonb is null or brand = $6)`,
        [id, name ?? null, model ?? null, parameters === undefined ? null : JSON.stringify(parameters), brand === undefined ? null : JSON.stringify(brand), seen]))
      if (rowCount === 0) {
        if (brand) await dropPictures(owner, brand.references, before.brand.references)
        await the(owner, id)
        throw new Problem('conflict', 'The brand of this session was changed meanwhile. Look at it and send your change again.', { field: 'brand' })
      }
      if (brand) await dropPictures(owner, before.brand.references, brand.references)
      return the(owner, id)
    },
    async remove(owner, id) {
      const { rows: [gone] } = await database.query<Pick<SessionRow, 'brand'>>('delete from session where id = $1 and project_id = $2 and livemode = $3 returning brand', [id, owner.projectId, owner.livemode])
      if (!gone) throw missing()
      await dropPictures(owner, gone.brand.references, [])
    },
    async turns(sessionId) {
      const { rows } = await database.query<{ task_id: string; number: number; parent: string | null; prompt: string; selected: number; state: State; created_at: Date }>(
        'select t.task_id, t.number, t.parent, t.prompt, t.selected, t.created_at, k.state from session_turn t join task k on k.id = t.task_id where t.session_id = $1 order by t.number', [sessionId])
      return rows.map(row => ({ id: row.task_id, sessionId, number: row.number, parent: row.parent, prompt: row.prompt, selected: row.selected, state: row.state, createdAt: row.created_at }))
    },
    undo: (owner, id) => move(owner, id, async (client, { head, undone }) => {
      if (head === null) throw new Problem('conflict', 'There is nothing to undo: the session stands at its beginning.')
      return { head: (await turnIn(client, id, head)).parent, undone: [...undone, head] }
    }),
    redo: (owner, id) => move(owner, id, async (_client, { undone }) => {
      const head = undone.at(-1)
      if (head === undefined) throw new Problem('conflict', 'There is nothing to redo.')
      return { head, undone: undone.slice(0, -1) }
    }),
    branch: (owner, id, turn) => move(owner, id, async client => {
      if (turn !== null) await doneTurn(client, id, turn)
      return { head: turn, undone: [] }
    }),
    async select(owner, id, turn, output, outputs) {
      await database.transaction(async client => {
        await lockSession(client, owner, id)
        await doneTurn(client, id, turn)
        if (output >= outputs) throw new Problem('bad_request', `output must be between 0 and ${outputs - 1}: this turn has ${outputs} ${outputs === 1 ? 'picture' : 'pictures'}.`, { field: 'output', value: output, allowed: { min: 0, max: outputs - 1 } })
        await client.query('update session_turn set selected = $2 where task_id = $1', [turn, output])
      })
      return the(owner, id)
    },
  }
}
