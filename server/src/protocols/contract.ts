/**
 * A protocol is a front door: a folder beside this file whose default export lists routes in one dialect.
 *
 * `wire.ts` reads a body into an `Order` and writes a `Task`; `refuse` says no in that dialect. A `Desk` is all it sees of the
 * house. Absent on purpose: the database, the engine, other doors, the clock (`desk.now()`).
 */
import type { Readable } from 'node:stream'
import type { TSchema } from 'typebox'
import type { Asset } from '../domain/asset.ts'
import type { Batch, BatchRow, BatchProblem, BatchSchedule, BatchScheduleChange, BatchScheduleOrder, BatchStanding, MadeRow, RowState } from '../domain/batch.ts'
import type { Caller, KeyLimits, RetiredModels, Scope } from '../domain/caller.ts'
import type { Card, CheckedOrder, DialectName } from '../domain/card.ts'
import type { StoredFile } from '../domain/file.ts'
import type { Baseline } from '../domain/graph/baseline.ts'
import type { Execution, ExecutionOrder, NodeRun, Pins, Plan, ReadyMade, Review, ReviewAnswer, Trigger, TriggerOrder, Workflow, WorkflowChange, WorkflowDraft, WorkflowVersion } from '../domain/graph/execution.ts'
import type { Graph, Item, NodeFace } from '../domain/graph/graph.ts'
import type { Lint } from '../domain/graph/lint.ts'
import type { Given } from '../domain/graph/values.ts'
import type { Order, Role } from '../domain/order.ts'
import type { Json } from '../domain/outcome.ts'
import type { Problem, StoredProblem } from '../domain/problem.ts'
import type { Alias, ModelRoutes, ProviderStanding, SetRoute } from '../domain/routing.ts'
import type { NewSession, Session, SessionChange, Turn, TurnOrder } from '../domain/session.ts'
import type { EventType, State, Task, TaskEvent } from '../domain/task.ts'
import type { Template, TemplateSource, TemplateStamp, TemplateVersion } from '../domain/template.ts'

export interface Page<T> { items: T[]; /** Hand it back as `after` for the next page; null on the last one. */ next: string | null }

export interface TaskFilter {
  after?: string | undefined
  limit: number
  states?: State[] | undefined
  model?: string | undefined
  operation?: string | undefined
  createdAfter?: Date | undefined
  createdBefore?: Date | undefined
  /** A pair of the task's metadata. */
  metadata?: Record<string, string> | undefined
  /** What the named template made; a version of it, where one is named. */
  template?: { slug: string; version: number | null } | undefined
}

/** Bytes on their way in. The house checks type by magic bytes, pixels before decoding, and caps while reading. */
export type Upload =
  | { bytes: Uint8Array; name?: string }
  | { stream: Readable; name?: string }
  | { base64: string; name?: string }
  | { dataUrl: string; name?: string }
  | { url: string; name?: string }

/** A file's bytes, or its base64, that are somebody else's again after `release`. Where a write of them may still be under way, they are left and not released. */
export type Lent = ({ bytes: Buffer; base64?: never } | { base64: Buffer; bytes?: never }) & { release(): void }

/** An asset's bytes on their way out. */
export interface OpenAsset {
  asset: Pick<Asset, 'sha256' | 'mime' | 'sizeBytes' | 'name'>
  stream(range?: { start: number; end: number }): Readable
  /** All of them, where they are in memory anyway. */
  lend?(): Lent | null
}

/** Bytes that are in the store and belong to nobody yet; those that nothing comes of are collected. */
export interface Taken { sha256: string; sizeBytes: number; /** The first few kilobytes, to tell what it is. */ head: Buffer }

export interface NewFile {
  purpose: string
  name?: string | undefined
  mime?: string | undefined
  /** Absent: by the rule of the house for what is uploaded. */
  expiresAt?: Date | null | undefined
  source?: StoredFile['source']
  /** It must be a picture or film that can be read; otherwise anything will do. */
  isPicture?: boolean
}

/** A file that is to come in several requests. */
export interface NewUpload extends Pick<NewFile, 'purpose' | 'name' | 'mime'> { /** As announced; null where nothing was. */ sizeBytes: number | null; /** Of the file. Null: by the rule of the house. */ expiresAt: Date | null }
/** An upload as its owner sees it. */
export interface BegunUpload { id: string; name: string | null; purpose: string; sizeBytes: number | null; createdAt: Date; expiresAt: Date; /** Once it has been completed. */ file: StoredFile | null }
/** Its parts in the order of the file, by their numbers. */
export interface CompleteUpload extends Pick<NewFile, 'isPicture'> { parts: number[]; md5?: string | undefined }
export interface UploadState { receivedBytes: number; sizeBytes: number | null; /** Once all of it is there. */ file: StoredFile | null }

