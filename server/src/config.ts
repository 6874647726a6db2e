/**
 * Settings: the one place that reads the environment. Each has a default and a sentence; everything wrong is said at once.
 *
 * Providers' own settings are read here too, by their schemas, as `<PROVIDER>_<SETTING>` (`ACME_API_KEY`).
 */
import { resolve } from 'node:path'
import { Type, type Static, type TObject, type TSchema } from 'typebox'
import { Value } from 'typebox/value'

const integer = (minimum: number, maximum: number, standard: number, description: string) => Type.Integer({ minimum, maximum, default: standard, description })

export const settings = Type.Object({
  PORT: integer(0, 65_535, 7700, 'Port of the HTTP server; 0 takes a free one.'),
  HOST: Type.String({ default: '127.0.0.1', description: 'Address to listen on. Only this machine can reach the default; 0.0.0.0 opens it to the network.' }),
  PUBLIC_URL: Type.Optional(Type.String({ pattern: '^https?://[^\\s?#]+$', description: 'How the world reaches this server (https://images.example.com). Stands in links and lets upstreams call back.' })),
  PLANTAIN_DATA_DIR: Type.String({ default: './data', description: 'Folder for the embedded database, pictures and the first key.' }),
  DATABASE_URL: Type.Optional(Type.String({ pattern: '^postgres(ql)?://', description: 'A PostgreSQL of your own (15 or newer). Without it an embedded one is started in the data folder.' })),
  DATABASE_POOL: integer(4, 200, 16, 'Database connections of one process.'),
  LOG_LEVEL: Type.Union(['silent', 'error', 'warn', 'info', 'debug'].map(level => Type.Literal(level)), { default: 'info', description: 'How much is logged to standard error: silent, error, warn, info or debug.' }),
  PLANTAIN_CARDS: Type.Optional(Type.String({ description: 'A folder of your own model cards (JSON); one with a known id takes its place.' })),
  PLANTAIN_PROVIDERS: Type.Optional(Type.String({ description: 'A folder of providers of your own, a subfolder each (docs/providers.md). This server runs the code in it.' })),
  PROVIDER_ACCOUNTS: Type.Optional(Type.String({ pattern: '^\\s*[a-z][a-z0-9-]*\\s*=\\s*[a-z][a-z0-9-]*\\s*(,\\s*[a-z][a-z0-9-]*\\s*=\\s*[a-z][a-z0-9-]*\\s*)*$', description: 'More accounts of providers, each under an id of its own: azure=openai,kie-two=kie. Their settings are AZURE_API_KEY, KIE_TWO_API_KEY and so on; routes name them by their ids.' })),
  WORKER_SLOTS: integer(1, 20_000, 512, 'Steps one process has in hand at once.'),
  SANDBOX_THREADS: integer(0, 64, 0, 'Threads that render sandbox pictures; 0 takes one fewer than there are cores, at least one.'),
  ALLOW_PRIVATE_ADDRESSES: Type.Boolean({ default: false, description: 'Lets pictures be fetched from, and webhooks be sent to, private addresses. Only for a closed network whose callers you trust.' }),
  INPUT_BYTES_MAX: integer(1_000, 2_000_000_000, 30_000_000, 'Largest picture taken in, in bytes.'),
  INPUT_PIXELS_MAX: integer(1_000, 1_000_000_000, 100_000_000, 'Largest picture taken in, in pixels.'),
  FILE_BYTES_MAX: integer(1_000, 4_000_000_000, 512_000_000, 'Largest file taken in by the Files APIs, in bytes.'),
  OUTPUT_DAYS: integer(0, 36_500, 0, 'Days an output is kept; 0 keeps it until it is deleted.'),
  INPUT_DAYS: integer(0, 36_500, 30, 'Days an uploaded input is kept; 0 keeps it until it is deleted.'),
  PLANTAIN_PUBLISH_DIR: Type.Optional(Type.String({ minLength: 1, description: 'A folder workflows may publish into, under live/<project> and test/<project>.' })),
  PLANTAIN_PUBLISH_URL: Type.Optional(Type.String({ pattern: '^https?://[^\\s?#]+$', description: 'How the world reaches that folder, where a web server shows it; stands in what publishing gives back.' })),
  PLANTAIN_PUBLISH_S3_ENDPOINT: Type.Optional(Type.String({ pattern: '^https?://[^\\s?#]+$', description: 'A bucket workflows may publish into, S3 or like it: its address with the bucket (https://s3.eu-central-1.amazonaws.com/my-bucket).' })),
  PLANTAIN_PUBLISH_S3_REGION: Type.String({ default: 'auto', pattern: '^[a-z0-9-]+$', description: 'Its region.' }),
  PLANTAIN_PUBLISH_S3_ACCESS_KEY_ID: Type.Optional(Type.String({ minLength: 1, description: 'Its access key; one that may only write there is enough.' })),
  PLANTAIN_PUBLISH_S3_SECRET_ACCESS_KEY: Type.Optional(Type.String({ minLength: 1, description: 'Its secret key.' })),
  PLANTAIN_PUBLISH_S3_URL: Type.Optional(Type.String({ pattern: '^https?://[^\\s?#]+$', description: 'How the world reaches the bucket; stands in what publishing gives back. Without it, its own address.' })),
  PLANTAIN_PUBLISH_EXECUTION_FILES: integer(0, 1_000_000_000, 10_000, 'Files one execution of a workflow may publish, wherever to; 0 sets no limit.'),
  PLANTAIN_PUBLISH_EXECUTION_BYTES: integer(0, 1_000_000_000_000_000, 20_000_000_000, 'Bytes one execution may publish; 0 sets no limit.'),
  PLANTAIN_PUBLISH_DAY_FILES: integer(0, 1_000_000_000, 50_000, 'Files a project may publish in a day (UTC), test and live each; 0 sets no limit.'),
  PLANTAIN_PUBLISH_DAY_BYTES: integer(0, 1_000_000_000_000_000, 100_000_000_000, 'Bytes a project may publish in a day, test and live each; 0 sets no limit.'),
  SHUTDOWN_GRACE_S: integer(0, 3_600, 20, 'Seconds that work in hand may go on after SIGTERM before it is handed back.'),
  ROUTES_AT_A_LOSS: Type.Boolean({ default: true, description: 'Whether a route may make what, by its price list, costs more than the caller pays. With false another route is taken; where there is none the order is refused.' }),
  METRICS_COSTS: Type.Boolean({ default: false, description: 'Tells at /metrics, which asks for no key, what upstreams took and what was charged. Only where your customers cannot reach that address.' }),
  TRUST_PROXY: Type.Boolean({ default: false, description: 'Believe X-Forwarded-* headers; only behind a proxy of your own.' }),
})

