/** Ratios, sizes and formats of pictures, in the two forms of this dialect and in Interactions' own. Pure. */
import type { Json } from '../../domain/outcome.ts'
import { cannot, check, join, no, oneOf, readFields, text, type Fields } from './fields.ts'

/** How pictures go back: in the answer, or as a link. */
export type DeliveryForm = 'inline' | 'uri'

export interface PictureSettings {
  parameters: Record<string, Json>
  delivery: DeliveryForm
  /** What these settings are called where they came from, for the sentence of a no. */
  names: Record<string, string>
  warnings: string[]
}

const words = ['', 'ONE', 'TWO', 'THREE', 'FOUR', 'FIVE', '', '', 'EIGHT', 'NINE']
const word = (number: string): string => number === '16' ? 'SIXTEEN' : number === '21' ? 'TWENTY_ONE' : words[Number(number)] ?? ''
const ratios = ['1:1', '2:3', '3:2', '3:4', '4:3', '4:5', '5:4', '9:16', '16:9', '21:9', '1:4', '4:1', '1:8', '8:1']
const ratioTokens = new Map(ratios.map(ratio => [`ASPECT_RATIO_${ratio.split(':').map(word).join('_BY_')}`, ratio]))
const sizeTokens = new Map([['IMAGE_SIZE_FIVE_TWELVE', '512'], ['IMAGE_SIZE_ONE_K', '1K'], ['IMAGE_SIZE_TWO_K', '2K'], ['IMAGE_SIZE_FOUR_K', '4K']])
/** Other spellings of the smallest size. */
const smallest = ['512px', '0.5K', '512PX', '0.5k']

/** A ratio as the cards write it. What no card knows is left as it is: the card refuses it with what it allows. */
export function readRatio(value: unknown, place: string): string | null {
  const ratio = text(value, place)
  return ratio === 'ASPECT_RATIO_UNSPECIFIED' || ratio === '' ? null : ratioTokens.get(ratio) ?? ratio
}

export function readSize(value: unknown, place: string): string | null {
  const size = text(value, place)
  return size === 'IMAGE_SIZE_UNSPECIFIED' || size === '' ? null : sizeTokens.get(size) ?? (smallest.includes(size) ? '512' : size)
}

/** `image/jpeg` as the cards' `jpeg`. @throws {Problem} for what is no picture */
export function readPictureFormat(value: unknown, place: string): string {
  const mime = text(value, place).toLowerCase()
  const format = /^image\/(png|jpeg|jpg|webp)$/.exec(mime)?.[1]
  if (!format) throw no(place, `${place} must be one of image/png, image/jpeg, image/webp.`, { value: mime.slice(0, 60), allowed: ['image/png', 'image/jpeg', 'image/webp'] })
  return format === 'jpg' ? 'jpeg' : format
}

/** `generationConfig.imageConfig`. */
export function readImageConfig(value: unknown, place: string): PictureSettings {
  const settings: PictureSettings = { parameters: {}, delivery: 'inline', names: {}, warnings: [] }
  const fields = readFields(value, place, ['aspectRatio', 'imageSize', ...onlyVertex])
  take(settings, fields, place, 'aspectRatio', 'aspect_ratio', readRatio)
  take(settings, fields, place, 'imageSize', 'resolution', readSize)
  const ignored = onlyVertex.filter(name => fields[name] !== undefined)
  if (ignored.length > 0) settings.warnings.push(`Ignored, as this dialect's own servers do: ${ignored.map(name => join(place, name)).join(', ')}.`)
  return settings
}
const onlyVertex = ['personGeneration', 'outputMimeType', 'outputCompressionQuality', 'imageOutputOptions', 'prominentPeople']