export interface NewBatch {
  protocol: string
  /** Which call of the dialect every row is. */
  call: string
  /** Lines of JSON: in a file, or just taken in; those are looked through before the batch is made. */
  input: { fileId: string } | { taken: Taken }
  /** What has not been made after so many seconds is not made. */
  windowS: number
  options?: Record<string, Json>
  metadata?: Record<string, string>
  outputExpiresS?: number | undefined
  idempotencyKey?: string | undefined
  retryCount?: number | undefined
  name?: string | undefined
  callbackUrl?: string | undefined
  concurrency?: number | undefined
  budgetMaxMicros?: number | undefined
  /** Only to be checked: it waits for somebody who lets it run. */
  dryRun?: boolean
  /** The file the lines were made of. */
  fileId?: string | undefined
}

/** What stands around a row's request. */
export interface RowFrame { name: string | null; note?: Json; /** The model it names, where rows name one. */ model?: string | null }

/** What became of a row. `refusal` is the problem in the dialect's words, as the call itself would have answered. */
export type RowResult =
  | { kind: 'answered'; answer: Response; taskId: string }
  | { kind: 'refused'; problem: StoredProblem; refusal: Response; taskId: string | null }
  | { kind: 'cancelled' } | { kind: 'expired' }

/** A line of a result file: text, and bodies that are copied into it as they are. */
export interface WrittenRow { file: 'output' | 'error'; parts: (string | Response)[] }

/** A row as it stands in the input. */
export interface ReadRow { value: unknown; inline: Incoming['inline'] }

/** What checking a row brought: what it may cost, and what its making need not find out again. */
export interface CheckedRow { priceMinMicros: number; priceMaxMicros: number; note?: Json }

/** How batches are spoken in a dialect. The calls themselves do the work: they read a row and answer it as they would alone. */
export interface BatchWords extends Partial<ResultWords> {
  rowsMax: number
  /** Whether a row whose frame cannot be read fails the batch as a whole, or only itself. */
  badFrame: 'batch' | 'row'
  uniqueNames: boolean
  /** @throws {Problem} `bad_request` */
  readFrame(row: unknown, batch: Pick<Batch, 'call' | 'options'>): RowFrame
  /** A mistake in a row of a request, with its place (from 0). */
  atRow(index: number, message: string): string
  /**
   * Tries a row against everything that can be tried without buying, for dialects that want all rows checked before the first is bought.
   * `memory` lives as long as the reading of this batch. @throws {Problem} what is wrong with the row
   */
  check?(row: ReadRow, batch: Batch, desk: Desk, memory: Map<string, Promise<unknown>>): Promise<CheckedRow>
  /** Lets go of what checking took in for a batch that is refused. */
  forget?(memory: Map<string, Promise<unknown>>, desk: Desk): Promise<void>
  /** What is told of a row that is wrong. */
  tell?(problem: StoredProblem, number: number): BatchProblem[]
  /** Reads a row and submits it as the call would. @throws {Problem} what the call would be refused with */
  submit(row: ReadRow & { note: Json | null; number: number; turn: number; priceMicros: number | null }, batch: Batch, desk: Desk): Promise<unknown>
  /** Makes a batch of an order that was kept, for schedules. @throws {Problem} */
  begin?(body: Json, desk: Desk, idempotencyKey: string): Promise<Batch>
}

/** Words of dialects that hand out files of results. The others are asked row by row. */
export interface ResultWords {
  /** `purpose` of the result files; `internal` for those that are in no list. */
  resultPurpose(batch: Batch): string
  /** What the call would answer with. @throws {Problem} */
  answer(task: Task, batch: Batch, desk: Desk): Promise<Response>
  /** Whether the call answers a task that ended so, and does not refuse it. */
  isAnswer(problem: StoredProblem): boolean
  writeRow(row: BatchRow, result: RowResult, batch: Batch): WrittenRow
}

export interface Submitted { task: Task; /** True when an earlier call made it: one with the same `Idempotency-Key`, or the one this call repeats (`retryCount`). */ replayed: boolean }

export interface Balance { livemode: boolean; availableMicros: number; heldMicros: number; spentMicros: number }

export interface UsageRow { day: string; model: string; keyId: string | null; projectId: string; tasks: number; done: number; failed: number; chargedMicros: number }
export interface LedgerRow { id: number; kind: 'grant' | 'hold' | 'capture' | 'release' | 'adjust'; amountMicros: number; taskId: string | null; note: string | null; createdAt: Date }

