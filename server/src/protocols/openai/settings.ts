/**
 * What a call asks of a model, in the card's own parameters. Pure.
 *
 * `auto` is the card's default. A size in pixels becomes an aspect ratio and a size class where the model thinks in those, with a
 * warning. What the model has no setting for is refused, unless it would have changed nothing.
 */
import type { Card, JsonSchema } from '../../domain/card.ts'
import type { Json } from '../../domain/outcome.ts'
import { Problem } from '../../domain/problem.ts'
import { invalid, readChoice, readText, readWhole, type Fields } from './fields.ts'

/** Every frame has as many pixels as the picture. */
const gifPixelsMax = 1_536 * 1_536

export interface Settings { parameters: Record<string, Json>; warnings: string[] }

type Property = JsonSchema & { enum?: Json[]; type?: string; minimum?: number; maximum?: number }

const propertiesOf = (card: Card): Record<string, Property> => (card.parameters.properties ?? {}) as Record<string, Property>

/** Fields of the images API that are read here; whoever calls says which others it knows. */
export const settingNames = ['size', 'quality', 'background', 'moderation', 'output_format', 'output_compression', 'input_fidelity', 'complexity', 'frame_count', 'frame_duration_ms', 'svg', 'style', 'n']

/** @throws {Problem} `unsupported_parameter`, `bad_request` */
export function readSettings(fields: Fields, card: Card, known: readonly string[]): Settings {
  const properties = propertiesOf(card)
  const settings: Settings = { parameters: {}, warnings: [] }
  const { parameters, warnings } = settings

  const count = readWhole(fields, 'n', { min: 1, max: 10 })
  if (count !== undefined && count !== 1) parameters.count = count

  const size = readText(fields, 'size', { max: 100 })
  if (size !== undefined && size !== 'auto') Object.assign(parameters, readSize(size, fields, card, properties, warnings))

  const quality = readText(fields, 'quality', { max: 100 })
  if (quality !== undefined && quality !== 'auto') readQuality(quality, card, properties.quality, settings)

  const format = readFormat(fields, card, properties.output_format)
  if (format !== undefined && properties.output_format) parameters.output_format = format

  const background = readChoice(fields, 'background', ['transparent', 'opaque', 'auto'])
  if (background === 'transparent' && (format === 'jpeg' || format === 'gif')) throw invalid('background', 'A transparent background needs the output_format png or webp.')
  if (background === 'transparent' || background === 'opaque') {
    if (properties.background) parameters.background = background
    else if (background === 'transparent') throw cannot('background', background, card)
  }

  const moderation = readChoice(fields, 'moderation', ['auto', 'low'])
  if (moderation === 'low') {
    if (properties.moderation) parameters.moderation = moderation
    else warnings.push(`moderation has no effect on ${card.id}.`)
  }

  const compression = readWhole(fields, 'output_compression', { min: 0, max: 100 })
  if (compression !== undefined && compression !== 100) readCompression(compression, format, card, properties, settings)

  for (const name of ['input_fidelity', 'complexity'] as const) {
    const value = readChoice(fields, name, name === 'complexity' ? ['low', 'medium', 'high'] : ['low', 'high'])
    if (value === undefined) continue
    if (properties[name]) parameters[name] = value
    // What is made anyway where nothing is said.
    else if (name === 'input_fidelity' && value === 'low') warnings.push(`input_fidelity has no effect on ${card.id}.`)
    else throw cannot(name, value, card)
  }
  readFrames(fields, format, settings)
  if (fields.svg !== undefined) throw invalid('svg', "'svg' goes with the output_format svg only, which no model here makes.")
  const style = readText(fields, 'style', { max: 100 })
  if (style !== undefined) {
    if (properties.style) parameters.style = style
    else warnings.push(`style has no effect on ${card.id}; say it in the prompt.`)
  }

  readExtensions(fields, properties, [...settingNames, ...readOthersShape(fields, card, properties, settings), ...known], settings)
  return settings
}

/** The shape in other makers' words, for models that call it otherwise: the names that were read. */
function readOthersShape(fields: Fields, card: Card, properties: Record<string, Property>, settings: Settings): string[] {
  const hasSize = fields.size !== undefined && fields.size !== 'auto'
  const theirs = properties.size ? hasSize ? [] : ['aspect_ratio', 'image_size', 'resolution'] : properties.resolution ? ['image_size'] : []
  const names = theirs.filter(name => fields[name] !== undefined && !properties[name])
  // The model's own word for it, otherwise spelled.
  if (!properties.size && isOtherSpelling(fields.resolution, properties.resolution)) names.push('resolution')
  const text = (name: string) => names.includes(name) ? readText(fields, name, { max: 20 }) : undefined
  const shape = readShape({ aspectRatio: text('aspect_ratio'), imageSize: text('image_size') ?? text('resolution') }, card)
  Object.assign(settings.parameters, shape.parameters)
  settings.warnings.push(...shape.warnings)
  return names
}

const isOtherSpelling = (value: unknown, property: Property | undefined): boolean => property?.enum !== undefined && typeof value === 'string' && !property.enum.includes(value) && property.enum.includes(spellClass(value) ?? '')

