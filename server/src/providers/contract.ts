/**
 * A provider is a back door: a folder beside this file whose default export asks one upstream.
 *
 * It never sleeps, never loops and never retries: `submit` and `poll` bring an outcome, and the engine owns time, retries, money
 * and crash safety. Absent on purpose: the database, the engine, other providers, the process environment.
 */
import { Type } from 'typebox'
import type { Static, TObject } from 'typebox'
import type { Operation, Priority, Role } from '../domain/order.ts'
import type { Json, Outcome } from '../domain/outcome.ts'
import type { Usage } from '../domain/usage.ts'

/** A picture that goes to the upstream. The bytes are read when they are wanted, not before. */
export interface JobInput {
  assetId: string
  role: Role
  mime: string
  sizeBytes: number
  width: number | null
  height: number | null
  sha256: string
  read(): Promise<Buffer>
  /** A link the upstream can fetch for the next hour; only where `PUBLIC_URL` is set. */
  link(): string | null
}

/** What a provider is handed: one attempt at one task. */
export interface Job {
  taskId: string
  /** 1 for the first time an upstream is asked. */
  attempt: number
  /** The same for every repetition of this attempt: the upstream's idempotency key, or its own reference for `find`. */
  key: string
  cardId: string
  /** The upstream's name for the model. */
  model: string
  operation: Operation
  prompt: string
  parameters: Record<string, Json>
  count: number
  width: number | null
  height: number | null
  inputs: JobInput[]
  livemode: boolean
  /** `batch`: nobody waits for it, and it may be made in whatever takes longer and costs less. Absent: somebody does. */
  priority?: Priority
  /** When its task ends, made or not. */
  endBy?: Date
  /** In-between pictures that are wanted, 0 to 3. Whoever cannot make them makes none. */
  partials?: number
  /** Where the upstream may call us back; null where we cannot be reached. */
  callbackUrl: string | null
  /** In a look: the links of the last answer had expired. Ask anew, also for what was known. */
  fresh?: boolean
}

/** How a making that wrote came to its end, in `details.finish`: by itself, or at the number of tokens it was allowed. */
export type Finish = 'stop' | 'length'

/** One thing that was made: its bytes, or a link the engine fetches at once (upstream links expire). */
export type Made =
  | { bytes: Uint8Array; mime?: string; seed?: number }
  | { url: string; mime?: string; seed?: number }

export interface Making {
  /** Empty where the job was to write. */
  made: Made[]
  /** What was written, or what was said beside what was made. */
  text?: string
  /** Told to the caller on the task: what was understood, upstream usage, and the like. */
  details?: Record<string, Json>
  warnings?: string[]
  upstreamId?: string
  /** What it took by the upstream's own count; our cost is worked out of it by the route's cost table. */
  usage?: Usage
  /** What the upstream says it took from us, in whole micro-dollars; better than any table. Absent where it does not say. */
  costMicros?: number
}

/** A call back of an upstream, as it came in. */
export interface Callback {
  headers: Record<string, string | undefined>
  query: URLSearchParams
  /** The bytes as they were signed. */
  body: Buffer
  /** The address it was sent to, in full. */
  url: string
}

/**
 * What a call back is worth. `genuine`: signed by the upstream, and not old; `id` tells a replay from a new one, where the upstream numbers
 * its messages. `forged`: a signature that is wrong, missing where one is due, or too old. `unsigned`: this upstream, or this setting, signs
 * nothing. A genuine or unsigned one only makes the engine look; what it says is never believed.
 */
export type Verdict = { kind: 'genuine'; id?: string } | { kind: 'forged'; why: string } | { kind: 'unsigned' }

export type JobOutcome = Outcome<Making>

export interface Connection {
  /** Where a setting decides how much fits: takes the place of the declared limits. */
  limits?: Partial<ProviderLimits>
  /** Asks the upstream to make it. Called once per attempt, after the attempt is written down. */
  submit(job: Job, signal: AbortSignal, partial?: (index: number, bytes: Uint8Array) => void): Promise<JobOutcome>
  /** Comes back with a receipt. In-between pictures that have come since may be shown; only a `wait` after them lets them be seen. */
  poll?(receipt: Json, job: Job, signal: AbortSignal, partial?: (index: number, bytes: Uint8Array) => void): Promise<JobOutcome>
  /**
   * For upstreams that make it in the call: how far it is in percent, while `submit` is under way; null where they cannot say. The engine
   * asks every second or so. A hint: it may fail, and nothing is decided by it.
   */
  glance?(job: Job, signal: AbortSignal, partial?: (index: number, bytes: Uint8Array) => void): Promise<number | null>
  /**
   * Asks the upstream what became of an attempt whose answer we lost, by our own key. `null`: asking again under that key buys nothing
   * twice, for the upstream knows of none, or answers a key it knows with what it began. It never has anything made, for it is asked
   * after a task has ended as well. Absent: nobody can tell, and the task ends as `outcome_unknown`.
   */
  find?(job: Job, signal: AbortSignal): Promise<JobOutcome | null>
  /** Tells the upstream to stop; true if it did. Best effort, once. */
  cancel?(receipt: Json, job: Job, signal: AbortSignal): Promise<boolean>
  /** Judges a call back to the address that was handed out as `job.callbackUrl`. Absent: this upstream signs nothing. */
  verify?(callback: Callback, signal: AbortSignal): Promise<Verdict>
  close?(): Promise<void>
}

