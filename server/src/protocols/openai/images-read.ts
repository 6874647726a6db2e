/** Bodies of `/v1/images/*` as drafts of orders. Pure. */
import type { Card } from '../../domain/card.ts'
import type { Order } from '../../domain/order.ts'
import { fieldsOf, invalid, readChoice, readFlag, readPrompt, readText, readWhole, type Fields } from './fields.ts'
import { readSettings } from './settings.ts'

/** How pictures stand in the answer; `both` where the client did not say. Kept on the task, for answers that are written later. */
export type PictureForm = 'url' | 'b64_json' | 'both'

export interface ImageWish { stream: boolean; partials: number }

export interface ImageDraft { order: Omit<Order, 'inputs'>; wish: ImageWish }

export interface Reading { card: Card; asked: string; isTemplate?: boolean; warnings: string[]; kind: 'generation' | 'edit' | 'variation' }

/** Fields that are read here and not by `settings.ts`. */
const common = ['prompt', 'model', 'stream', 'partial_images', 'response_format', 'user', 'safety_identifier']
const known: Record<Reading['kind'], string[]> = {
  generation: common,
  edit: [...common, 'image', 'images', 'mask', 'markup'],
  variation: ['model', 'image', 'response_format', 'user'],
}

/** @throws {Problem} `bad_request`, `unsupported_parameter` */
export function readImageCall(body: Fields, { card, asked, isTemplate = false, warnings, kind }: Reading): ImageDraft {
  const fields = fieldsOf(body)
  const links = readChoice(fields, 'response_format', ['url', 'b64_json']) ?? (kind === 'variation' ? 'url' : 'b64_json')
  const stream = kind !== 'variation' && readFlag(fields, 'stream')
  const partials = kind === 'variation' ? 0 : readWhole(fields, 'partial_images', { min: 0, max: 3 }) ?? 0
  if (partials > 0 && !stream) throw invalid('partial_images', 'partial_images goes with stream only.')
  for (const name of ['user', 'safety_identifier']) readText(fields, name)
  if (fields.markup !== undefined) throw invalid('markup', `${card.id} takes no markup here. Send a mask, or say in the prompt what to change.`)
  if (kind === 'generation' && !isTemplate && !card.operations.includes('generate')) throw invalid('model', `${card.id} needs a picture to work on. Use /v1/images/edits.`)
  if (kind !== 'generation' && card.operations.every(operation => operation === 'generate')) throw invalid('model', `${card.id} makes new pictures only. Use /v1/images/generations.`)

  const isTool = !card.prompt.required && fields.prompt === undefined
  const settings = readSettings(kind === 'variation' ? { size: '1024x1024', ...fields } : fields, card, known[kind])
  return {
    order: {
      model: asked,
      prompt: kind === 'variation' ? 'Another version of this picture: the same subject and style, a new composition.' : isTool ? '' : readPrompt(fields),
      parameters: settings.parameters,
      ...(kind === 'generation' ? { operation: 'generate' } : {}),
      warnings: [...warnings, ...settings.warnings],
      wire: { protocol: 'openai', body: { kind, form: fields.response_format === undefined && links === 'b64_json' ? 'both' satisfies PictureForm : links } },
      ...(stream && partials > 0 ? { partials } : {}),
    },
    wish: { stream, partials },
  }
}
