/**
 * Saved workflows: a draft that is written with its revision, and versions that never change.
 *
 * Absent on purpose: writing over somebody. Whoever writes says which revision he has seen, and hears `conflict` when there is a newer one.
 */
import { Problem } from '../domain/problem.ts'
import type { Workflow, WorkflowChange, WorkflowDraft, WorkflowVersion } from '../domain/graph/execution.ts'
import type { Graph } from '../domain/graph/graph.ts'
import type { Client, Database } from '../db/pool.ts'
import { newId } from '../kit/id.ts'
import { keepGraph, readWorkflow, type Owner, type WorkflowRow } from './rows.ts'


const columns = 'w.id, w.project_id, w.slug, w.name, w.description, w.tags, g.body, w.revision, w.active, w.published, w.wire, w.created_at, w.updated_at'
const select = `select ${columns} from workflow w join graph g on g.sha256 = w.graph_sha256`

const slugOf = (name: string): string => name.toLowerCase().normalize('NFKD').replace(/[^a-z0-9]+/g, '-').replace(/^-+|-+$/g, '').slice(0, 60) || 'workflow'
const slugPattern = /^[a-z0-9](?:[a-z0-9-]{0,78}[a-z0-9])?$/

function checkWords({ name, slug, description, tags }: WorkflowChange): void {
  if (name !== undefined && (name.trim().length === 0 || name.length > 200)) throw new Problem('bad_request', 'name is 1 to 200 characters.', { field: 'name' })
  if (slug !== undefined && !slugPattern.test(slug)) throw new Problem('bad_request', 'slug is 1 to 80 small letters, digits and hyphens, with no hyphen at either end.', { field: 'slug', value: slug.slice(0, 100) })
  if (description !== undefined && description.length > 10_000) throw new Problem('bad_request', 'description is up to 10,000 characters.', { field: 'description' })
  if (tags !== undefined && (tags.length > 50 || tags.some(tag => tag.length < 1 || tag.length > 60))) throw new Problem('bad_request', 'tags are up to 50, of 1 to 60 characters each.', { field: 'tags' })
}

export async function createWorkflow(database: Database, projectId: string, draft: WorkflowDraft): Promise<Workflow> {
  checkWords(draft)
  const id = newId()
  await database.transaction(async client => {
    const sha256 = await keepGraph(client, draft.graph)
    const insert = (slug: string) => client.query(
      `insert into workflow (id, project_id, slug, name, description, tags, graph_sha256, active, wire) values ($1, $2, $3, $4, $5, $6, $7, $8, $9) on conflict (project_id, slug) do nothing`,
      [id, projectId, slug, draft.name, draft.description ?? '', draft.tags ?? [], sha256, draft.active ?? true, draft.wire === undefined ? null : JSON.stringify(draft.wire)])
    if (draft.slug !== undefined) {
      if ((await insert(draft.slug)).rowCount === 0) throw new Problem('conflict', `There is a workflow called ${draft.slug} already. Choose another slug, or change that one.`, { field: 'slug', value: draft.slug })
      return
    }
    // A slug made from the name gives way to those there are.
    const slug = slugOf(draft.name)
    for (const tail of ['', '-2', '-3', '-4', '-5', `-${id.slice(-8)}`]) if ((await insert(`${slug}${tail}`)).rowCount === 1) return
  })
  return (await findWorkflow(database, projectId, id))!
}

/** By id or by slug. */
export async function findWorkflow(client: Client, projectId: string, name: string): Promise<Workflow | null> {
  const { rows: [row] } = await client.query<WorkflowRow>(`${select} where w.project_id = $1 and ${/^[0-9a-f]{32}$/.test(name) ? 'w.id = $2::uuid' : 'w.slug = $2'}`, [projectId, name])
  return row ? readWorkflow(row) : null
}

/** Newest change first. */
export async function listWorkflows(client: Client, projectId: string, { limit, offset, active }: { limit: number; offset: number; active: boolean | null }): Promise<Workflow[]> {
  const { rows } = await client.query<WorkflowRow>(`${select} where w.project_id = $1 and ($2::boolean is null or w.active = $2) order by w.updated_at desc, w.id desc limit $3 offset $4`, [projectId, active, limit, offset])
  return rows.map(readWorkflow)
}

export async function countWorkflows(client: Client, projectId: string, active: boolean | null): Promise<number> {
  const { rows: [row] } = await client.query<{ count: number }>('select count(*)::int as count from workflow where project_id = $1 and ($2::boolean is null or active = $2)', [projectId, active])
  return row!.count
}

/** How often workflows were run, and when last; those that never were are left out. */
export async function tally(client: Client, { projectId, livemode }: Owner, ids: string[]): Promise<Map<string, { count: number; lastAt: Date }>> {
  const { rows } = await client.query<{ workflow_id: string; count: number; last_at: Date }>(
    'select workflow_id, count(*)::int as count, max(created_at) as last_at from execution where project_id = $1 and livemode = $2 and workflow_id = any($3::uuid[]) group by workflow_id', [projectId, livemode, ids])
  return new Map(rows.map(row => [row.workflow_id, { count: row.count, lastAt: row.last_at }]))
}