export interface Key {
  id: string; name: string; prefix: string; livemode: boolean; scopes: Scope[]; limits: KeyLimits
  createdAt: Date; expiresAt: Date | null; revokedAt: Date | null; lastUsedAt: Date | null
}
export interface Project { id: string; name: string; retiredModels: RetiredModels; /** Whether orders are taken by template only. */ templatesOnly: boolean; createdAt: Date }
export interface ProjectChange { retiredModels?: RetiredModels; templatesOnly?: boolean }

export interface NewKey { name: string; livemode: boolean; scopes: Scope[]; expiresAt: Date | null; limits: KeyLimits }

export interface Endpoint {
  id: string; url: string; events: string[]; enabled: boolean; livemode: boolean; createdAt: Date
  /** `v1` HMAC secret as `whsec_…`: shown at creation and rotation only. */
  secret?: string
}
export interface Delivery {
  id: string; eventType: string; taskId: string | null; endpointId: string | null; url: string; style: string
  state: 'pending' | 'delivered' | 'parked'; attempts: number; dueAt: Date | null; createdAt: Date; deliveredAt: Date | null
  lastStatus: number | null; lastError: string | null
  log?: { number: number; at: Date; status: number | null; error: string | null; tookMs: number; answer: string | null }[]
}

/** What a door may ask of the workflows, bound to one caller. */
export interface WorkflowDesk {
  kinds(): NodeFace[]
  /** Workflows that come with the house; run as `ready:<slug>`, or saved with `create`. */
  readyMade(): ReadyMade[]
  lint(graph: Graph): Lint
  create(draft: WorkflowDraft): Promise<Workflow>
  /** By id or slug. */
  find(name: string): Promise<Workflow | null>
  list(filter: { limit: number; offset: number; active: boolean | null }): Promise<Workflow[]>
  count(active: boolean | null): Promise<number>
  /** How often workflows were run in the caller's mode, and when last. */
  tally(ids: string[]): Promise<Map<string, { count: number; lastAt: Date }>>
  change(id: string, change: WorkflowChange, revision: number | null): Promise<Workflow>
  remove(id: string): Promise<boolean>
  publish(id: string, name: string | null): Promise<WorkflowVersion>
  versions(id: string): Promise<WorkflowVersion[]>
  version(id: string, version: number | string): Promise<Required<WorkflowVersion> | null>
  /** Keeps what a workflow and those it calls stand for now, to be run later as they stood. `pins` has it under `workflowId`. @throws {Problem} `not_found`, `conflict` for one that is not active */
  pin(order: { workflowId: string; version?: number | null }): Promise<{ graph: Graph; pins: Pins }>
  /** What a run would do and cost. The run itself is begun with the same reckoning. */
  plan(order: ExecutionOrder): Promise<Plan>
  begin(order: ExecutionOrder): Promise<{ execution: Execution; replayed: boolean }>
  /** Begins executions that belong together (up to 200), all or none, under one key; a key of their own each is not looked at. */
  beginTogether(orders: ExecutionOrder[], idempotency: { key: string; body: string } | null): Promise<{ executions: Execution[]; replayed: boolean }>
  execution(id: string): Promise<Execution | null>
  executions(filter: { workflowId?: string | undefined; batchId?: string | undefined; limit: number; after?: string | undefined }): Promise<Execution[]>
  /** The runs of an execution, in the order of the graph and of the items. */
  runs(id: string, filter: { node?: string | undefined; state?: NodeRun['state'] | undefined; limit: number; offset: number }): Promise<NodeRun[]>
  graphOf(id: string): Promise<Graph | null>
  /** What whoever began an execution gave, by node and port. */
  givenTo(id: string): Promise<Given>
  /** The execution once it has ended or waits for a person, or as it stands after `waitMs`. */
  settled(id: string, waitMs: number, signal?: AbortSignal): Promise<Execution | null>
  cancel(id: string): Promise<Execution | null>
  /** Tries again what failed: everything, one node, or one item of it. @throws {Problem} `conflict` where nothing failed */
  resume(id: string, only: { node?: string; item?: Item; costMaxMicros?: number | null }): Promise<Execution | null>
  reviews(filter: { state: Review['state'] | null; executionId: string | null; limit: number; after: string | null }): Promise<Review[]>
  review(id: string): Promise<Review | null>
  answer(id: string, answer: ReviewAnswer, by: string): Promise<Review>
  /** Pictures under a name that comparisons are held against, by name; `waiting` for those with a proposal nobody has answered. */
  baselines(filter: { waiting: boolean; limit: number; after: string | null }): Promise<Baseline[]>
  baseline(name: string): Promise<Baseline | null>
  /** Makes a picture count at once. @throws {Problem} `not_found` where it is gone */
  setBaseline(name: string, assetId: string, by: string): Promise<Baseline>
  /** `seen` is the SHA-256 of the picture whoever decides was shown. @throws {Problem} `not_found`, `conflict` where nothing (or something else) is proposed */
  approveBaseline(name: string, seen: string | null, by: string): Promise<Baseline>
  rejectBaseline(name: string, seen: string | null, reason: string | null, by: string): Promise<Baseline>
  removeBaseline(name: string): Promise<boolean>
  triggers(workflowId: string): Promise<Trigger[]>
  /** `hook` is a webhook's address (its last part) and `secret` what its callers sign with: shown here only. */
  createTrigger(workflowId: string, order: TriggerOrder): Promise<{ trigger: Trigger; hook: string | null; secret: string | null }>
  changeTrigger(id: string, change: { enabled?: boolean; perMinute?: number; inputs?: Record<string, Json> }): Promise<Trigger>
  removeTrigger(id: string): Promise<boolean>
  rotateTrigger(id: string): Promise<{ trigger: Trigger; hook: string }>
  /** What a webhook's address opens, for strangers. @throws {Problem} `not_found` */
  hook(hook: string): Promise<{ workflow: Workflow; trigger: Trigger }>
  /** Runs what the address opens: `values` fill the inputs they name, by input, node or port; the rest is left aside. For strangers. @throws {Problem} `not_found`, `unauthorized`, `rate_limited` */
  fire(hook: string, call: { body: Uint8Array; signature: string | undefined; values: Record<string, Json>; idempotencyKey?: string; /** What a dialect wants of the execution besides. */ more?: Pick<ExecutionOrder, 'callbackUrl' | 'wire' | 'idempotencyBody' | 'graph' | 'force'> }): Promise<{ execution: Execution; replayed: boolean }>
  /** One review and its pictures for whoever holds its link. @throws {Problem} `not_found`, `link_expired` */
  byToken(token: string): Promise<{ review: Review; links: string[] }>
  answerByToken(token: string, answer: ReviewAnswer, by: string): Promise<Review>
  /** A link with which anybody who holds it may answer. */
  reviewLink(id: string, seconds: number): string
}

