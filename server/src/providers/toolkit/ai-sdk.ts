/**
 * Back doors that ask their upstream through a provider package of the AI SDK: one call of its own model object, with our `fetch` beneath it.
 *
 * The packages write and read the wire; everything that touches money stays ours. The core package (`ai`), which retries, polls and downloads
 * by itself, is not used: a model's `doGenerate` asks once, `doStart` begins a film and `doStatus` looks once. What became of a call is told
 * by what passed through our `fetch`, not by the package's error classes, which cannot tell a lost answer from a refused connection.
 * Packages are loaded when a provider is set up and asked for the first time, never when the house starts.
 */
import type { Experimental_VideoModelV4 as FilmModel, ImageModelV4, ImageModelV4File, SharedV4Warning } from '@ai-sdk/provider'
import { done, failed, wait } from '../../domain/outcome.ts'
import type { Json } from '../../domain/outcome.ts'
import { Problem } from '../../domain/problem.ts'
import type { Connection, Job, JobInput, JobOutcome, Made, Making, Workshop } from '../contract.ts'
import { before, gather, gravest, missingOnes, problemOf, shorten, silence, speaksOfPolicy, tellOperator, unknown, unreached, type Asked } from '../toolkit.ts'
import { isLost, miss, see } from './missing.ts'
import { readRetryAfter } from '../../kit/fetch.ts'
import { failedAgain, failure, storeFailed, type Failed, type Failure } from './parts.ts'
import { readRefusal, type Named } from './refusal.ts'

/** A model of any of the specification's lines: older packages still speak the third. */
export interface PictureModel {
  readonly maxImagesPerCall: ImageModelV4['maxImagesPerCall']
  doGenerate(options: Parameters<ImageModelV4['doGenerate']>[0]): PromiseLike<{ images: string[] | Uint8Array[]; warnings: SharedV4Warning[] | object[]; providerMetadata?: object; isRetryable?: boolean }>
}

/** A job in the specification's words; `options` are the package's own, under its key. */
export interface Written {
  call: { size?: `${number}x${number}`; aspectRatio?: `${number}:${number}`; seed?: number; duration?: number; generateAudio?: boolean }
  options: Record<string, Json>
  warnings: string[]
}

/** A job as a `write` sees it: with the pixels the card worked out. */
export type Shaped = Asked & Pick<Job, 'width' | 'height'>

export interface Upstream extends Named {
  id: string
  /** The package's key for options of its own. */
  optionsKey: string
  /** Writes a job, before any picture is read. @throws {Problem} for what this upstream cannot honour */
  write(job: Shaped): Written
  /** Cuts warnings of the package that would mislead. */
  untrue?: RegExp
  /** What has to be there before a call can be made, a token for example. @throws {Problem} */
  ready?(signal: AbortSignal): Promise<unknown>
  /** What it says it took from us for a call, in micro-dollars; null where it does not say. */
  costOf?(metadata: Record<string, unknown>): number | null
}

/** Names a writer's fields go by in the specification; the rest are options of the package. */
const specified = new Set(['size', 'aspectRatio', 'seed', 'duration', 'generateAudio'])

/** Sorts what handlings sent (`writeParameters`) into the specification's fields and the package's own. */
export function sortFields({ fields, warnings }: { fields: Record<string, Json>; warnings: string[] }): Written {
  const of = (mine: boolean) => Object.fromEntries(Object.entries(fields).filter(([name]) => specified.has(name) === mine))
  return { call: of(true) as Written['call'], options: of(false) as Written['options'], warnings }
}

/** Roles that say how a picture is meant, where an upstream takes a plain list. */
const meant = new Set(['character', 'object', 'style'])

/**
 * Checks the pictures of a job against what an upstream takes: so many in a list, and a mask or none.
 *
 * @throws {Problem} `unsupported_parameter`, `bad_request`
 */
