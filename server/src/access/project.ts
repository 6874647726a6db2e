/** What a project has chosen for itself; by a key of its own, or by the operator. */
import { writeAct } from '../db/audit.ts'
import { grouped } from '../db/group.ts'
import type { Database } from '../db/pool.ts'
import type { RetiredModels } from '../domain/caller.ts'
import { Problem } from '../domain/problem.ts'
import type { Project, ProjectChange } from '../protocols/contract.ts'

/** Who changes it: a key, or the operator (null). */
export interface Changer { accountId: string; projectId: string; keyId: string | null }

interface ProjectRow { id: string; name: string; retired_models: RetiredModels; templates_only: boolean; created_at: Date }

const columns = 'id, name, retired_models, templates_only, created_at'

const readRow = ({ id, name, retired_models, templates_only, created_at }: ProjectRow): Project => ({ id, name, retiredModels: retired_models, templatesOnly: templates_only, createdAt: created_at })

const missing = () => new Problem('not_found', 'There is no such project.', { field: 'project' })

export async function readProject(database: Database, projectId: string): Promise<Project> {
  const { rows: [row] } = await database.query<ProjectRow>(`select ${columns} from project where id = $1`, [projectId])
  if (!row) throw missing()
  return readRow(row)
}

/** Whether projects take orders by template only: for work that goes on without its key, many runs at once. */
export const createTemplatesOnly = (database: Database) => grouped<string, boolean>(async ids => {
  const { rows } = await database.query<{ id: string }>({ name: 'access templates only', text: 'select id from project where id = any($1::uuid[]) and templates_only' }, [[...new Set(ids)]])
  const only = new Set(rows.map(row => row.id))
  return ids.map(id => only.has(id))
}, { lanes: 2 })

/** Changes what is named and writes down who did it, from what to what; what stays as it was is no act. */
export const changeProject = (database: Database, { accountId, projectId, keyId }: Changer, { retiredModels, templatesOnly }: ProjectChange): Promise<Project> => database.transaction(async client => {
  const { rows: [before] } = await client.query<ProjectRow>(`select ${columns} from project where id = $1 for update`, [projectId])
  if (!before) throw missing()
  const wanted = { retired_models: retiredModels, templates_only: templatesOnly }
  const changed = Object.entries(wanted).flatMap(([name, to]) => to === undefined || to === before[name as keyof typeof wanted] ? [] : [[name, { from: before[name as keyof typeof wanted], to }] as const])
  if (changed.length === 0) return readRow(before)
  const { rows: [after] } = await client.query<ProjectRow>(`update project set retired_models = coalesce($2, retired_models), templates_only = coalesce($3, templates_only) where id = $1 returning ${columns}`,
    [projectId, retiredModels ?? null, templatesOnly ?? null])
  await writeAct(client, { accountId, projectId, keyId, act: 'project.changed', subject: projectId, details: Object.fromEntries(changed) })
  return readRow(after!)
})