/** An order of a template, as it would be made. */
export interface RenderedOrder { order: Order; checked: CheckedOrder; /** What every variable came to. */ values: Record<string, Json> }

/** What a door may ask of the templates, bound to one caller. Writing a draft needs `tasks:write`; what others then get (publishing, labels, removing) `admin`. */
export interface TemplateDesk {
  find(slug: string): Promise<Template | null>
  list(filter: { after?: string | undefined; limit: number }): Promise<Page<Template>>
  create(draft: { slug: string; name: string; description?: string; source: TemplateSource }): Promise<Template>
  /** @throws {Problem} `not_found`, `conflict` when somebody has written since `revision` */
  change(slug: string, change: { name?: string; description?: string; source?: TemplateSource }, revision: number | null): Promise<Template>
  remove(slug: string): Promise<void>
  /** The draft as the next version; the newest one, where that says the same. */
  publish(slug: string, options: { note: string | null; label: string | null; revision: number | null }): Promise<TemplateVersion>
  versions(slug: string): Promise<TemplateVersion[]>
  version(slug: string, number: number): Promise<TemplateVersion | null>
  setLabel(slug: string, label: string, number: number): Promise<Template>
  removeLabel(slug: string, label: string): Promise<Template>
  /** Fills a template and checks and prices what comes of it, buying nothing. */
  render(order: Order): Promise<RenderedOrder>
}

/** What a door may ask of the editing sessions, bound to one caller. */
export interface SessionDesk {
  create(session: NewSession): Promise<Session>
  find(id: string): Promise<Session | null>
  list(filter: { after?: string | undefined; limit: number }): Promise<Page<Session>>
  change(id: string, change: SessionChange): Promise<Session>
  remove(id: string): Promise<void>
  /** With their tasks, in the order they were asked for. */
  turns(id: string): Promise<{ turn: Turn; task: Task }[]>
  /** Orders the next turn. @throws {Problem} as `submit`; `conflict` while another one is made and `from` names none */
  turn(id: string, order: TurnOrder): Promise<Submitted>
  undo(id: string): Promise<Session>
  redo(id: string): Promise<Session>
  branch(id: string, turn: string | null): Promise<Session>
  select(id: string, turn: string, output: number): Promise<Session>
}

