/**
 * What a picture shall be like, which Anthropic's API has no place for: behind the model's name (`nano-banana-pro@16:9@4k`), in a
 * field `image`, or in `metadata.image`. Pure.
 *
 * Absent on purpose: what a model allows. The card knows, and says no.
 */
import type { Card } from '../../domain/card.ts'
import type { Json } from '../../domain/outcome.ts'
import { Problem } from '../../domain/problem.ts'

export interface Options {
  parameters: Record<string, Json>
  warnings: string[]
  /** Where each parameter was asked for, by the house's name of the field. */
  names: Record<string, string>
}

const known = ['size', 'aspect_ratio', 'resolution', 'image_size', 'quality', 'n', 'seed', 'output_format', 'background'] as const

const sizeClass = (text: string): string | null => {
  switch (text.toLowerCase()) {
    case '512': case '512px': case '0.5k': return '512'
    case '1k': case '2k': case '4k': return text.toUpperCase()
    default: return null
  }
}

/** Splits `nano-banana-pro@16:9@4k` into the model's name and what stands behind it. */
export function readModel(text: string): { model: string; suffixes: string[] } {
  const [model = '', ...suffixes] = text.split('@')
  return { model, suffixes }
}

/** @throws {Problem} `unsupported_parameter` for a suffix that is none */
function readSuffix(suffix: string): Record<string, Json> {
  const resolution = sizeClass(suffix)
  if (resolution) return { resolution }
  if (/^\d{1,2}:\d{1,2}$/.test(suffix)) return { aspect_ratio: suffix }
  if (/^(png|jpeg|webp)$/i.test(suffix)) return { output_format: suffix.toLowerCase() }
  throw new Problem('unsupported_parameter', `model: "@${suffix.slice(0, 40)}" is none of @16:9 (an aspect ratio), @512, @1k, @2k, @4k, @png, @jpeg and @webp.`, { field: 'model', value: suffix.slice(0, 40) })
}

/** @throws {Problem} `unsupported_parameter`, `bad_request` */
export function readOptions({ suffixes, image, field }: { suffixes: string[]; image: Record<string, unknown> | null; field: string }, card: Card): Options {
  const options: Options = { parameters: {}, warnings: [], names: {} }
  const put = (name: string, value: Json, from: string) => {
    const before = options.parameters[name]
    if (before !== undefined && before !== value) throw new Problem('bad_request', `${from}: ${name} was asked for twice, as ${String(before)} and as ${String(value)}.`, { field: from, value })
    options.parameters[name] = value
    options.names[`parameters.${name}`] = from
  }
  for (const suffix of suffixes) for (const [name, value] of Object.entries(readSuffix(suffix))) put(name, value, 'model')
  for (const [name, value] of Object.entries(image ?? {})) {
    const from = `${field}.${name.slice(0, 100)}`
    if (value === null || value === undefined) continue
    if (!(known as readonly string[]).includes(name)) throw new Problem('unsupported_parameter', `${from}: there is no such option. Known are ${known.join(', ')}.`, { field: from, allowed: known })
    if (typeof value === 'object') throw new Problem('bad_request', `${from}: must be text or a number.`, { field: from })
    const plain = value as Json
    if (name === 'n') put('count', plain, from)
    else if (name === 'size') for (const [house, read] of Object.entries(readSize(plain, from, card, options.warnings))) put(house, read, from)
    else if (name === 'resolution' || name === 'image_size') put('resolution', typeof plain === 'string' ? sizeClass(plain) ?? plain : plain, from)
    else if (name === 'output_format') put(name, plain === 'jpg' ? 'jpeg' : plain, from)
    else put(name, plain, from)
  }
  return options
}

const parametersOf = (card: Card): Record<string, { enum?: Json[] }> => (card.parameters.properties ?? {}) as Record<string, { enum?: Json[] }>

/** A shape is the same when it is within this part of the other: 1344x768 is still called 16:9. */
const near = 0.04

/** `2K`, or pixels for models that are asked by ratio and size class: then the nearest of both, said openly. */
function readSize(size: Json, from: string, card: Card, warnings: string[]): Record<string, Json> {
  const names = parametersOf(card)
  if (typeof size !== 'string') throw new Problem('bad_request', `${from}: must be text like "1024x1024" or "2K".`, { field: from })
  if (names.size || size === 'auto') return names.size ? { size } : {}
  const resolution = sizeClass(size)
  if (resolution) return { resolution }
  const match = /^(\d{1,5})x(\d{1,5})$/i.exec(size)
  const [width, height] = [Number(match?.[1]), Number(match?.[2])]
  if (!match || width === 0 || height === 0) throw new Problem('bad_request', `${from}: must be text like "1024x1024" or "2K".`, { field: from, value: size.slice(0, 40) })
  const ratios = ((names.aspect_ratio?.enum ?? []) as string[]).filter(ratio => /^\d+:\d+$/.test(ratio))
  const apart = (ratio: string) => Math.abs(Math.log(width / height) - Math.log(Number(ratio.split(':')[0]) / Number(ratio.split(':')[1])))
  const [best] = [...ratios].sort((a, b) => apart(a) - apart(b))
  if (!best || apart(best) > near) throw new Problem('unsupported_parameter', `${from}: ${card.id} makes no pictures of the shape ${size}. Its shapes are ${ratios.join(', ')}.`, { field: from, value: size, allowed: ratios })
  const longest = Math.max(width, height)
  const wanted = longest <= 640 ? '512' : longest <= 1536 ? '1K' : longest <= 2816 ? '2K' : '4K'
  warnings.push(`size ${size} was read as aspect_ratio ${best}${names.resolution ? ` and resolution ${wanted}` : ''}: ${card.id} has sizes of its own.`)
  return { aspect_ratio: best, ...(names.resolution ? { resolution: wanted } : {}) }
}