export function takeInputs({ inputs, model }: Asked, title: string, { max, mask = false }: { max: number; mask?: boolean }): string[] {
  const no = (message: string, value: Json, allowed?: Json) => new Problem('unsupported_parameter', message, { field: 'inputs', value, ...(allowed === undefined ? {} : { allowed }) })
  const unfit = inputs.find(({ role }) => role === 'video' || role === 'first_frame' || role === 'last_frame' || (role === 'mask' && !mask))
  if (unfit) throw no(`${title} takes no ${unfit.role} for ${model}.`, unfit.role)
  const masks = inputs.filter(({ role }) => role === 'mask').length
  const pictures = inputs.length - masks
  if (pictures > max) throw no(`${title} takes ${max === 0 ? 'no' : `at most ${max}`} ${max === 1 ? 'picture' : 'pictures'} for ${model}, not ${pictures}.`, pictures, { max })
  if (masks > 1) throw no(`${title} takes one mask, not ${masks}.`, 'mask')
  if (masks > 0 && pictures === 0) throw new Problem('bad_request', 'A mask needs a picture to lie on. Add one to inputs.', { field: 'inputs' })
  return inputs.some(({ role }) => meant.has(role)) ? [`The roles of the pictures were not passed on: ${title} takes a plain list. Say in the prompt what each is for.`] : []
}

const quotient = (ratio: string): number => { const [width, height] = ratio.split(':').map(Number); return width! / height! }

/** What the house's `auto` is for an upstream without one: the ratio nearest to the first picture's, square without a picture. */
export function nearestRatio(ratios: string[], { inputs: [first] }: Asked): string {
  const wide = first?.width && first.height ? first.width / first.height : 1
  return ratios.reduce((best, one) => Math.abs(Math.log(quotient(one) / wide)) < Math.abs(Math.log(quotient(best) / wide)) ? one : best)
}

/** What passed through `fetch` last: the truth about a call, whatever a package makes of it. */
type Heard = { kind: 'nothing' } | { kind: 'threw'; thrown: unknown } | { kind: 'answered'; status: number; retryAfterMs: number | null; /** Of a refusal; undefined where it was no JSON. */ body: unknown }

/** Our `fetch`, listened to. The body of a refusal is read here, and handed on. */
function listen(fetch: typeof globalThis.fetch, now: () => Date): { fetch: typeof globalThis.fetch; last(): Heard } {
  let heard: Heard = { kind: 'nothing' }
  return {
    last: () => heard,
    async fetch(input, init) {
      let response: Response
      try {
        response = await fetch(input, init)
        heard = { kind: 'answered', status: response.status, retryAfterMs: readRetryAfter(response.headers, now()), body: undefined }
        if (response.ok) return response
        const text = await response.text()
        heard.body = parse(text)
        return new Response(text, { status: response.status, headers: response.headers })
      } catch (thrown) {
        heard = { kind: 'threw', thrown }
        throw thrown
      }
    },
  }
}

const parse = (text: string): unknown => { try { return JSON.parse(text) } catch { return undefined } }

/** What a call that brought nothing means. Only a refusal in the upstream's own words says that nothing was begun. */
export function readFailure(thrown: unknown, heard: Heard, { title, setting }: Named): Failure {
  switch (heard.kind) {
    case 'nothing':
      // The package would not even ask: its sentence says what it misses. Nothing was asked either where we were stopped just before.
      if (isStopped(thrown)) return failure(new Problem('provider_down', `This was stopped before ${title} was asked.`, { reached: false }))
      return failure(thrown instanceof Problem ? thrown : new Problem('unsupported_parameter', `${title} cannot be asked for this: ${shorten(messageOf(thrown))}`, { cause: thrown }))
    case 'threw':
      return failure(silence(heard.thrown).kind === 'unreached' ? unreached(title) : unknown(title))
    case 'answered': return heard.status < 400 ? readUnmade(thrown, title) : readRefusal(heard, { title, setting })
  }
}

const isStopped = (thrown: unknown): boolean => thrown instanceof Error && (thrown.name === 'AbortError' || thrown.name === 'TimeoutError') || typeof thrown === 'string'

/**
 * An answer came and there is nothing in it: blocked, or not all there.
 *
 * Only a package's own sentences are read. What it says of an answer it could not parse quotes that answer, and a prompt in it may speak of anything.
 */
function readUnmade(thrown: unknown, title: string): Failure {
  if (thrown instanceof Error && thrown.name.startsWith('AI_')) return failure(unknown(title, '200'))
  const message = messageOf(thrown)
  if (speaksOfPolicy(message) || /moderat/i.test(message)) return failure(new Problem('content_rejected', `${title} refused this: ${shorten(message)}`, { upstreamCode: '200' }))
  if (/no images|without an image/i.test(message)) return failure(new Problem('bad_output', `${title} answered without a picture.`, { upstreamCode: '200' }))
  return failure(unknown(title, '200'))
}

const messageOf = (thrown: unknown): string => thrown instanceof Error ? thrown.message : String(thrown)