/** What an upstream bears. An operator sets these otherwise with `<ID>_CONCURRENCY`, `<ID>_PER_MINUTE` and `<ID>_IMAGES_PER_MINUTE`. */
export interface ProviderLimits {
  /** Jobs the upstream has in the making for us at once, over all our processes; null for no limit. */
  concurrency: number | null
  /** Submissions a minute over all our processes; null for no limit. */
  perMinute: number | null
  /** Pictures asked for a minute over all our processes; absent or null for no limit. */
  imagesPerMinute?: number | null
  /** Said of `oneEach` by the house: a job of several takes as many places of `concurrency`. */
  countsCalls?: true
  /** Jobs one process may have in its hands at once (in-process models: how many fit). */
  perProcess: number | null
}

/** What the house hands a provider to work with. */
export interface Workshop {
  /** `fetch` with a deadline, a size cap and no private addresses out of an answer (`kit/fetch.ts`). */
  fetch: typeof globalThis.fetch
  log: { info(fields: object, message: string): void; warn(fields: object, message: string): void }
  now(): Date
  /** There is news of a task that waits (an upstream's own stream said so): the engine looks at it now, not when it is due. A hint. */
  nudge?(taskId: string): void
}

/**
 * A call for `plantain doctor` that costs nothing and that an upstream documents: whether it is there and takes our key. `tells` reads
 * what of its answer, a yes or a no, an operator wants to know (credits left), and says no where the status alone does not: HTTP 401 and 403
 * need no reading.
 */
export interface Probe {
  url: string
  headers: Record<string, string>
  /** @throws {Problem} `provider_not_configured` where the answer is a no */
  tells?(body: unknown): string | null
}

export interface Provider<Settings extends TObject = TObject> {
  id: string
  title: string
  /** Read from the environment as `<ID>_<SETTING>`; a provider with a required setting missing is not configured. */
  settings: Settings
  limits: ProviderLimits
  /** Seconds one answer may take to its last byte; 300 by default. More where the picture is made in the call, on slow machines. */
  answerWithinS?: number
  /**
   * What a lost answer means. `safe`: asking again with the same key costs nothing (in-process, or the upstream honours the key).
   * `find`: ask it what became of the key. `never`: the outcome is unknown, and only the caller may ask again.
   */
  repeat: 'safe' | 'find' | 'never'
  /** A call makes one picture, so an order of several becomes as many calls. Each of them counts against what the upstream bears at once and a minute. */
  oneEach?: true
  /** It makes text too. Without this it is never asked to write, whatever a card says. */
  writes?: true
  /** Absent: it documents no call that costs nothing. */
  probe?(settings: Static<Settings>): Probe
  connect(settings: Static<Settings>, workshop: Workshop): Connection
}

/** What keeps this from being a provider, in a sentence; null where nothing does. Asked at boot: the compiler does not see an operator's own folder. */
export function flawOf({ id, title, settings, limits, repeat, connect }: { [Part in keyof Provider]?: unknown }): string | null {
  if (typeof id !== 'string' || !/^[a-z][a-z0-9-]*$/.test(id)) return 'its id must be lower-case letters, digits and dashes, because its settings are named after it.'
  if (typeof title !== 'string' || title.trim() === '') return 'it needs a title for people.'
  if ((settings as { type?: unknown } | undefined)?.type !== 'object' || typeof (settings as { properties?: unknown }).properties !== 'object') return 'settings must be a schema of an object; use noSettings where there are none.'
  const known: Record<string, unknown> = typeof limits === 'object' && limits !== null ? { ...limits } : {}
  const unlimited = ['concurrency', 'perMinute', 'perProcess'].find(name => known[name] === undefined)
  if (unlimited) return `limits.${unlimited} is missing; null means no limit.`
  const wrong = Object.entries(known).find(([, limit]) => limit !== null && limit !== undefined && !(Number.isInteger(limit) && (limit as number) > 0))
  if (wrong) return `limits.${wrong[0]} must be a whole number above zero, or null.`
  if (repeat !== 'safe' && repeat !== 'find' && repeat !== 'never') return 'repeat must say what a lost answer means: safe, find or never.'
  return typeof connect === 'function' ? null : 'it has no connect.'
}

/** Declares a provider; its settings' types flow into `connect`. */
export const provider = <Settings extends TObject>(declared: Provider<Settings>): Provider<Settings> => declared

export const noSettings = Type.Object({})