/** `generationConfig.responseFormat`, the newer form. */
export function readResponseFormat(value: unknown, place: string): PictureSettings {
  const settings: PictureSettings = { parameters: {}, delivery: 'inline', names: {}, warnings: [] }
  const { text: words, image, ...others } = readFields(value, place, ['text', 'image', 'audio', 'video'])
  for (const name of Object.keys(others)) throw cannot(join(place, name), `${join(place, name)}: this model makes pictures, not ${name}.`, { allowed: ['image', 'text'] })
  if (words !== undefined) {
    const { schema } = readFields(words, join(place, 'text'), ['mimeType', 'schema'])
    if (schema !== undefined) throw cannot(join(place, 'text.schema'), 'Image models give no structured output. Leave the schema out.')
  }
  if (image === undefined) return settings
  const inner = join(place, 'image')
  const fields = readFields(image, inner, ['aspectRatio', 'imageSize', 'mimeType', 'delivery'])
  take(settings, fields, inner, 'aspectRatio', 'aspect_ratio', readRatio)
  take(settings, fields, inner, 'imageSize', 'resolution', readSize)
  take(settings, fields, inner, 'mimeType', 'output_format', readPictureFormat)
  if (fields.delivery !== undefined) settings.delivery = oneOf(fields.delivery, join(inner, 'delivery'), ['INLINE', 'URI', 'DELIVERY_UNSPECIFIED']) === 'URI' ? 'uri' : 'inline'
  return settings
}

/** `response_format` of Interactions for a picture (`type` is read already), and its older `generation_config.image_config`. */
export function readInteractionImage(fields: Fields, place: string): PictureSettings {
  const settings: PictureSettings = { parameters: {}, delivery: 'inline', names: {}, warnings: [] }
  take(settings, fields, place, 'aspectRatio', 'aspect_ratio', readRatio, 'aspect_ratio')
  take(settings, fields, place, 'imageSize', 'resolution', readSize, 'image_size')
  take(settings, fields, place, 'mimeType', 'output_format', readPictureFormat, 'mime_type')
  settings.delivery = readDelivery(fields, place, 'inline')
  return settings
}

/** `response_format` of Interactions for a film. */
export function readInteractionVideo(fields: Fields, place: string): PictureSettings {
  const settings: PictureSettings = { parameters: {}, delivery: 'uri', names: {}, warnings: [] }
  take(settings, fields, place, 'aspectRatio', 'aspect_ratio', readRatio, 'aspect_ratio')
  take(settings, fields, place, 'resolution', 'resolution', readFilmSize)
  take(settings, fields, place, 'duration', 'duration_s', readDuration)
  settings.delivery = readDelivery(fields, place, 'uri')
  if (fields.gcsUri !== undefined) throw cannot(join(place, 'gcs_uri'), `${place}.gcs_uri: films are not written to Cloud Storage here. Leave it out and fetch the film by its link.`)
  return settings
}

/** `720p`, `1080p`; `4k` in either case. */
export function readFilmSize(value: unknown, place: string): string {
  const size = text(value, place)
  return size.toLowerCase() === '4k' ? '4K' : size
}

/** `8s` or `8`. */
export function readDuration(value: unknown, place: string): number {
  const seconds = typeof value === 'number' ? value : Number(/^(\d{1,4})(?:\.0+)?s?$/.exec(text(value, place))?.[1] ?? NaN)
  if (!Number.isInteger(seconds) || seconds < 1) throw no(place, `${place} must be whole seconds, as in "8s".`)
  return seconds
}

function readDelivery(fields: Fields, place: string, fallback: DeliveryForm): DeliveryForm {
  if (fields.delivery === undefined) return fallback
  check(fields.delivery, join(place, 'delivery'), 'text')
  return oneOf((fields.delivery as string).toLowerCase(), join(place, 'delivery'), ['inline', 'uri'])
}

function take(settings: PictureSettings, fields: Fields, place: string, name: string, house: string, read: (value: unknown, place: string) => Json, spelled = name): void {
  if (fields[name] === undefined) return
  const value = read(fields[name], join(place, spelled))
  settings.names[`parameters.${house}`] = join(place, spelled)
  if (value !== null) settings.parameters[house] = value
}
