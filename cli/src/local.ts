/** Commands that work on this machine's own house: its database, its keys, its money, and running it. */
import { setTimeout as pause } from 'node:timers/promises'
import { ConfigError, readConfig, type Config } from '@plantain/server/config.ts'
import { scopes, type RetiredModels, type Scope } from '@plantain/server/domain/caller.ts'
import { formatDollars, readDollars } from '@plantain/server/domain/money.ts'
import type { Operator } from '@plantain/server/operator.ts'
import { Exit, exitCodes, usage } from './exit.ts'
import { formatTable, plainLine, type Shared, type Terminal } from './terminal.ts'

/** @throws {Exit} `usage` naming every wrong setting */
export function readSettings({ env }: Terminal): Config {
  try {
    return readConfig(env)
  } catch (thrown) {
    if (thrown instanceof ConfigError) throw new Exit(exitCodes.usage, 'bad_settings', thrown.message)
    throw thrown
  }
}

/** Errors the operator can mend, told apart by name: their classes live deep in the server. */
const mendable: Record<string, number> = { EmbeddedProblem: exitCodes.failed, MigrationProblem: exitCodes.failed, DatabaseDown: exitCodes.unreachable, ConfigError: exitCodes.usage }

export function explainLocal(thrown: unknown): Exit | null {
  if (!(thrown instanceof Error)) return null
  const { code, name, message } = thrown as NodeJS.ErrnoException
  if (name in mendable) return new Exit(mendable[name] as Exit['exitCode'], name === 'DatabaseDown' ? 'unavailable' : 'bad_settings', message)
  if (code === 'EADDRINUSE') return new Exit(exitCodes.usage, 'port_taken', `${message}. Set PORT to a free one (PORT=0 takes any), or stop what listens there.`)
  if (name === 'Problem') return new Exit(exitCodes.usage, code ?? 'bad_request', message)
  return null
}

export async function withOperator(terminal: Terminal, act: (operator: Operator) => Promise<void>): Promise<void> {
  const config = readSettings(terminal)
  const { openOperator } = await import('@plantain/server/operator.ts')
  const operator = await openOperator(config)
  try { await act(operator) } finally { await operator.close() }
}

/** Runs the house in the foreground until a signal; the second signal means now. */
export async function runHouse(roles: ('serve' | 'work')[], terminal: Terminal): Promise<void> {
  const config = readSettings(terminal)
  const [{ startHouse }, { writeWelcome }] = await Promise.all([import('@plantain/server/house.ts'), import('@plantain/server/welcome.ts')])
  // Listened for before anything is started, so that a signal at any moment finds somebody who stops the house well.
  const stopped = new Promise<void>((resume) => {
    let asked = false
    const stop = () => {
      if (asked) process.exit(exitCodes.interrupted)
      asked = true
      resume()
    }
    process.on('SIGTERM', stop)
    process.on('SIGINT', stop)
  })
  const house = await startHouse(config, { roles })
  terminal.print(writeWelcome({ url: house.url, firstKey: house.firstKey, keyFile: house.keyFile, roles: house.roles, embedded: house.embedded, dataDir: config.dataDir }))
  await stopped
  await house.close()
}

export async function migrateHouse({ json }: Shared, terminal: Terminal): Promise<void> {
  await withOperator(terminal, async ({ migrated }) => {
    if (json) return terminal.print(JSON.stringify(migrated))
    terminal.print(migrated.applied.length > 0 ? `Applied ${migrated.applied.join(', ')}. The database is at ${migrated.version}.` : `Nothing to do. The database is at ${migrated.version}.`)
  })
}

const everyday: Scope[] = ['tasks:read', 'tasks:write', 'assets:read', 'assets:write', 'usage:read']

export interface NewKeyOptions extends Shared {
  name: string
  live?: boolean
  scope?: string[]
  expiresDays?: number
  requestsPerMinute?: number
  executionsPerDay?: number
  concurrent?: number
  project?: string
}

const readScopes = (wanted: string[] | undefined): Scope[] => wanted === undefined ? everyday : wanted.map((text) => {
  const scope = scopes.find((known) => known === text)
  if (!scope) throw usage(`There is no scope "${text}". Known are ${scopes.join(', ')}.`)
  return scope
})

export async function createKey(options: NewKeyOptions, terminal: Terminal): Promise<void> {
  const { name, live = false, expiresDays, requestsPerMinute, executionsPerDay, concurrent, project, json } = options
  const wanted = readScopes(options.scope)
  await withOperator(terminal, async ({ keys }) => {
    const { key, secret } = await keys.create({
      name, livemode: live, scopes: wanted,
      expiresAt: expiresDays === undefined ? null : new Date(Date.now() + expiresDays * 86_400_000),
      limits: { requestsPerMinute: requestsPerMinute ?? null, executionsPerDay: executionsPerDay ?? null, concurrent: concurrent ?? null },
      ...(project === undefined ? {} : { project }),
    })
    if (json) return terminal.print(JSON.stringify({ ...key, secret }))
    terminal.print(secret)
    terminal.note(`Key ${key.id} (${live ? 'live' : 'test'}, ${key.scopes.join(', ')}). The secret is shown this once.`)
  })
}

