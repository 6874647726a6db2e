/**
 * What an upstream made, on its way to the caller: bytes into the store first, then the settlement that says so.
 *
 * What came is held against what was asked, and what it cost is worked out, for what could be kept and for what could not. Links that
 * have expired get fresh ones once, where the upstream can be asked. Nothing here leads to a second purchase.
 */
import type { StoredBlob } from '../domain/asset.ts'
import type { Json } from '../domain/outcome.ts'
import { asProblem, Problem, problems, storeProblem } from '../domain/problem.ts'
import { pollMs } from '../domain/task.ts'
import type { Cost, Took } from '../domain/usage.ts'
import { costOf, costsOf } from '../catalog/cost.ts'
import { chargeFor, listAt, pricingOf } from '../catalog/price.ts'
import type { Making } from '../providers/contract.ts'
import { askingOf, type TaskRow } from './rows.ts'
import type { Settlement } from './settle.ts'
import type { StepTools } from './step.ts'

/** How often links of finished work are tried again before the task fails. */
const fetchesMax = 5

export type Stored = { blobs: StoredBlob[] } | { problem: Problem }

/** Puts what was made into the store. */
export async function storeMaking(row: Pick<TaskRow, 'id' | 'model' | 'operation'>, making: Making, tools: Pick<StepTools, 'findCard' | 'storeMade' | 'log'>): Promise<Stored> {
  const isText = row.operation === 'write'
  const kind = tools.findCard(row.model)?.output.kind === 'video' && row.operation === 'video' ? 'video' : 'image'
  const blobs: StoredBlob[] = []
  try {
    if (countMade(row, making) === 0) throw new Problem('bad_output', isText ? 'The upstream answered without a text.' : 'The upstream answered without a picture.')
    // A text stands in the task's row; whatever else came with it was not asked for.
    if (isText) return { blobs }
    for (const one of making.made) blobs.push(await tools.storeMade(one, { kind }))
    return { blobs }
  } catch (thrown) {
    const problem = asProblem(thrown)
    if (problem.code === 'internal') tools.log.error({ taskId: row.id, error: thrown }, 'an output could not be stored')
    return { problem }
  }
}

/** How many of what was asked for came: pictures or films, or the one text. */
export const countMade = ({ operation }: Pick<TaskRow, 'operation'>, { made, text = '' }: Making): number => operation !== 'write' ? made.length : text.trim() === '' ? 0 : 1

/** It is made: what becomes of the task. */
export async function settleMaking(row: TaskRow, making: Making, tools: StepTools): Promise<Settlement> {
  const stored = await storeMaking(row, making, tools)
  const common = { id: row.id, turn: row.turn }
  const made = countMade(row, making)
  if ('problem' in stored) {
    const { problem } = stored
    const from = askingOf(row.receipt)
    const links = hasOnlyLinks(making)
    if (links && problems[problem.code].again !== 'no' && row.polls < fetchesMax && problem.code !== 'internal') {
      // Made and paid, only not fetched: come back for the links, never for the making.
      return { ...common, state: 'waiting', dueAt: new Date(tools.now().getTime() + pollMs(row.polls, tools.chance())), receipt: { kind: 'fetch', making: making as unknown as Json, from }, attemptOutcome: null }
    }
    if (problem.code === 'output_expired' && from !== null && !from.fresh) {
      return { ...common, state: 'waiting', dueAt: tools.now(), receipt: { ...from, fresh: true }, attemptOutcome: null }
    }
    return { ...common, state: 'failed', attemptOutcome: 'failed', chargedMicros: 0, problem: storeProblem(problem), cost: costFor(row, making, made, tools) }
  }
  return {
    ...common, state: 'done', attemptOutcome: 'done', ...resultOf(row, making, stored.blobs, tools),
    chargedMicros: chargeFor({ priceMicros: row.price_micros, asked: row.count, made, usage: making.usage, tokens: soldBy(row, tools) }),
    cost: costFor(row, making, made, tools),
  }
}

/** Made, and still to be fetched. */
export const hasOnlyLinks = ({ made }: Making): boolean => made.length > 0 && made.every(one => 'url' in one)