/** A model as an order names it. */
export interface FoundModel {
  card: Card
  /** The name it was found by, where that is one of a dialect's; with `replaces`, still the retired card's. */
  name: DialectName | null
  /** The retired card that was named, where this one takes its place. */
  replaces?: Card
  /** The template that was named: `card` makes its pictures, and the order is filled when it is submitted. */
  template?: TemplateStamp
}

/** All a door sees of the house, bound to one caller. Everything it finds belongs to the caller's project and mode; foreign ids are simply not found. */
export interface Desk {
  caller: Caller
  now(): Date
  publicUrl: string
  /** Headers that every door's answer to this request gets, by what came up on the way: that another model makes it. */
  told: Map<string, string>

  /** Checks an order against its card and prices it, buying nothing. @throws {Problem} as `submit`, but never `credits_required`. */
  estimate(order: Order): Promise<CheckedOrder>
  /** Makes a task of an order, in one transaction with its hold. @throws {Problem} `unknown_model`, `unsupported_parameter`, `credits_required`, `rate_limited`, … */
  submit(order: Order): Promise<Submitted>
  /**
   * Submits and waits for the end, for doors that answer with the picture itself. When the caller goes away first, the task goes on
   * and is remembered as unanswered, so that the same call again finds it.
   */
  make(order: Order, options: { waitMs: number; signal: AbortSignal }): Promise<Submitted>
  /** The caller of this task went away before it was answered (streaming doors; `make` does it by itself). */
  unanswered(taskId: string): Promise<void>
  find(taskId: string): Promise<Task | null>
  list(filter: TaskFilter): Promise<Page<Task>>
  /** The task once it has ended, or as it stands after `waitMs` or when `signal` fires. @throws {Problem} `not_found` */
  settled(taskId: string, options: { waitMs: number; signal?: AbortSignal }): Promise<Task>
  /** Ends a task that has not ended and frees its slot at once; an ended one comes back as it is. @throws {Problem} `not_found` */
  cancel(taskId: string): Promise<Task>
  /** Events of the project (or one task) after an id, then live until `signal` fires; with `live: false` those there are now, then the end. */
  events(options: { taskId?: string; types?: EventType[]; after: number | null; signal: AbortSignal; live?: boolean }): AsyncIterable<TaskEvent>

  /** The in-between picture that a `task.progressed` event of an order with `partials` speaks of (`data.partial.index`); null for other events, or when it is gone. */
  partial(event: TaskEvent): Promise<{ index: number; bytes: Buffer; mime: string } | null>

  models: {
    all(): Card[]
    /** By any name, a template's too; with a dialect, by that dialect's names first. */
    find(name: string, dialect?: string): Promise<FoundModel | null>
    /** Whether a live key can have it made here: one of its providers is set up, and it is not retired. */
    isConfigured(card: Card): boolean
    /** What would make an order for this caller: as `find`, but in place of a retired card its replacement, where the project wants that. `name` stays the retired card's. */
    serving(name: string, dialect?: string): Promise<FoundModel | null>
  }

  assets: {
    /** A sound (WAV, MP3, Ogg, M4A) is taken only where `sounds` says so: no model is handed one. */
    keep(upload: Upload, options?: { sounds?: boolean }): Promise<Asset>
    find(assetId: string): Promise<Asset | null>
    list(filter: { after?: string | undefined; limit: number; kind?: 'input' | 'output' | undefined; taskId?: string | undefined }): Promise<Page<Asset>>
    /** @throws {Problem} `not_found`, `conflict` while a task that has not ended uses it */
    remove(assetId: string): Promise<void>
    open(asset: Asset): Promise<OpenAsset>
    /** A WebP of at most `side` pixels (64, 256, 512 or 1024), made once and kept. */
    thumbnail(asset: Asset, side: number): Promise<OpenAsset>
    /** An absolute link that needs no key: signed, good for `seconds`, ends in a proper file extension. */
    link(asset: Asset, options?: { seconds?: number; side?: number; download?: boolean }): string
    /** The asset a link of ours (any form: signed, expired, with or without key) points at; null for a foreign link. */
    resolveLink(url: string): Promise<Asset | null>
    /** What a signed link opens, for the public file route. @throws {Problem} `link_expired`, `not_found` */
    openLink(path: string, query: URLSearchParams): Promise<OpenAsset>
  }