/** Says what a package found odd, in a sentence. */
function tellWarnings(warnings: readonly object[], untrue?: RegExp): string[] {
  return (warnings as { type?: string; feature?: string; details?: string; message?: string }[]).flatMap(({ type, feature, details, message }) => {
    const text = message ?? (feature ? `${feature} was not honoured${details ? `: ${details}` : '.'}` : type ?? '')
    return text === '' || untrue?.test(text) ? [] : [shorten(text)]
  })
}

const filesOf = (inputs: JobInput[], bytes: Buffer[]) => inputs.map(({ mime }, index): ImageModelV4File => ({ type: 'file', mediaType: mime, data: new Uint8Array(bytes[index]!) }))

/** Every picture is read, and everything refused that can be, before anybody is asked. */
async function prepare(upstream: Upstream, job: Job, signal: AbortSignal): Promise<Written & { files: ImageModelV4File[]; mask: ImageModelV4File | undefined }> {
  const written = upstream.write(job)
  const pictures = job.inputs.filter(({ role }) => role !== 'mask')
  const masks = job.inputs.filter(({ role }) => role === 'mask')
  const [files, [mask]] = [filesOf(pictures, await Promise.all(pictures.map(input => input.read()))), filesOf(masks, await Promise.all(masks.map(input => input.read())))]
  await upstream.ready?.(signal)
  return { ...written, files, mask }
}

/** Calls of at most so many pictures each. */
const split = (count: number, max: number): number[] => Array.from({ length: Math.ceil(count / max) }, (_, index) => Math.min(max, count - index * max))

/** Asks for pictures: as many calls beside each other as the model needs for the count. */
export function connectPictures(upstream: Upstream, open: (model: string, fetch: typeof globalThis.fetch) => Promise<PictureModel>, { fetch, now, log }: Workshop): Connection {
  const ask = async (job: Job, prepared: Awaited<ReturnType<typeof prepare>>, n: number, index: number, signal: AbortSignal): Promise<JobOutcome> => {
    const listening = listen(fetch, now)
    try {
      const model = await open(job.model, listening.fetch)
      const { call, options, files, mask } = prepared
      const result = await model.doGenerate({
        prompt: job.prompt, n, size: call.size, aspectRatio: call.aspectRatio, seed: call.seed === undefined ? undefined : (call.seed + index) % 2_147_483_648, files: files.length > 0 ? files : undefined, mask,
        providerOptions: { [upstream.optionsKey]: options }, headers: {}, abortSignal: signal,
      })
      return readMade(result, upstream)
    } catch (thrown) {
      return failed(...problemOf(readFailure(thrown, listening.last(), upstream)))
    }
  }
  return {
    async submit(job, signal) {
      const prepared = await before(signal, async () => {
        const ready = await prepare(upstream, job, signal)
        signal.throwIfAborted()
        const max = (await open(job.model, fetch)).maxImagesPerCall
        return { ...ready, max: typeof max === 'number' ? max : 1 }
      })
      if ('stopped' in prepared) return tellOperator(prepared.stopped, upstream.id, log)
      const calls = split(job.count, prepared.value.max)
      let first = 0
      const outcomes = await Promise.all(calls.map(n => { const index = first; first += n; return ask(job, prepared.value, n, index, signal) }))
      return tellOperator(withWarnings(gather(outcomes, mergeMakings), prepared.value.warnings), upstream.id, log)
    },
  }
}

function readMade({ images, warnings, providerMetadata, isRetryable }: Awaited<ReturnType<PictureModel['doGenerate']>>, { id, title, optionsKey, untrue, costOf }: Upstream): JobOutcome {
  const made = (images as (string | Uint8Array)[]).map((image): Made => ({ bytes: typeof image === 'string' ? Buffer.from(image, 'base64') : image }))
  if (made.length === 0) {
    // So a package says that the upstream's filter stopped it.
    return failed(isRetryable === false ? new Problem('content_rejected', `${title} refused this prompt, or would not show what it made.`, { upstreamCode: '200' }) : new Problem('bad_output', `${title} answered without a picture.`, { upstreamCode: '200' }))
  }
  const metadata = (providerMetadata as Record<string, unknown> | undefined)?.[optionsKey] as Record<string, unknown> | undefined
  const cost = metadata && costOf ? costOf(metadata) : null
  return done({ made, warnings: tellWarnings(warnings, untrue), ...(metadata ? { details: { [id]: metadata as Json } } : {}), ...(cost === null ? {} : { costMicros: cost }) })
}

