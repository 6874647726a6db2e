/** What only the operator does, on the server: accounts, projects, any key of any project, and the very first boot. */
import { writeAct } from '../db/audit.ts'
import { locks } from '../db/locks.ts'
import type { Client, Database } from '../db/pool.ts'
import type { RetiredModels } from '../domain/caller.ts'
import { Problem } from '../domain/problem.ts'
import { isId, newId } from '../kit/id.ts'
import type { Key, NewKey, Project as ProjectSettings, ProjectChange } from '../protocols/contract.ts'
import { insertKey, listKeys, revokeKey } from './keys.ts'
import { changeProject } from './project.ts'

/** Puts money into a purse, in the transaction it is handed (`ledger.grant`). */
export type Grant = (client: Client, purse: { accountId: string; livemode: boolean }, micros: number, note: string) => Promise<unknown>

export type FirstBoot =
  | { created: true; secret: string; accountId: string; projectId: string }
  | { created: false }

export interface Account { id: string; name: string; concurrent: number | null }
export interface Project { id: string; name: string; accountId: string; accountName: string; retiredModels: RetiredModels; templatesOnly: boolean }

export interface Operator {
  /**
   * Makes an account, a project, play credits and the first test key where there is no account yet. Of several processes
   * that start at once, one makes them and is the only one to know the secret. `keep` puts the secret where it will be found,
   * before the commit: a crash in between leaves a file that opens nothing, never a key that nobody knows.
   */
  firstBoot(grant: Grant, keep?: (secret: string) => Promise<void>): Promise<FirstBoot>
  /** @throws {Problem} `bad_request` */
  createAccount(account: { name: string; concurrent?: number | null }): Promise<Account>
  /** @throws {Problem} `bad_request`, `not_found` */
  createProject(project: { accountId: string; name: string }): Promise<Project>
  listProjects(): Promise<Project[]>
  /** @throws {Problem} `not_found` */
  changeProjectForOperator(projectId: string, change: ProjectChange): Promise<ProjectSettings>
  /** @throws {Problem} `not_found` */
  listKeysForOperator(projectId: string): Promise<Key[]>
  /** @throws {Problem} `bad_request`, `not_found` */
  createKeyForOperator(projectId: string, key: NewKey): Promise<{ key: Key; secret: string }>
  /** @throws {Problem} `not_found` */
  revokeKeyForOperator(projectId: string, keyId: string): Promise<Key>
}

/** A thousand dollars to play with. */
const playMicros = 1_000_000_000

const noLimits = { requestsPerMinute: null, executionsPerDay: null, concurrent: null }

export function createOperator({ database, now }: { database: Database; now(): Date }): Operator {
  const findProject = async (projectId: string): Promise<Project> => {
    const project = isId(projectId) ? (await readProjects(database, projectId))[0] : undefined
    if (!project) throw new Problem('not_found', 'There is no such project.', { field: 'project', value: projectId.slice(0, 100) })
    return project
  }
  const homeOf = (project: Project) => ({ accountId: project.accountId, projectId: project.id, byKeyId: null })

  return {
    firstBoot: (grant, keep) => database.transaction(async (client): Promise<FirstBoot> => {
      await client.query('select pg_advisory_xact_lock($1)', [locks.firstBoot])
      // Asked after the lock, in a statement of its own, so that it sees what another process has just made.
      const { rows: [{ present }] } = await client.query('select exists (select from account) as present')
      if (present) return { created: false }
      const account = await insertAccount(client, { name: 'Default', concurrent: null })
      const project = await insertProject(client, { accountId: account.id, name: 'Default' })
      await grant(client, { accountId: account.id, livemode: false }, playMicros, 'Play money of the first boot')
      const { secret } = await insertKey(client, { accountId: account.id, projectId: project.id, byKeyId: null },
        { name: 'First key', livemode: false, scopes: ['admin'], expiresAt: null, limits: noLimits }, now())
      await keep?.(secret)
      return { created: true, secret, accountId: account.id, projectId: project.id }
    }),

    async createAccount({ name, concurrent = null }) {
      if (concurrent !== null && !(Number.isInteger(concurrent) && concurrent >= 1 && concurrent <= 1_000_000)) {
        throw new Problem('bad_request', 'The limit concurrent must be a whole number of at least 1, or absent.', { field: 'concurrent', value: concurrent })
      }
      return database.transaction(client => insertAccount(client, { name: tidyName(name), concurrent }))
    },

    createProject: ({ accountId, name }) => database.transaction(async client => {
      const { rows: [account] } = isId(accountId) ? await client.query<{ name: string }>('select name from account where id = $1', [accountId]) : { rows: [] }
      if (!account) throw new Problem('not_found', 'There is no such account.', { field: 'account', value: accountId.slice(0, 100) })
      return { ...await insertProject(client, { accountId, name: tidyName(name) }), accountName: account.name }
    }),

    listProjects: () => readProjects(database, null),

    async changeProjectForOperator(projectId, change) {
      const { id, accountId } = await findProject(projectId)
      return changeProject(database, { accountId, projectId: id, keyId: null }, change)
    },

    listKeysForOperator: async projectId => listKeys(database, (await findProject(projectId)).id, { alsoLive: true }),

    async createKeyForOperator(projectId, key) {
      const project = await findProject(projectId)
      return database.transaction(client => insertKey(client, homeOf(project), key, now()))
    },

    async revokeKeyForOperator(projectId, keyId) {
      const key = await revokeKey(database, homeOf(await findProject(projectId)), keyId, { alsoLive: true, now: now() })
      if (!key) throw new Problem('not_found', 'This project has no such key.', { field: 'key', value: keyId.slice(0, 100) })
      return key
    },
  }
}

function tidyName(name: string): string {
  const tidy = name.trim()
  if (tidy.length < 1 || tidy.length > 100 || /\p{Cc}/u.test(tidy)) throw new Problem('bad_request', 'A name has 1 to 100 characters and no line breaks.', { field: 'name', value: name.slice(0, 200) })
  return tidy
}

async function insertAccount(client: Client, { name, concurrent }: { name: string; concurrent: number | null }): Promise<Account> {
  const id = newId()
  await client.query('insert into account (id, name, concurrent) values ($1, $2, $3)', [id, name, concurrent])
  await writeAct(client, { accountId: id, projectId: null, keyId: null, act: 'account.created', subject: id, details: { name } })
  return { id, name, concurrent }
}

async function insertProject(client: Client, { accountId, name }: { accountId: string; name: string }) {
  const id = newId()
  await client.query('insert into project (id, account_id, name) values ($1, $2, $3)', [id, accountId, name])
  await writeAct(client, { accountId, projectId: id, keyId: null, act: 'project.created', subject: id, details: { name } })
  return { id, name, accountId, retiredModels: 'refuse' as const, templatesOnly: false }
}

async function readProjects(client: Client, projectId: string | null): Promise<Project[]> {
  const { rows } = await client.query<{ id: string; name: string; account_id: string; account_name: string; retired_models: RetiredModels; templates_only: boolean }>(
    `select project.id, project.name, project.account_id, account.name as account_name, project.retired_models, project.templates_only
     from project join account on account.id = project.account_id
     where $1::uuid is null or project.id = $1
     order by project.id`, [projectId])
  return rows.map(row => ({ id: row.id, name: row.name, accountId: row.account_id, accountName: row.account_name, retiredModels: row.retired_models, templatesOnly: row.templates_only }))
}
