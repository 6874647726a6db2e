/** Bodies of `/v1/videos` as drafts of orders. Pure. */
import type { Card, JsonSchema } from '../../domain/card.ts'
import type { Json } from '../../domain/outcome.ts'
import type { Order } from '../../domain/order.ts'
import { fieldsOf, invalid, readPrompt, readText, type Fields } from './fields.ts'
import { readSettings } from './settings.ts'

/** What a film tells about its request, kept on the task. */
export interface VideoWire { kind: 'video'; seconds: string; size: string | null; remixedFrom: string | null }

export interface VideoReading { card: Card; asked: string; isTemplate?: boolean; warnings: string[] }

const names = ['prompt', 'model', 'seconds', 'size', 'input_reference', 'video']
const sizeDefault = '720x1280'
const secondsDefault = '4'

/** @throws {Problem} `bad_request`, `unsupported_parameter` */
export function readVideoCall(body: Fields, { card, asked, isTemplate = false, warnings }: VideoReading, remixedFrom: string | null = null): Omit<Order, 'inputs'> {
  const fields = fieldsOf(body)
  const prompt = readPrompt(fields)
  // A template says itself what nobody asks for otherwise.
  const seconds = fields.seconds === undefined && isTemplate ? undefined : readSeconds(fields, card)
  const size = readText(fields, 'size', { max: 20 }) ?? (!isTemplate && mayDefault(card) ? sizeDefault : undefined)
  const settings = readSettings({ ...fields, ...(size === undefined ? {} : { size }) }, card, names)
  return {
    model: asked, operation: 'video', prompt,
    parameters: { ...settings.parameters, ...(seconds === undefined ? {} : { duration_s: Number(seconds) }) },
    warnings: [...warnings, ...settings.warnings.filter(one => !one.includes(`size ${sizeDefault} became`) || fields.size !== undefined)],
    wire: { protocol: 'openai', body: {
      kind: 'video', remixedFrom,
      ...(seconds === undefined && isTemplate ? {} : { seconds: seconds ?? String(card.output.seconds?.default ?? secondsDefault) }),
      ...(size === undefined && isTemplate ? {} : { size: size ?? null }),
    } satisfies Partial<VideoWire> },
  }
}

const propertiesOf = (card: Card) => (card.parameters.properties ?? {}) as Record<string, JsonSchema & { enum?: Json[]; default?: Json }>

/** Theirs is 720x1280; a model that makes no such thing keeps its own. */
const mayDefault = (card: Card): boolean => {
  const { size, aspect_ratio: ratio } = propertiesOf(card)
  return size ? size.enum?.includes(sizeDefault) ?? false : ratio?.enum?.includes('9:16') ?? false
}

/** Text both ways: `"8"`. A whole number is taken too. */
function readSeconds(fields: Fields, card: Card): string | undefined {
  const value = fields.seconds
  const property = propertiesOf(card).duration_s
  if (value === undefined) return property?.enum?.includes(Number(secondsDefault)) ?? property?.type === 'integer' ? secondsDefault : undefined
  const text = typeof value === 'number' ? String(value) : value
  if (typeof text !== 'string' || !/^\d{1,2}$/.test(text)) throw invalid('seconds', "'seconds' must be a whole number of seconds as text, like \"8\".")
  return String(Number(text))
}