/** Several answers as one: everything that was made, details in a list, costs added up where each call told one. */
export function mergeMakings(makings: Making[]): Making {
  const names = [...new Set(makings.flatMap(({ details }) => Object.keys(details ?? {})))]
  const costs = makings.flatMap(({ costMicros }) => costMicros === undefined ? [] : [costMicros])
  return {
    made: makings.flatMap(({ made }) => made),
    warnings: [...new Set(makings.flatMap(({ warnings = [] }) => warnings))],
    ...(names.length > 0 ? { details: Object.fromEntries(names.map(name => [name, makings.flatMap(({ details }) => details?.[name] === undefined ? [] : [details[name]])])) } : {}),
    ...(costs.length === makings.length ? { costMicros: costs.reduce((sum, one) => sum + one, 0) } : {}),
  }
}

function withWarnings(outcome: JobOutcome, warnings: string[]): JobOutcome {
  return outcome.kind !== 'done' || warnings.length === 0 ? outcome : { ...outcome, value: { ...outcome.value, warnings: [...warnings, ...outcome.value.warnings ?? []] } }
}

type Ended = { made: { url: string }[]; metadata: Json | null } | { failed: Failed }
interface FilmPart { operation: Json; ended?: Ended; missingSince?: number }
interface FilmReceipt { id: string; model: string; parts: FilmPart[]; refused: Failed[]; warnings: string[] }

/** Begins films and looks at them. One operation makes one film; the receipt is the package's own, which is plain JSON. */
export function connectFilms(upstream: Upstream, open: (model: string, fetch: typeof globalThis.fetch) => Promise<FilmModel>, { fetch, now, log }: Workshop): Required<Pick<Connection, 'submit' | 'poll'>> {
  const begin = async (job: Job, { call, options, files }: Awaited<ReturnType<typeof prepare>>, index: number, signal: AbortSignal) => {
    const listening = listen(fetch, now)
    try {
      const model = await open(job.model, listening.fetch)
      const pictures = job.inputs.filter(({ role }) => role !== 'mask').map(({ role }, at) => ({ role, file: files[at]! }))
      const ends = pictures.flatMap(({ role, file }) => role === 'first_frame' || role === 'last_frame' ? [{ image: file, frameType: role } as const] : [])
      const references = pictures.flatMap(({ role, file }) => role === 'first_frame' || role === 'last_frame' ? [] : [file])
      const started = await model.doStart!({
        prompt: job.prompt, n: 1, aspectRatio: call.aspectRatio, resolution: undefined, duration: call.duration, fps: undefined, seed: call.seed === undefined ? undefined : (call.seed + index) % 2_147_483_648, image: undefined,
        frameImages: ends.length > 0 ? ends : undefined, inputReferences: references.length > 0 ? references : undefined, generateAudio: call.generateAudio,
        providerOptions: { [upstream.optionsKey]: options }, headers: {}, abortSignal: signal,
      })
      return { operation: started.operation as Json, warnings: tellWarnings(started.warnings, upstream.untrue) }
    } catch (thrown) {
      return { failure: readFailure(thrown, listening.last(), upstream) }
    }
  }

  const look = async (model: string, { operation, missingSince }: FilmPart, signal: AbortSignal): Promise<Ended | 'missing' | null> => {
    const listening = listen(fetch, now)
    try {
      await upstream.ready?.(signal)
      const answer = await (await open(model, listening.fetch)).doStatus!({ operation, abortSignal: signal } as Parameters<NonNullable<FilmModel['doStatus']>>[0])
      switch (answer.status) {
        case 'pending': return null
        case 'error': return { failed: storeFailed(new Problem(speaksOfPolicy(answer.error) ? 'content_rejected' : 'provider_failed', `${upstream.title}: ${shorten(answer.error)}`)) }
        case 'completed': return { made: answer.videos.flatMap(readFilm), metadata: (answer.providerMetadata?.[upstream.optionsKey] ?? null) as Json }
      }
    } catch (thrown) {
      const heard = listening.last()
      // A look that fails says nothing of the film, unless the upstream says that it knows of none, or that it has nothing to show.
      if (heard.kind !== 'answered') return null
      if (heard.status === 404) return isLost({ missingSince }, now().getTime()) ? { failed: storeFailed(new Problem('provider_failed', `${upstream.title} knows nothing of this film any more.`, { upstreamCode: '404' })) } : 'missing'
      return heard.status < 300 && /no (valid )?videos/i.test(messageOf(thrown)) ? { failed: storeFailed(new Problem(speaksOfPolicy(messageOf(thrown)) ? 'content_rejected' : 'bad_output', `${upstream.title} ended without a film.`)) } : null
    }
    return null
  }

  return {
    async submit(job, signal) {
      const prepared = await before(signal, async () => { const ready = await prepare(upstream, job, signal); await open(job.model, fetch); signal.throwIfAborted(); return ready })
      if ('stopped' in prepared) return tellOperator(prepared.stopped, upstream.id, log)
      const begun = await Promise.all(Array.from({ length: job.count }, (_, index) => begin(job, prepared.value, index, signal)))
      const parts = begun.flatMap(one => one.operation === undefined ? [] : [{ operation: one.operation }])
      const failures = begun.flatMap(one => one.failure ? [one.failure] : [])
      if (parts.length === 0) return tellOperator(failed(...problemOf(gravest(failures))), upstream.id, log)
      const warnings = [...new Set([...prepared.value.warnings, ...begun.flatMap(one => one.warnings ?? [])])]
      return wait({ id: nameOf(parts[0]!.operation), model: job.model, parts, refused: failures.map(({ problem }) => storeFailed(problem)), warnings } satisfies FilmReceipt as unknown as Json)
    },
    async poll(stored, job, signal) {
      const receipt = stored as unknown as FilmReceipt
      const parts = await Promise.all(receipt.parts.map(async part => {
        // Links that have expired are of no use: every film is looked at anew.
        const { ended, ...open } = part
        if (ended && !(job.fresh && 'made' in ended)) return part
        const looked = await look(receipt.model, open, signal)
        if (looked === 'missing') return miss<FilmPart>(open, now().getTime())
        return looked ? { ...open, ended: looked } : see<FilmPart>(open)
      }))
      // A receipt stands in a row: films that came inline are looked at once more when the last one has ended.
      const keepable = parts.map(part => isInline(part.ended) ? { operation: part.operation } : part)
      if (parts.some(({ ended }) => !ended)) return wait({ ...receipt, parts: keepable } as unknown as Json)
      return endFilms({ ...receipt, parts }, job, upstream)
    },
  }
}