  /** What was uploaded under a name of its own, or a batch wrote. The file of a picture is an asset too, under the same id. */
  files: {
    /** Takes bytes in, before it is known what they are for. @throws {Problem} `too_large`, `bad_request` */
    take(stream: Readable): Promise<Taken>
    /** The same with what a public address answers. @throws {Problem} as `take`, `input_unreachable`, `private_address` */
    fetch(url: string): Promise<Taken>
    /** Bytes that were taken in and belong to nobody yet. */
    openTaken(taken: Taken): Readable
    keep(taken: Taken, file: NewFile): Promise<StoredFile>
    /** A file, or an asset as one. */
    find(fileId: string): Promise<StoredFile | null>
    list(filter: { after?: string | undefined; limit: number; order?: 'asc' | 'desc' | undefined; purpose?: string | undefined }): Promise<Page<StoredFile>>
    /** @throws {Problem} `not_found`, `conflict` while a task that has not ended uses it */
    remove(fileId: string): Promise<void>
    open(file: StoredFile): Promise<OpenAsset>
    /** An upload in several requests; its id is all that is needed to go on with it, with or without a key. */
    begin(upload: NewUpload): Promise<string>
    /** @throws {Problem} `not_found` */
    progress(uploadId: string): Promise<UploadState>
    /** @throws {Problem} `not_found`, `conflict` with `receivedBytes` for bytes that are not the next ones, `bad_request`, `too_large` */
    append(uploadId: string, part: { from: number; stream: Readable; isLast: boolean }): Promise<UploadState>
    drop(uploadId: string): Promise<void>
    /** An upload of the caller's whose parts come in any order. @throws {Problem} `not_found` */
    upload(uploadId: string): Promise<BegunUpload>
    /** Adds a part whose place is said at the end: its number. @throws {Problem} `not_found`, `conflict` once it has been completed, `bad_request`, `too_large` */
    addPart(uploadId: string, part: Taken): Promise<number>
    /** Makes the file of these parts, in this order; once it has been made, gives it again. @throws {Problem} `not_found`, `bad_request` */
    complete(uploadId: string, order: CompleteUpload): Promise<StoredFile>
    /** Gives an upload up. @throws {Problem} `not_found`, `conflict` once it has been completed */
    cancel(uploadId: string): Promise<BegunUpload>
  }

  /** Batches of the caller's project, told apart by the door that made them; null for `protocol` means any. */
  batches: {
    /** @throws {Problem} `not_found` for the input file, `bad_request`, `too_large`, `idempotency_mismatch` */
    create(batch: NewBatch): Promise<{ batch: Batch; replayed: boolean }>
    find(protocol: string | null, batchId: string): Promise<Batch | null>
    /** Newest first; `before` asks for the page above an id. */
    list(filter: { protocol: string | null; after?: string | undefined; before?: string | undefined; limit: number }): Promise<Page<Batch>>
    /** Asks for its end: rows that wait are given up, those in the making end by themselves, executions are stopped. @throws {Problem} `not_found` */
    cancel(protocol: string | null, batchId: string): Promise<Batch>
    /** @throws {Problem} `not_found`, `conflict` while it has not ended */
    remove(protocol: string | null, batchId: string): Promise<void>
    standing(batch: Batch): Promise<BatchStanding>
    /** The batch as it stands, each time that changes; ends with its end. */
    follow(batchId: string, signal: AbortSignal): AsyncIterable<{ batch: Batch; standing: BatchStanding }>
    /** The batch once its rows have been looked through, or as it stands after `waitMs`. @throws {Problem} `not_found` */
    checked(batchId: string, options: { waitMs: number; signal?: AbortSignal }): Promise<Batch>
    /** Begins no more rows. @throws {Problem} `not_found`, `conflict` when it has ended */
    pause(batchId: string): Promise<Batch>
    /** Goes on, with another cap where one is given (null: none). @throws {Problem} `not_found`, `conflict` where it is not paused or the cap is used up */
    resume(batchId: string, options: { budgetMaxMicros?: number | null }): Promise<Batch>
    /** Tries rows again that ended so; what is done is not touched. @throws {Problem} `not_found`, `conflict` where there are none */
    retry(batchId: string, options: { states: RowState[]; budgetMaxMicros?: number | null }): Promise<Batch>
    /** Rows in order after a number, one more than `limit` where there are. @throws {Problem} `not_found` */
    rows(batchId: string, filter: { after: number; limit: number; states?: RowState[] | undefined }): Promise<MadeRow[]>
    schedules: {
      create(order: BatchScheduleOrder): Promise<BatchSchedule>
      find(id: string): Promise<BatchSchedule | null>
      list(filter: { after?: string | undefined; limit: number }): Promise<Page<BatchSchedule>>
      /** @throws {Problem} `not_found`, `bad_request` */
      change(id: string, change: BatchScheduleChange): Promise<BatchSchedule>
      /** @throws {Problem} `not_found` */
      remove(id: string): Promise<void>
    }
  }