export async function listKeys({ json, project }: Shared & { project?: string }, terminal: Terminal): Promise<void> {
  await withOperator(terminal, async ({ keys }) => {
    const all = await keys.list(project)
    if (json) return terminal.print(JSON.stringify(all))
    const rows = all.map(({ id, prefix, name, livemode, expiresAt, revokedAt, lastUsedAt }) => {
      const standing = revokedAt ? 'revoked' : expiresAt && expiresAt < new Date() ? 'expired' : 'active'
      return [id, `${prefix}…`, livemode ? 'live' : 'test', standing, lastUsedAt?.toISOString().slice(0, 10) ?? 'never used', plainLine(name, 60)]
    })
    for (const line of formatTable([['key', 'begins', 'mode', 'state', 'last used', 'name'], ...rows])) terminal.print(line)
  })
}

export async function revokeKey(id: string, { json, project }: Shared & { project?: string }, terminal: Terminal): Promise<void> {
  await withOperator(terminal, async ({ keys }) => {
    const key = await keys.revoke(id, project)
    terminal.print(json ? JSON.stringify(key) : `${key.prefix}… is revoked, at once.`)
  })
}

export interface ProjectOptions { project?: string; json?: boolean; retiredModels?: RetiredModels; templatesOnly?: 'yes' | 'no' }

export async function listProjects({ json }: Shared, terminal: Terminal): Promise<void> {
  await withOperator(terminal, async ({ projects }) => {
    const all = await projects.list()
    if (json) return terminal.print(JSON.stringify(all))
    for (const line of formatTable([['project', 'retired models', 'orders', 'account', 'name'], ...all.map(({ id, accountName, name, retiredModels, templatesOnly }) => [id, retiredModels, templatesOnly ? 'templates only' : 'any model', plainLine(accountName, 40), plainLine(name, 60)])])) terminal.print(line)
  })
}

export async function changeProject({ project, json, retiredModels, templatesOnly }: ProjectOptions, terminal: Terminal): Promise<void> {
  if (retiredModels === undefined && templatesOnly === undefined) throw usage('Say what to change: --retired-models refuse or replace, --templates-only yes or no.')
  await withOperator(terminal, async ({ projects }) => {
    const changed = await projects.change({ ...retiredModels === undefined ? {} : { retiredModels }, ...templatesOnly === undefined ? {} : { templatesOnly: templatesOnly === 'yes' } }, project)
    if (json) return terminal.print(JSON.stringify(changed))
    if (retiredModels !== undefined) terminal.print(`${plainLine(changed.name, 60)}: retired models are ${changed.retiredModels === 'replace' ? 'replaced, and the answer says so' : 'refused'}.`)
    if (templatesOnly !== undefined) terminal.print(`${plainLine(changed.name, 60)}: orders ${changed.templatesOnly ? 'have to name a template' : 'may name any model'}.`)
  })
}

export interface CreditOptions extends Shared { live?: boolean; note?: string; project?: string }

const showBalance = ({ livemode, availableMicros, heldMicros, spentMicros }: { livemode: boolean; availableMicros: number; heldMicros: number; spentMicros: number }): string =>
  `${livemode ? 'live' : 'test'}: $${formatDollars(availableMicros)} available, $${formatDollars(heldMicros)} held, $${formatDollars(spentMicros)} spent`

export async function grantCredits(dollars: string, { live = false, note = 'Granted by the operator', project, json }: CreditOptions, terminal: Terminal): Promise<void> {
  const micros = readDollars(dollars.replace(/^\$/, ''))
  if (!micros) throw usage(`"${dollars}" is no amount in dollars. Write 25 or 12.50.`)
  await withOperator(terminal, async ({ credits }) => {
    const purse = await credits.grant(micros, { livemode: live, note, ...(project === undefined ? {} : { project }) })
    terminal.print(json ? JSON.stringify(purse) : showBalance(purse))
  })
}

export async function showCredits({ live, project, json }: CreditOptions, terminal: Terminal): Promise<void> {
  await withOperator(terminal, async ({ credits }) => {
    const purses = []
    for (const livemode of live === undefined ? [false, true] : [live]) purses.push(await credits.balance({ livemode, ...(project === undefined ? {} : { project }) }))
    if (json) return terminal.print(JSON.stringify(purses))
    for (const purse of purses) terminal.print(showBalance(purse))
  })
}

/** Something, or null once its time is up. */
export const within = async <T>(ms: number, promise: Promise<T>): Promise<T | null> => {
  const stop = new AbortController()
  try { return await Promise.race([promise, pause(ms, null, { signal: stop.signal })]) } finally { stop.abort() }
}