/** @throws {Problem} `conflict` when somebody has written since `revision`; null writes whatever the revision is */
export async function changeWorkflow(database: Database, projectId: string, id: string, change: WorkflowChange, revision: number | null): Promise<Workflow> {
  checkWords(change)
  await database.transaction(async client => {
    const { rows: [row] } = await client.query<{ revision: number }>('select revision from workflow where id = $1 and project_id = $2 for update', [id, projectId])
    if (!row) throw new Problem('not_found', 'There is no such workflow.')
    if (revision !== null && row.revision !== revision) {
      throw new Problem('conflict', `This workflow was changed meanwhile: it is at revision ${row.revision}, and yours is ${revision}. Read it again and make your change on top.`, { field: 'revision', value: revision, allowed: row.revision })
    }
    const sha256 = change.graph === undefined ? null : await keepGraph(client, change.graph)
    const taken = change.slug === undefined ? [] : (await client.query('select from workflow where project_id = $1 and slug = $2 and id <> $3', [projectId, change.slug, id])).rows
    if (taken.length > 0) throw new Problem('conflict', `There is a workflow called ${change.slug} already. Choose another slug.`, { field: 'slug', value: change.slug })
    await client.query(
      `update workflow set name = coalesce($2, name), slug = coalesce($3, slug), description = coalesce($4, description), tags = coalesce($5, tags), graph_sha256 = coalesce($6, graph_sha256),
         active = coalesce($7, active), wire = case when $8::jsonb is null then wire else $8 end, revision = revision + 1, updated_at = now() where id = $1`,
      [id, change.name ?? null, change.slug ?? null, change.description ?? null, change.tags ?? null, sha256, change.active ?? null, change.wire === undefined ? null : JSON.stringify(change.wire)])
  })
  return (await findWorkflow(database, projectId, id))!
}

/** Executions stay, as they were. */
export async function removeWorkflow(database: Database, projectId: string, id: string): Promise<boolean> {
  const { rowCount } = await database.query('delete from workflow where id = $1 and project_id = $2', [id, projectId])
  return rowCount === 1
}

/** Makes a version of the draft, which triggers and callers run from now on. The same draft again is the same version. */
export const publishWorkflow = (database: Database, projectId: string, id: string, name: string | null, keyId: string): Promise<WorkflowVersion> => database.transaction(async client => {
  const { rows: [row] } = await client.query<{ graph_sha256: Buffer; published: number | null }>('select graph_sha256, published from workflow where id = $1 and project_id = $2 for update', [id, projectId])
  if (!row) throw new Problem('not_found', 'There is no such workflow.')
  if (name !== null && !/^[\w.-]{1,60}$/.test(name)) throw new Problem('bad_request', 'A version is named with 1 to 60 letters, digits, dots, hyphens and underscores.', { field: 'name', value: name.slice(0, 100) })
  if (name !== null && (name === 'draft' || /^\d+$/.test(name))) throw new Problem('bad_request', `A version cannot be called ${name}: that is how ${name === 'draft' ? 'the draft' : 'a version by its number'} is asked for. Choose another name.`, { field: 'name', value: name })
  const { rows: [last] } = await client.query<{ number: number; graph_sha256: Buffer; name: string | null; created_at: Date }>('select number, graph_sha256, name, created_at from workflow_version where workflow_id = $1 order by number desc limit 1', [id])
  // Names move: the version that had it gives it up.
  if (name !== null) await client.query('update workflow_version set name = null where workflow_id = $1 and name = $2', [id, name])
  let version: { number: number; name: string | null; created_at: Date }
  if (last?.graph_sha256.equals(row.graph_sha256)) {
    if (name !== null) await client.query('update workflow_version set name = $3 where workflow_id = $1 and number = $2', [id, last.number, name])
    version = { ...last, name: name ?? last.name }
  } else {
    const { rows: [made] } = await client.query<{ number: number; name: string | null; created_at: Date }>(
      'insert into workflow_version (workflow_id, number, graph_sha256, name, key_id) values ($1, $2, $3, $4, $5) returning number, name, created_at', [id, (last?.number ?? 0) + 1, row.graph_sha256, name, keyId])
    version = made!
  }
  await client.query('update workflow set published = $2, updated_at = now() where id = $1', [id, version.number])
  return { number: version.number, name: version.name, createdAt: version.created_at }
})

export async function listVersions(client: Client, workflowId: string): Promise<WorkflowVersion[]> {
  const { rows } = await client.query<{ number: number; name: string | null; created_at: Date }>('select number, name, created_at from workflow_version where workflow_id = $1 order by number desc limit 1000', [workflowId])
  return rows.map(row => ({ number: row.number, name: row.name, createdAt: row.created_at }))
}

/** A version by number or name. */
export async function findVersion(client: Client, workflowId: string, version: number | string): Promise<Required<WorkflowVersion> | null> {
  const { rows: [row] } = await client.query<{ number: number; name: string | null; created_at: Date; body: Graph }>(
    `select v.number, v.name, v.created_at, g.body from workflow_version v join graph g on g.sha256 = v.graph_sha256 where v.workflow_id = $1 and ${typeof version === 'number' ? 'v.number = $2' : 'v.name = $2'}`, [workflowId, version])
  return row ? { number: row.number, name: row.name, createdAt: row.created_at, graph: row.body } : null
}