  money: {
    balance(): Promise<Balance>
    usage(filter: { from: Date; to: Date }): Promise<UsageRow[]>
    ledger(filter: { after?: string | undefined; limit: number; taskId?: string | undefined }): Promise<Page<LedgerRow>>
  }

  /**
   * Answers a call that changes something once under its key (`Idempotency-Key`, 24 hours): whoever repeats it gets the first answer.
   *
   * `call` is method and path, `body` what must be the same. `handle` makes the answer; what it throws, and what `isKept` refuses, is not
   * kept, so that the next try is a first one. Work that must not be done twice has a key of its own as well: a process may die between
   * the work and its answer.
   *
   * @throws {Problem} `idempotency_mismatch` for another body, `idempotency_busy` while the first is under way for more than ten seconds
   */
  once(call: { key: string; call: string; body: string; isKept(answer: Response): boolean }, handle: () => Promise<Response>): Promise<{ answer: Response; replayed: boolean }>

  /** What a caller has to say, kept for the operator. @throws {Problem} `rate_limited` beyond ten an hour */
  feedback(said: { protocol: string; category: string; title: string; body: string; context: Json }): Promise<string>

  /** The caller's project. */
  project: {
    read(): Promise<Project>
    change(change: ProjectChange): Promise<Project>
  }

  keys: {
    create(key: NewKey): Promise<{ key: Key; secret: string }>
    list(): Promise<Key[]>
    revoke(keyId: string): Promise<Key>
  }

  workflows: WorkflowDesk

  templates: TemplateDesk

  sessions: SessionDesk

  webhooks: {
    create(endpoint: { url: string; events: string[] }): Promise<Endpoint>
    list(): Promise<Endpoint[]>
    find(endpointId: string): Promise<Endpoint | null>
    change(endpointId: string, change: { url?: string; events?: string[]; enabled?: boolean }): Promise<Endpoint>
    remove(endpointId: string): Promise<void>
    /** A new secret; the old one signs as well for `overlapHours`. */
    rotate(endpointId: string, overlapHours: number): Promise<Endpoint>
    /** Sends a `ping` event through the same machinery; the delivery tells what came of it. */
    ping(endpointId: string): Promise<Delivery>
    deliveries(filter: { after?: string | undefined; limit: number; endpointId?: string | undefined; taskId?: string | undefined; state?: Delivery['state'] | undefined }): Promise<Page<Delivery>>
    delivery(deliveryId: string): Promise<Delivery | null>
    redeliver(deliveryId: string): Promise<Delivery>
    /** The project's key for Kie's HMAC headers, in the caller's mode; null where none was made. `rotate` makes a new one, shown once. */
    kieKey(): Promise<{ created: Date } | null>
    rotateKieKey(): Promise<string>
    /** What verifies call backs asked for in a request (`whsec_…`). It can be read at any time, since there is no moment at which it is made. */
    callbackSecret(): Promise<string>
    /** What verifies pictures that a workflow publishes to an address; it goes with the secret of the call backs. */
    publishSecret(): Promise<string>
    /** A new one; the old one signs as well for `overlapHours`. */
    rotateCallbackSecret(overlapHours: number): Promise<string>
    /** Whether every message also carries an Ed25519 signature of the house (`v1a`), which the keys at `/.well-known/jwks.json` verify. */
    houseSignature(): Promise<boolean>
    changeHouseSignature(enabled: boolean): Promise<boolean>
  }

  /** Who makes what, for the whole house: for keys with the scope `operator`; only live ones change anything. Takes effect here at once, in other processes within a second. */
  routing: {
    models(): RoutedModel[]
    /** @throws {Problem} `not_found` */
    model(name: string): RoutedModel
    setRoutes(model: string, routes: SetRoute[]): Promise<RoutedModel>
    /** Back to what the card says. */
    resetRoutes(model: string): Promise<RoutedModel>
    providers(): ProviderStanding[]
    aliases(): Promise<Alias[]>
    /** @throws {Problem} `conflict` where a card has that name */
    setAlias(name: string, model: string): Promise<Alias>
    removeAlias(name: string): Promise<void>
  }
}

/** A model's routes as they count now, with how each provider stands. */
export interface RoutedModel extends Omit<ModelRoutes, 'routes'> { routes: (SetRoute & { configured: boolean; standing: 'ready' | 'busy' | 'down'; until: Date | null })[] }