export type Settings = Static<typeof settings>

export interface Config extends Settings {
  dataDir: string
  /** The whole environment as it was read, for the providers' settings. */
  environment: Record<string, string | undefined>
}

/** Wrong settings, all of them. */
export class ConfigError extends Error {
  override name = 'ConfigError'
  readonly mistakes: string[]
  constructor(mistakes: string[]) {
    super(`These settings are wrong:\n${mistakes.map(mistake => `  ${mistake}`).join('\n')}`)
    this.mistakes = mistakes
  }
}

/**
 * Reads the settings out of an environment.
 *
 * @throws {ConfigError} naming every mistake
 */
export function readConfig(environment: Record<string, string | undefined>): Config {
  const { values, mistakes } = readSettings(settings, name => environment[name], name => name)
  const read = values as Settings
  const bucket = ['ENDPOINT', 'ACCESS_KEY_ID', 'SECRET_ACCESS_KEY'].map(name => `PLANTAIN_PUBLISH_S3_${name}` as keyof Settings)
  const missing = bucket.filter(name => read[name] === undefined)
  if (missing.length > 0 && missing.length < bucket.length) mistakes.push(`${missing.join(' and ')}: missing. A bucket to publish to needs ${bucket.join(', ')}.`)
  if (mistakes.length > 0) throw new ConfigError(mistakes)
  return { ...read, dataDir: resolve(read.PLANTAIN_DATA_DIR), environment }
}

/** `apiKey` of provider `acme` is read from `ACME_API_KEY`. */
export const variableOf = (provider: string, setting: string): string =>
  `${provider}_${setting.replace(/[A-Z]/g, letter => `_${letter}`)}`.toUpperCase().replaceAll('-', '_')

