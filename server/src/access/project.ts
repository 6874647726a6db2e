/** What a project has chosen for itself; by a key of its own, or by the operator. */
import { writeAct } from '../db/audit.ts'
import type { Database } from '../db/pool.ts'
import type { RetiredModels } from '../domain/caller.ts'
import { Problem } from '../domain/problem.ts'
import type { Project, ProjectChange } from '../protocols/contract.ts'

/** Who changes it: a key, or the operator (null). */
export interface Changer { accountId: string; projectId: string; keyId: string | null }

interface ProjectRow { id: string; name: string; retired_models: RetiredModels; created_at: Date }

const columns = 'id, name, retired_models, created_at'

const readRow = ({ id, name, retired_models, created_at }: ProjectRow): Project => ({ id, name, retiredModels: retired_models, createdAt: created_at })

const missing = () => new Problem('not_found', 'There is no such project.', { field: 'project' })

export async function readProject(database: Database, projectId: string): Promise<Project> {
  const { rows: [row] } = await database.query<ProjectRow>(`select ${columns} from project where id = $1`, [projectId])
  if (!row) throw missing()
  return readRow(row)
}

/** Changes what is named and writes down who did it, from what to what; what stays as it was is no act. */
export const changeProject = (database: Database, { accountId, projectId, keyId }: Changer, { retiredModels }: ProjectChange): Promise<Project> => database.transaction(async client => {
  const { rows: [before] } = await client.query<ProjectRow>(`select ${columns} from project where id = $1 for update`, [projectId])
  if (!before) throw missing()
  if (retiredModels === undefined || retiredModels === before.retired_models) return readRow(before)
  const { rows: [after] } = await client.query<ProjectRow>(`update project set retired_models = $2 where id = $1 returning ${columns}`, [projectId, retiredModels])
  await writeAct(client, { accountId, projectId, keyId, act: 'project.changed', subject: projectId, details: { retired_models: { from: before.retired_models, to: retiredModels } } })
  return readRow(after!)
})