/** `512` has other spellings, and the larger ones come in both cases. */
const spellClass = (text: string | undefined): string | undefined => text !== undefined && /^(?:512px|0\.5k)$/i.test(text) ? '512' : text !== undefined && /^\dk$/i.test(text) ? text.toUpperCase() : text

/** How a GIF moves. What cannot go with one is refused as upstream refuses it. */
function readFrames(fields: Fields, format: string | undefined, { parameters }: Settings): void {
  const [frames, durationMs] = [readWhole(fields, 'frame_count', { min: 2, max: 16 }), readWhole(fields, 'frame_duration_ms', { min: 1, max: 655_350 })]
  if (format !== 'gif') {
    for (const name of ['frame_count', 'frame_duration_ms']) if (fields[name] !== undefined) throw invalid(name, `'${name}' goes with the output_format gif only.`)
    return
  }
  if (fields.stream === true) throw invalid('stream', 'A GIF cannot be streamed.')
  if (fields.mask !== undefined) throw invalid('mask', 'A GIF takes no mask.')
  const size = /^(\d{1,5})x(\d{1,5})$/.exec(String(fields.size ?? ''))
  if (size && Number(size[1]) * Number(size[2]) > gifPixelsMax) throw invalid('size', `A GIF may have ${gifPixelsMax} pixels, as 1536x1536 has, not ${size[0]}.`)
  if (frames !== undefined) parameters.frame_count = frames
  // Whole hundredths of a second are all a GIF can say.
  if (durationMs !== undefined) parameters.frame_duration_ms = Math.max(10, Math.round(durationMs / 10) * 10)
}

const cannot = (param: string, value: unknown, card: Card, allowed?: unknown) =>
  new Problem('unsupported_parameter', `${card.id} has no ${param} ${String(value)}. Leave it out${allowed === undefined ? '' : ` or use ${(allowed as unknown[]).join(', ')}`}.`, { param, value, ...(allowed === undefined ? {} : { allowed }) })

/** `1536x1024` for a model that takes pixels, or as ratio and size class. */
function readSize(size: string, fields: Fields, card: Card, properties: Record<string, Property>, warnings: string[]): Record<string, Json> {
  if (properties.size) return { size }
  const match = /^([1-9]\d{0,4})x([1-9]\d{0,4})$/.exec(size)
  if (!match) throw invalid('size', `Size ${size} is not valid: write it as 1024x1024, or auto.`)
  const [width, height] = [Number(match[1]), Number(match[2])]
  const ratio = nearestRatio(width / height, ratiosOf(properties))
  if (ratio === null) throw cannot('size', size, card, ratiosOf(properties))
  const resolution = nearestClass(width, height, (properties.resolution?.enum ?? []) as string[])
  // What is said in the model's own words goes before what was made of pixels; many clients always send a size.
  const own = ['aspect_ratio', 'resolution', 'image_size'].filter(name => fields[name] !== undefined)
  const shape = Object.entries({ aspect_ratio: ratio, resolution }).filter(([name, value]) => value !== null && !own.includes(name) && !(name === 'resolution' && own.includes('image_size')))
  const became = shape.length === 0 ? 'has no effect' : `became ${shape.map(([name, value]) => `${name} ${value}`).join(' and ')}`
  warnings.push(`${card.id} thinks in ratios: size ${size} ${became}${own.length === 0 ? '' : `, because ${own.join(' and ')} ${own.length === 1 ? 'is' : 'are'} given`}.`)
  return Object.fromEntries(shape)
}

const ratiosOf = (properties: Record<string, Property>): string[] => ((properties.aspect_ratio?.enum ?? []) as string[]).filter(ratio => ratio.includes(':'))

const quotient = (ratio: string): number => { const [width, height] = ratio.split(':').map(Number); return width! / height! }

/** The ratio that is meant: pixels are never exact, so two hundredths off still counts (1792x1024 is 16:9). */
function nearestRatio(wanted: number, ratios: string[]): string | null {
  const distance = (ratio: string) => Math.abs(Math.log(quotient(ratio) / wanted))
  const best = ratios.reduce<string | null>((best, ratio) => best === null || distance(ratio) < distance(best) ? ratio : best, null)
  return best !== null && distance(best) <= 0.02 ? best : null
}

/**
 * `512` to `4K`: the smallest class with a little more than half of the pixels asked for, so that 1792x1024 is still 1K and 3840x2160
 * is 4K. `720p` and the like by the shortest side. Null where the model has none.
 */
function nearestClass(width: number, height: number, classes: string[]): string | null {
  const sides = classes.flatMap(name => {
    const side = /^\dK$/.test(name) ? Number(name[0]) * 1_024 : /^\d+p?$/.test(name) ? Number.parseInt(name, 10) : null
    return side === null ? [] : [{ name, side }]
  }).sort((a, b) => a.side - b.side)
  const shortest = Math.min(width, height)
  const fits = ({ name, side }: { name: string; side: number }) => name.endsWith('p') ? side >= shortest * 0.8 : side * side >= width * height * 0.52
  return (sides.find(fits) ?? sides.at(-1))?.name ?? null
}