/**
 * A provider's settings, or what is missing of them. A provider with none of its required settings set is simply not configured;
 * one with a wrong one is a mistake.
 */
export function readProviderSettings(provider: string, schema: TObject, environment: Record<string, string | undefined>): { values: Record<string, unknown> } | { missing: string[] } {
  const name = (setting: string) => variableOf(provider, setting)
  const missing = (schema.required ?? []).filter((setting: string) => (schema.properties[setting] as { default?: unknown }).default === undefined && !environment[name(setting)]).map(name)
  if (missing.length > 0) return { missing }
  const { values, mistakes } = readSettings(schema, setting => environment[name(setting)], name)
  if (mistakes.length > 0) throw new ConfigError(mistakes)
  return { values }
}

/** What `PROVIDER_ACCOUNTS` says: the id of a further account, and whose it is. */
export const readAccounts = (text: string | undefined): { id: string; of: string }[] =>
  (text ?? '').split(',').filter(part => part.trim() !== '').map(part => { const [id, of] = part.split('=').map(word => word.trim()); return { id: id!, of: of! } })

const pacing = Type.Object({
  concurrency: Type.Optional(Type.Integer({ minimum: 1, maximum: 100_000, description: 'Jobs this upstream makes for us at once, over all processes; calls, where each picture of an order is one.' })),
  perMinute: Type.Optional(Type.Integer({ minimum: 1, maximum: 1_000_000, description: 'Submissions to this upstream a minute, over all processes.' })),
  imagesPerMinute: Type.Optional(Type.Integer({ minimum: 1, maximum: 1_000_000, description: 'Pictures asked of this upstream a minute, over all processes.' })),
})

/** What the operator says of a provider's limits, whatever the provider: `ACME_CONCURRENCY`, `ACME_PER_MINUTE`, `ACME_IMAGES_PER_MINUTE`. */
export function readPacing(provider: string, environment: Record<string, string | undefined>): Static<typeof pacing> {
  const read = readProviderSettings(provider, pacing, environment)
  return 'values' in read ? read.values : {}
}

function readSettings(schema: TObject, read: (setting: string) => string | undefined, nameOf: (setting: string) => string): { values: Record<string, unknown>; mistakes: string[] } {
  const values: Record<string, unknown> = {}
  const mistakes: string[] = []
  for (const [setting, property] of Object.entries(schema.properties) as [string, TSchema & { default?: unknown; description?: string; type?: string; anyOf?: { const?: unknown }[] }][]) {
    const text = read(setting)
    if (text === undefined || text === '') {
      if (property.default !== undefined) values[setting] = property.default
      continue
    }
    const value = readText(text, property.type)
    if (Value.Check(property, value)) values[setting] = value
    else mistakes.push(`${nameOf(setting)}=${JSON.stringify(text.slice(0, 100))}: ${expectation(property)}. ${property.description ?? ''}`.trim())
  }
  return { values, mistakes }
}

function readText(text: string, type: string | undefined): unknown {
  if (type === 'integer' || type === 'number') return /^-?\d+(\.\d+)?$/.test(text) ? Number(text) : text
  if (type === 'boolean') return text === 'true' || text === '1' ? true : text === 'false' || text === '0' ? false : text
  return text
}

function expectation(property: TSchema & { type?: string; minimum?: number; maximum?: number; pattern?: string; anyOf?: { const?: unknown }[] }): string {
  if (property.anyOf) return `must be one of ${property.anyOf.map(one => String(one.const)).join(', ')}`
  if (property.type === 'integer') return `must be a whole number from ${property.minimum} to ${property.maximum}`
  if (property.type === 'boolean') return 'must be true or false'
  return property.pattern ? `must look like ${property.pattern}` : `must be a ${property.type}`
}

/** The text of `.env.example`: every setting with its default and its sentence. */
export function writeEnvironmentExample(): string {
  const lines = ['# Every setting, with its default. Copy what you change into the environment of the server.', '']
  for (const [name, property] of Object.entries(settings.properties) as unknown as [string, { default?: unknown; description: string }][]) {
    lines.push(`# ${property.description}`, `${property.default === undefined ? '#' : ''}${name}=${property.default ?? ''}`, '')
  }
  return lines.join('\n')
}
