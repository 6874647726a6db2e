/** What the operator does beside a running server, on the same database: migrations, keys, credits. The CLI's local commands. */
import { createAccess, type Access, type Project } from './access/access.ts'
import { loadCatalog, ownCards } from './catalog/catalog.ts'
import { createChangeRoom, routesIn, type ChangeRoom } from './catalog/changes.ts'
import { listAt } from './catalog/price.ts'
import { readAccounts, type Config } from './config.ts'
import { findRunning } from './db/embedded/running.ts'
import { databaseFolder } from './house.ts'
import { startEmbedded, type Embedded } from './db/embedded/start.ts'
import { migrate } from './db/migrate.ts'
import { openDatabase, type Database } from './db/pool.ts'
import { Problem } from './domain/problem.ts'
import type { KeyLimits, Scope } from './domain/caller.ts'
import type { CostList } from './domain/card.ts'
import { isSame, type ModelRoutes } from './domain/routing.ts'
import { readUnknown, type UnknownAttempt } from './engine/unknown.ts'
import { createLog } from './kit/log.ts'
import { audit, readBalance, type PurseState } from './ledger/books.ts'
import { readCosts, type CostLine } from './ledger/costs.ts'
import { grant } from './ledger/ledger.ts'
import type { Key, Project as ProjectSettings, ProjectChange } from './protocols/contract.ts'
import { findProviders } from './providers.ts'

export interface Operator {
  /** Where the database stands now; it was brought up to date on opening. */
  migrated: { applied: number[]; version: number }
  keys: {
    create(key: { name: string; livemode: boolean; scopes: Scope[]; expiresAt: Date | null; limits: KeyLimits; project?: string }): Promise<{ key: Key; secret: string }>
    list(project?: string): Promise<Key[]>
    revoke(keyId: string, project?: string): Promise<Key>
  }
  projects: {
    list(): Promise<Project[]>
    /** The named project, or the only one, as it is then. */
    change(change: ProjectChange, project?: string): Promise<ProjectSettings>
  }
  credits: {
    grant(micros: number, options: { livemode: boolean; note: string; project?: string }): Promise<PurseState>
    balance(options: { livemode: boolean; project?: string }): Promise<PurseState>
  }
  /** Routes and aliases of the whole house. A running server sees a change within a second. Loaded when wanted: it reads every card. */
  routing(): Promise<OperatorRouting>
  /** What the house paid upstreams and charged for it, by UTC day, provider and model. */
  costs(span: { from: Date; to: Date }): Promise<CostLine[]>
  /** Attempts that may have been bought and of which nobody knows what became. */
  unknown(which: { since: Date; limit: number }): Promise<UnknownAttempt[]>
  /** What does not add up in the books; empty when all is well. */
  audit(): Promise<string[]>
  access: Access
  database: Database
  close(): Promise<void>
}

export interface OperatorRouting extends ChangeRoom {
  /** A model's routes as they count now. @throws {Problem} `not_found` */
  model(name: string): Promise<ModelRoutes>
  models(): Promise<ModelRoutes[]>
  /** What the card itself calls the model at a provider; null where it names no such route. */
  nameAt(model: string, provider: string): string | null
  /** What a route's upstream takes at present, as the card has it, a further account like its provider; null where it says nothing, or has no such route. */
  costsAt(model: string, route: { provider: string; model: string }): CostList | null
}

async function openRouting(config: Config, database: Database): Promise<OperatorRouting> {
  const catalog = loadCatalog([ownCards, ...config.PLANTAIN_CARDS ? [config.PLANTAIN_CARDS] : []])
  const accounts = new Map(readAccounts(config.PROVIDER_ACCOUNTS).map(({ id, of }) => [id, of]))
  const room = createChangeRoom({ database, catalog, providers: (await findProviders(config)).map(provider => provider.id) })
  const cardOf = (name: string) => {
    const found = catalog.find(name)
    if (!found) throw new Problem('not_found', `There is no model ${name.slice(0, 100)}. See plantain routes list.`, { field: 'model' })
    return found.card
  }
  return {
    ...room,
    model: async name => routesIn(await room.read(), cardOf(name)),
    async models() {
      const changes = await room.read()
      return catalog.all().map(card => routesIn(changes, card))
    },
    nameAt: (model, provider) => cardOf(model).routes.find(route => route.provider === provider)?.model ?? null,
    costsAt(name, { provider, model }) {
      const { routes } = cardOf(name)
      const costs = (routes.find(one => isSame(one, { provider, model })) ?? routes.find(one => isSame(one, { provider: accounts.get(provider) ?? '', model })))?.costs
      return costs ? listAt(costs, new Date()) : null
    },
  }
}

/**
 * Opens the database the server uses: `DATABASE_URL`, the embedded one if a server runs it, else the embedded one on its own.
 */
export async function openOperator(config: Config): Promise<Operator> {
  const log = createLog(config.LOG_LEVEL === 'debug' ? 'debug' : 'warn')
  let embedded: Embedded | null = null
  let url = config.DATABASE_URL ?? findRunning(databaseFolder(config))?.url
  if (!url) {
    embedded = await startEmbedded({ dataDir: databaseFolder(config), log })
    url = embedded.url
  }
  try {
    const migrated = await migrate({ url, log })
    const database = openDatabase({ url, max: 4, log })
    const access = createAccess({ database, now: () => new Date(), log })

    /** The project by id or name; the only one where none is named. */
    const project = async (wanted: string | undefined) => {
      const projects = await access.listProjects()
      const found = wanted === undefined ? projects : projects.filter(one => one.id === wanted || one.name === wanted)
      if (found.length === 1) return found[0]!
      if (found.length > 1) throw new Problem('bad_request', `There are several projects. Name one: ${found.map(one => `${one.name} (${one.id})`).join(', ')}.`, { field: 'project' })
      throw new Problem('not_found', projects.length === 0 ? 'There is no project yet. Start the server once.' : `There is no project ${wanted}.`, { field: 'project' })
    }

    return {
      migrated, access, database,
      keys: {
        create: async ({ project: name, ...key }) => access.createKeyForOperator((await project(name)).id, key),
        list: async name => access.listKeysForOperator((await project(name)).id),
        revoke: async (keyId, name) => access.revokeKeyForOperator((await project(name)).id, keyId),
      },
      projects: {
        list: () => access.listProjects(),
        change: async (change, name) => access.changeProjectForOperator((await project(name)).id, change),
      },
      credits: {
        async grant(micros, { livemode, note, project: name }) {
          const { accountId } = await project(name)
          await database.transaction(client => grant(client, { accountId, livemode }, micros, note))
          return readBalance(database, { accountId, livemode })
        },
        balance: async ({ livemode, project: name }) => readBalance(database, { accountId: (await project(name)).accountId, livemode }),
      },
      routing: () => openRouting(config, database),
      costs: span => readCosts(database, span),
      unknown: which => readUnknown(database, which),
      audit: () => audit(database),
      async close() {
        await access.drain()
        await database.close()
        await embedded?.stop()
      },
    }
  } catch (error) {
    await embedded?.stop()
    throw error
  }
}
