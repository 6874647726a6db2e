/** Imagen's `:predict` on the wire. Pure. */
import type { Asset } from '../../domain/asset.ts'
import type { Json } from '../../domain/outcome.ts'
import type { Task } from '../../domain/task.ts'
import { blockOf } from './answer.ts'
import { cannot, check, flag, list, no, readFields, taker, text, whole, type Kind } from './fields.ts'
import type { Context, GeminiWire, Read } from './generate.ts'
import { readPictureFormat, readRatio, readSize } from './picture-settings.ts'

const withoutEffect: Record<string, Kind> = {
  personGeneration: 'text', safetySetting: 'text', includeSafetyAttributes: 'flag', language: 'text', guidanceScale: 'number', enhancePrompt: 'flag', addWatermark: 'flag',
}

/** @throws {Problem} `bad_request`, `unsupported_parameter` */
export function readPredict(body: unknown, { model }: Context): Read {
  const { instances, parameters: given } = readFields(body, '', ['instances', 'parameters', 'labels'])
  const all = instances === undefined ? [] : list(instances, 'instances')
  if (all.length !== 1) throw no('instances', `instances must have exactly one instance, not ${all.length}.`)
  const { prompt, image } = readFields(all[0], 'instances[0]', ['prompt', 'image', 'referenceImages'])
  if (image !== undefined) throw cannot('instances[0].image', 'instances[0].image: Imagen makes pictures from words here. Use generateContent to edit one.')
  const fields = given === undefined ? {} : readFields(given, 'parameters', [...Object.keys(withoutEffect), 'sampleCount', 'aspectRatio', 'sampleImageSize', 'imageSize', 'outputOptions', 'outputMimeType', 'includeRaiReason', 'seed', 'negativePrompt'])

  const parameters: Record<string, Json> = {}
  const names: Record<string, string> = { prompt: 'instances[0].prompt' }
  const take = taker(fields, parameters, names)
  take('sampleCount', 'count', whole)
  take('aspectRatio', 'aspect_ratio', readRatio)
  take('imageSize', 'resolution', readSize)
  take('sampleImageSize', 'resolution', readSize)
  take('seed', 'seed', whole)
  take('outputMimeType', 'output_format', readPictureFormat)
  take('negativePrompt', 'negative_prompt', (value, place) => text(value, place) === '' ? null : value as string)
  if (fields.outputOptions !== undefined) {
    const { mimeType, compressionQuality } = readFields(fields.outputOptions, 'parameters.outputOptions', ['mimeType', 'compressionQuality'])
    if (mimeType !== undefined) {
      parameters.output_format = readPictureFormat(mimeType, 'parameters.outputOptions.mimeType')
      names['parameters.output_format'] = 'parameters.outputOptions.mimeType'
    }
    if (compressionQuality !== undefined) {
      parameters.quality = whole(compressionQuality, 'parameters.outputOptions.compressionQuality')
      names['parameters.quality'] = 'parameters.outputOptions.compressionQuality'
    }
  }
  const idle = Object.entries(withoutEffect).filter(([name]) => fields[name] !== undefined)
  for (const [name, kind] of idle) check(fields[name], `parameters.${name}`, kind)
  const wire: GeminiWire = { method: 'predict', model, text: false, delivery: 'inline', rai: fields.includeRaiReason !== undefined && flag(fields.includeRaiReason, 'parameters.includeRaiReason') }
  return {
    order: {
      model, prompt: prompt === undefined ? '' : text(prompt, 'instances[0].prompt'), parameters,
      ...(idle.length > 0 ? { warnings: [`Without effect here: ${idle.map(([name]) => name).join(', ')}.`] } : {}),
      wire: { protocol: 'gemini', body: { ...wire } },
    },
    wire, pictures: [], names, thoughts: false,
  }
}

/** `predictions` of a task that is done, or was refused for its content. */
export function writePredictions(task: Task, wire: GeminiWire, write: (asset: Asset) => { mimeType: string; data: unknown }) {
  if (blockOf(task.problem)) return wire.rai ? { predictions: [{ raiFilteredReason: task.problem!.message }] } : {}
  return { predictions: task.outputs.map(asset => {
    const { mimeType, data } = write(asset)
    return { mimeType, bytesBase64Encoded: data }
  }) }
}