const legacy: Record<string, string> = { standard: 'medium', hd: 'high' }

function readQuality(quality: string, card: Card, property: Property | undefined, { parameters, warnings }: Settings): void {
  if (!property?.enum) {
    // What every model makes when nothing is said.
    if (quality === 'standard') return
    throw cannot('quality', quality, card)
  }
  const meant = property.enum.includes(quality) ? quality : legacy[quality] ?? quality
  if (!property.enum.includes(meant)) throw cannot('quality', quality, card, property.enum)
  if (meant !== quality) warnings.push(`quality ${quality} became ${meant}.`)
  parameters.quality = meant
}

function readFormat(fields: Fields, card: Card, property: Property | undefined): string | undefined {
  const format = readChoice(fields, 'output_format', ['png', 'jpeg', 'webp', 'gif', 'svg'])
  if (format === undefined) return undefined
  if (property ? property.enum?.includes(format) : format === 'png') return format
  throw cannot('output_format', format, card, property?.enum)
}

function readCompression(compression: number, format: string | undefined, card: Card, properties: Record<string, Property>, { parameters }: Settings): void {
  if (format !== 'jpeg' && format !== 'webp') throw invalid('output_compression', 'output_compression goes with the output_format jpeg or webp only.')
  if (properties.output_compression) parameters.output_compression = compression
  else if (properties.quality?.type === 'integer') parameters.quality = Math.max(1, compression)
  else throw cannot('output_compression', compression, card)
}

/** Clients put settings of other makers straight into the body: those the model has are passed on, the rest is told. */
function readExtensions(fields: Fields, properties: Record<string, Property>, known: readonly string[], { parameters, warnings }: Settings): void {
  const passed: string[] = []
  for (const [name, value] of Object.entries(fields)) {
    const property = !known.includes(name) && Object.hasOwn(properties, name) && name !== 'count' ? properties[name] : undefined
    if (!property) continue
    parameters[name] = property.type === 'integer' && typeof value === 'string' && /^\d{1,15}$/.test(value) ? Number(value) : value as Json
    passed.push(name)
  }
  warnings.push(...ignoredIn(fields, [...known, ...passed]))
}

/** A warning about fields nobody has a use for; none where there are none. */
export function ignoredIn(fields: Fields, known: readonly string[]): string[] {
  const ignored = Object.keys(fields).filter(name => !known.includes(name)).map(name => name.slice(0, 60))
  return ignored.length === 0 ? [] : [`Ignored, because nobody here knows ${ignored.length === 1 ? 'it' : 'them'}: ${ignored.slice(0, 10).join(', ')}${ignored.length > 10 ? ' and more' : ''}.`]
}

/** A ratio and a size class (Gemini's way of asking) for any card. @throws {Problem} `unsupported_parameter` */
export function readShape({ aspectRatio, imageSize: asked }: { aspectRatio: string | undefined; imageSize: string | undefined }, card: Card): Settings {
  const properties = propertiesOf(card)
  const imageSize = asked !== undefined && properties.resolution?.enum?.includes(asked) ? asked : spellClass(asked)
  const settings: Settings = { parameters: {}, warnings: [] }
  if (properties.aspect_ratio || !properties.size) {
    if (aspectRatio !== undefined) settings.parameters.aspect_ratio = aspectRatio
    if (imageSize !== undefined) settings.parameters.resolution = imageSize
    return settings
  }
  if (aspectRatio === undefined && imageSize === undefined) return settings
  const size = sizeOfShape(aspectRatio ?? '1:1', imageSize ?? '1K')
  if (size === null) throw invalid('aspect_ratio', 'A shape is an aspect_ratio like 16:9 and an image_size of 512, 1K, 2K or 4K.')
  settings.parameters.size = size
  settings.warnings.push(`${card.id} thinks in pixels: ${aspectRatio ?? '1:1'} at ${imageSize ?? '1K'} became ${size}.`)
  return settings
}

const edges: Record<string, number> = { '512': 512, '1K': 1_024, '2K': 2_048, '4K': 3_840 }

/** Pixels of a ratio: the shorter edge of 1K is 1024, as in OpenAI's own three sizes; edges are multiples of 16. */
function sizeOfShape(ratio: string, imageSize: string): string | null {
  const match = /^(\d{1,2}):(\d{1,2})$/.exec(ratio)
  const edge = edges[imageSize]
  if (!match || edge === undefined || Number(match[1]) === 0 || Number(match[2]) === 0) return null
  const wide = quotient(ratio)
  const even = (side: number) => Math.round(side / 16) * 16
  if (imageSize === '4K') return wide >= 1 ? `${Math.min(edge, even(2_160 * wide))}x${Math.min(2_160, even(edge / wide))}` : `${Math.min(2_160, even(edge * wide))}x${Math.min(edge, even(2_160 / wide))}`
  return wide >= 1 ? `${even(edge * wide)}x${edge}` : `${edge}x${even(edge / wide)}`
}
