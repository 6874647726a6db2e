import type { Operation, Role } from './order.ts'
import type { Json } from './outcome.ts'
import type { TemplateStamp } from './template.ts'

/** A JSON Schema (draft 2020-12), as data. */
export type JsonSchema = { [key: string]: Json }

/** What may be sold by the piece. */
export const units = ['image', 'megapixel', 'second', 'video', 'run', 'tokens'] as const

/** What a model is, and what comes out of it. */
export const kinds = ['image', 'video', 'tool', 'procedural', 'text'] as const
export const outputKinds = ['image', 'video', 'text'] as const

/** One row of a price list. `when` names parameter values that must all match; the first matching row counts. */
export interface PriceRow {
  when?: Record<string, Json>
  micros: number
  /**
   * What one price buys: a picture, each 1024 x 1024 pixels of one, a second or a whole film, or the run however many came out. `tokens`: the
   * most tokens a call may take, at the list's prices of tokens; `micros` is what it costs beside them (docs/decisions/0011).
   */
  per: (typeof units)[number]
}

/**
 * A price list with a date: the newest one that has begun counts. With `tokens` the model is sold by what it took, where the upstream
 * tells that: the rows are then what is held and the most that is taken (docs/decisions/0009).
 */
export interface PriceList { from: string; source: string; rows: PriceRow[]; tokens?: TokenPrices }

/** Prices of tokens by modality, in micro-dollars for a million of them. Thinking counts as text that came back. */
export interface TokenPrices { textIn: number; imageIn: number; textOut: number; imageOut: number }

/**
 * What an upstream takes from us for a making: a price as on the card, token prices for upstreams that tell their usage, or `unlisted`, the reason why no
 * figure stands here, and then our cost is not known unless the upstream tells it. The first row that agrees counts, token rows only where usage is known.
 */
export type CostRow = PriceRow | { when?: Record<string, Json>; tokens: TokenPrices } | { when?: Record<string, Json>; unlisted: string }
/** Costs with a date, as `PriceList`. `search`: what one web search costs beyond those that are free each calendar month (UTC). */
export interface CostList { from: string; source: string; rows: CostRow[]; search?: { freePerMonth: number; micros: number } }

/**
 * A provider that makes this card's model, under which name. Lower `order` comes first; among equals `weight` shares the traffic. Without `costs` our cost is not known.
 * `batchHoursMin`: only for orders of the priority `batch` that have at least so many hours left, for this upstream takes its time.
 */
export interface CardRoute { provider: string; model: string; order: number; weight: number; batchHoursMin?: number; costs?: CostList[] }

/** A model as one dialect knows it. */
export interface DialectName {
  id: string
  /** Fixes the operation where the dialect has a name of its own for it (`google/nano-banana-edit`). */
  operation?: Operation
  /** JSON Schema of the dialect's own input fields, where the dialect validates them itself. */
  input?: JsonSchema
  /**
   * Dialect field → the house's: a parameter name, `prompt`, or `inputs` / `inputs:<role>` for links to pictures (`inputs:first_frame,last_frame`:
   * roles by position). One field that says two things at once names both (`aspect_ratio,resolution`), and its `x-house` gives a list for each word.
   */
  fields?: Record<string, string>
}

/** What a model accepts, costs and lives through. Data only: `catalog/cards/*.json`. */
export interface Card {
  id: string
  title: string
  family: string
  maker: string
  kind: (typeof kinds)[number]
  description: string
  operations: Operation[]
  /** Other names the native door takes. */
  aliases: string[]
  dialects: Record<string, DialectName[]>
  /** JSON Schema of the parameters, by the house's names; `additionalProperties: false`, defaults named. */
  parameters: JsonSchema
  prompt: { required: boolean; charactersMax: number }
  inputs: { min: number; max: number; mimes: string[]; bytesMax: number; pixelsMax: number; roles: Partial<Record<Role, number>> }
  output: { kind: (typeof outputKinds)[number]; countMax: number; seconds?: { default: number; max: number } }
  prices: PriceList[]
  /** `ends`: the day from which it is retired, where that is known before. The catalogue says `retired` from then on (`catalog.ts`). */
  life: { state: 'active' | 'deprecated' | 'retired'; since?: string; ends?: string; replacement?: string; note?: string }
  routes: CardRoute[]
  /** Total seconds a task of this model may take unless the caller says otherwise. */
  endWithinS: number
}

/** Whether what is charged may be less than the price: the model is sold by what it took. */
export const isByTokens = ({ prices }: Pick<Card, 'prices'>): boolean => prices.some(({ tokens }) => tokens !== undefined)

/** Whether the price follows how much is said to the model. */
export const followsWords = ({ prices }: Pick<Card, 'prices'>): boolean => prices.some(({ rows }) => rows.some(({ per }) => per === 'tokens'))

/** An order checked against its card: defaults filled in, size known, price known. */
export interface CheckedOrder {
  card: Card
  /** The retired card that was asked for, where `card` takes its place. */
  replaces?: Card
  /** The template the order was made from. */
  template?: TemplateStamp
  operation: Operation
  parameters: Record<string, Json>
  /** Pictures, films or texts asked for. */
  count: number
  /** Pixels asked for; null where the result takes the input's size or the upstream decides. */
  width: number | null
  height: number | null
  priceMicros: number
  warnings: string[]
}