const nameOf = (operation: Json): string => typeof operation === 'object' && operation !== null ? String(Object.values(operation)[0]) : String(operation)

const isInline = (ended: Ended | undefined): boolean => ended !== undefined && 'made' in ended && ended.made.some(({ url }) => url.startsWith('data:'))

type Video = Extract<Awaited<ReturnType<NonNullable<FilmModel['doStatus']>>>, { status: 'completed' }>['videos'][number]
const readFilm = (video: Video): { url: string }[] => {
  switch (video.type) {
    case 'url': return [{ url: video.url }]
    // Kept at the upstream, where we were not asked to leave it.
    case 'uploaded': return []
    case 'base64': case 'binary': return [{ url: `data:${video.mediaType};base64,${video.type === 'base64' ? video.data : Buffer.from(video.data).toString('base64')}` }]
  }
}

function endFilms({ id, parts, refused, warnings }: FilmReceipt, job: Job, { id: provider, costOf }: Upstream): JobOutcome {
  const ended = parts.map(part => part.ended!)
  const problems = [...ended.flatMap(one => 'failed' in one ? [one.failed] : []), ...refused].map(failedAgain)
  const films = ended.flatMap(one => 'made' in one ? one.made : [])
  if (films.length === 0) return failed(problems.length > 0 ? gravest(problems.map(problem => failure(problem))).problem : new Problem('bad_output', 'It ended without a film.'))
  const metadata = ended.flatMap(one => 'made' in one && one.metadata ? [one.metadata] : [])
  const costs = metadata.flatMap(one => { const cost = costOf?.(one as Record<string, unknown>); return typeof cost === 'number' ? [cost] : [] })
  return done({
    made: films.map(({ url }): Made => {
      const inline = /^data:([^;]+);base64,/.exec(url)
      return inline ? { bytes: Buffer.from(url.slice(inline[0].length), 'base64'), mime: inline[1]! } : { url }
    }),
    upstreamId: id, warnings: [...warnings, ...missingOnes(problems, job.count)], ...(metadata.length > 0 ? { details: { [provider]: metadata } } : {}),
    ...(costs.length > 0 && costs.length === metadata.length ? { costMicros: costs.reduce((sum, one) => sum + one, 0) } : {}),
  })
}