/** What a task shows of what was made for it. */
export function resultOf(row: TaskRow, making: Making, blobs: StoredBlob[], tools: Pick<StepTools, 'outputExpiry' | 'now'>) {
  const expiresAt = tools.outputExpiry(row, tools.now())
  const seeds = making.made.map(made => made.seed ?? null)
  const came = countMade(row, making)
  const short = came < row.count ? [`${came} of ${row.count} pictures were made; only those are charged.`] : []
  return {
    outputs: blobs.map((blob, position) => ({ blob, name: `${row.model}-${row.id.slice(-8)}-${position + 1}.${extensionOf(blob.mime)}`, expiresAt })),
    text: making.text ?? null, upstreamId: making.upstreamId ?? null, progress: 100,
    details: { ...making.details, ...(seeds.some(seed => seed !== null) ? { seeds } : {}) },
    warnings: [...making.warnings ?? [], ...differencesOf(row, blobs), ...short],
  }
}

/** Token prices a model is sold by, as they were when it was ordered. */
const soldBy = (row: TaskRow, { findCard }: Pick<StepTools, 'findCard'>) => {
  const card = findCard(row.model)
  return card && card.prices.length > 0 ? listAt(card.prices, row.created_at).tokens : undefined
}

type Costing = Pick<StepTools, 'findCard' | 'now' | 'accountOf'>

/** What an attempt at a task cost us. */
export function costFor(row: TaskRow, took: Took, made: number, { findCard, now, accountOf }: Costing): Cost {
  const card = findCard(row.model)
  const costs = card ? costsOf(card, { provider: row.provider, model: row.upstream_model }, accountOf) : undefined
  const { count: _, ...pricing } = pricingOf(card ?? { output: { kind: 'image', countMax: 1 } }, row, now())
  return costOf(costs, { ...pricing, took, made })
}

/** What an attempt cost that ended without anything; undefined where it surely cost nothing. */
export function costOfFailure(row: TaskRow, problem: Problem, took: Took | undefined, tools: Costing): Cost | undefined {
  if (took === undefined && problems[problem.code].bought === 'no') return undefined
  // An upstream that made it and does not hand it out was paid for it all the same.
  return costFor(row, took ?? {}, problem.code === 'output_expired' ? row.count : 0, tools)
}

const formats: Record<string, string> = { png: 'image/png', jpeg: 'image/jpeg', jpg: 'image/jpeg', webp: 'image/webp', gif: 'image/gif', avif: 'image/avif' }

/** What is different from what was asked, as sentences. What the caller left to the upstream (`auto`) is never different. */
export function differencesOf({ width, height, parameters }: Pick<TaskRow, 'width' | 'height' | 'parameters'>, blobs: Pick<StoredBlob, 'width' | 'height' | 'mime' | 'seconds'>[]): string[] {
  const isOpen = parameters.size === 'auto' || parameters.size === undefined && parameters.aspect_ratio === 'auto'
  const sizes = isOpen || width === null || height === null ? [] : blobs.flatMap(blob =>
    blob.width !== null && blob.height !== null && (blob.width !== width || blob.height !== height) ? [`${width}x${height} was asked and ${blob.width}x${blob.height} was made.`] : [])
  const { output_format: format } = parameters
  const mime = typeof format === 'string' ? formats[format] : undefined
  const mimes = mime === undefined ? [] : blobs.flatMap(blob => blob.mime !== mime ? [`${String(format)} was asked and ${blob.mime} was made; the file is kept as it came.`] : [])
  // Films are cut to whole pictures: half a second is no difference.
  const { duration_s: wanted } = parameters
  const lengths = typeof wanted !== 'number' ? [] : blobs.flatMap(({ seconds }) => seconds !== undefined && Math.abs(seconds - wanted) > 0.5
    ? [`${wanted} s were asked and ${Math.round(seconds * 10) / 10} s were made.`] : [])
  return [...new Set([...sizes, ...mimes, ...lengths])]
}

const extensions: Record<string, string> = { 'image/png': 'png', 'image/jpeg': 'jpg', 'image/webp': 'webp', 'image/gif': 'gif', 'image/avif': 'avif', 'video/mp4': 'mp4', 'video/webm': 'webm', 'video/quicktime': 'mov' }
const extensionOf = (mime: string) => extensions[mime] ?? 'bin'