/** A base64 string (or data URL) of a JSON body that was too long to be one: its bytes, decoded. */
export interface InlineUpload {
  /** `image/png` out of `data:image/png;base64,`; null for bare base64. */
  mime: string | null
  sizeBytes: number
  /** Hand it to `desk.assets.keep`. */
  upload: Upload
}

/** One request, parsed as far as the route asked for. */
export interface Incoming {
  method: string
  path: string
  params: Record<string, string>
  query: URLSearchParams
  headers: Record<string, string | undefined>
  /** The parsed JSON for `body: 'json'` and `'inline'` (undefined when none was sent), null otherwise. */
  body: unknown
  /**
   * For `body: 'inline'`: what a long string of the body stands for. Its characters never became a JavaScript string: they were decoded
   * on their way in and wait in a file until the request is answered. Null for text that is what it says.
   */
  inline(text: string): InlineUpload | null
  /** The raw bytes for `body: 'stream'`, null otherwise. */
  stream: Readable | null
  requestId: string
  /** Fires when the caller has gone. */
  signal: AbortSignal
}

export interface Route {
  method: 'GET' | 'POST' | 'PATCH' | 'PUT' | 'DELETE'
  /**
   * `/plantain/v1/tasks/:id`, `/files/*`: `:name` is one segment, `*` (last only, read as `params['*']`) the rest, `::` a colon.
   *
   * A verb behind a colon stands there as it is meant: `/v1beta/models/:model::generateContent` is asked as
   * `/v1beta/models/nano-banana:generateContent`, with `model` up to the last such colon. It is preferred to `/v1beta/models/:model`,
   * which takes whatever verb no route names. Doors that share an address (`claims`) write it in the same shape: `/v1/models/:a` and
   * `/v1/models/:b` are one, `/v1/models/*` is another and comes after both.
   */
  path: string
  /** Default `json` for POST, PATCH and PUT, `none` otherwise. `inline`: JSON that may carry megabytes of base64, which is decoded while it comes in. */
  body?: 'json' | 'inline' | 'stream' | 'none'
  /** Largest JSON body in bytes; default 2 MiB. */
  bodyMax?: number
  /** The key must have it; null needs no key at all (signed links, documents). */
  scope: Scope | null
  /** Counts towards requests a minute (default: every method but GET). */
  counts?: boolean
  /** For the OpenAPI page: what it is for, and the schemas of query, body and answer. */
  about?: { summary: string; description?: string; tag?: string; query?: TSchema; body?: TSchema; answer?: TSchema; status?: number }
  handle(request: Incoming, desk: Desk): Promise<Response>
}

export interface Protocol {
  id: string
  title: string
  routes: Route[]
  /** The secret of the caller's key out of this dialect's auth forms; null when none was sent. */
  readSecret(request: Pick<Incoming, 'headers' | 'query'>): string | null
  /** Says no in this dialect. `X-Request-Id` and rate headers are added by the house. */
  refuse(problem: Problem, request: Pick<Incoming, 'method' | 'path' | 'requestId'> & { /** Absent where there was no request to read them from. */ headers?: Incoming['headers'] }): Response
  /** How this dialect tells in headers how much of a limit is left. On every answer of a key that has one, beside `X-RateLimit-*`. `resetS` counts from now. */
  writeRate?(rate: { max: number; remaining: number; resetS: number }, now: Date): Record<string, string>
  /** Set where clients of the dialect find `X-RateLimit-*` on every answer: what they say where a key has no limit, or nobody knows whose it is. */
  rateMax?: number
  /** Which path prefixes belong to this door even where no route matches, so that 404 and 405 are said in its words too. */
  prefixes: string[]
  /**
   * Where several doors have the same method and path (`/v1/models`, `/v1/files`): is this request spoken in this dialect? By headers
   * and query only. The first door (by id) that claims it answers; a door without `claims` takes what nobody claims.
   */
  claims?(request: Pick<Incoming, 'headers' | 'query' | 'path'>): boolean
  /** How batches are spoken here, where they are. */
  batches?: BatchWords
  /** The body of a call back in this dialect, for tasks that were ordered here with a `callbackUrl`. Pure: the same ended task, the same bytes. */
  writeCallback?(task: Task, links: (asset: Asset) => string): string
  /** The same for executions that were begun here with a `callbackUrl`. */
  writeExecutionCallback?(execution: Execution, desk: Desk): Promise<string>
}

export const protocol = (declared: Protocol): Protocol => declared

export type { Role }
