/** Veo's `:predictLongRunning` and its operations on the wire. Pure; the operation's name carries the task's id. */
import type { Asset } from '../../domain/asset.ts'
import type { Role } from '../../domain/order.ts'
import type { Json } from '../../domain/outcome.ts'
import { hasEnded, type Task } from '../../domain/task.ts'
import { blockOf } from './answer.ts'
import { readUri, type Picture } from './contents.ts'
import { cannot, check, join, list, no, oneOf, readFields, taker, text, whole, type Kind } from './fields.ts'
import type { Context, GeminiWire, Read } from './generate.ts'
import { readDuration, readFilmSize, readRatio } from './picture-settings.ts'
import { writeStatus } from './refusal.ts'

const withoutEffect: Record<string, Kind> = { personGeneration: 'text', enhancePrompt: 'flag', generateAudio: 'flag', fps: 'whole', compressionQuality: 'text', resizeMode: 'text' }

/** @throws {Problem} `bad_request`, `unsupported_parameter` */
export function readPredictLongRunning(body: unknown, { model }: Context): Read {
  const { instances, parameters: given, webhookConfig } = readFields(body, '', ['instances', 'parameters', 'webhookConfig', 'labels'])
  const all = instances === undefined ? [] : list(instances, 'instances')
  if (all.length !== 1) throw no('instances', `instances must have exactly one instance, not ${all.length}.`)
  const instance = readFields(all[0], 'instances[0]', ['prompt', 'image', 'lastFrame', 'referenceImages', 'video'])
  const fields = given === undefined ? {} : readFields(given, 'parameters', [...Object.keys(withoutEffect), 'sampleCount', 'durationSeconds', 'aspectRatio', 'resolution', 'negativePrompt', 'seed', 'storageUri', 'pubsubTopic'])
  for (const name of ['storageUri', 'pubsubTopic']) if (fields[name] !== undefined) throw cannot(`parameters.${name}`, `parameters.${name}: that is a service of Google's cloud. Leave it out and fetch the film by its link.`)

  const parameters: Record<string, Json> = {}
  const names: Record<string, string> = { prompt: 'instances[0].prompt', callback_url: 'webhookConfig.uris[0]' }
  const take = taker(fields, parameters, names)
  take('sampleCount', 'count', whole)
  take('durationSeconds', 'duration_s', readDuration)
  take('aspectRatio', 'aspect_ratio', readRatio)
  take('resolution', 'resolution', readFilmSize)
  take('seed', 'seed', whole)
  take('negativePrompt', 'negative_prompt', (value, place) => text(value, place) === '' ? null : value as string)
  const idle = Object.entries(withoutEffect).filter(([name]) => fields[name] !== undefined)
  for (const [name, kind] of idle) check(fields[name], `parameters.${name}`, kind)

  const callbackUrl = readWebhook(webhookConfig, 'webhookConfig')
  const wire: GeminiWire = { method: 'predictLongRunning', model, text: false, delivery: 'uri' }
  return {
    order: {
      model, operation: 'video', prompt: instance.prompt === undefined ? '' : text(instance.prompt, 'instances[0].prompt'), parameters,
      ...(callbackUrl === null ? {} : { callbackUrl }),
      ...(idle.length > 0 ? { warnings: [`Without effect here: ${idle.map(([name]) => name).join(', ')}.`] } : {}),
      wire: { protocol: 'gemini', body: { ...wire } },
    },
    wire, pictures: readFrames(instance), names, thoughts: false,
  }
}

/** The one address that is called back. @throws {Problem} when there are several */
export function readWebhook(value: unknown, place: string): string | null {
  if (value === undefined) return null
  const { uris } = readFields(value, place, ['uris', 'userMetadata'])
  const all = uris === undefined ? [] : list(uris, join(place, 'uris'))
  if (all.length > 1) throw cannot(join(place, 'uris'), `${join(place, 'uris')}: one address is called back. Register the others as webhooks.`)
  return all.length === 0 ? null : text(all[0], `${join(place, 'uris')}[0]`)
}

function readFrames({ image, lastFrame, referenceImages, video }: Record<string, unknown>): Picture[] {
  const references = referenceImages === undefined ? [] : list(referenceImages, 'instances[0].referenceImages').map((one, index) => {
    const place = `instances[0].referenceImages[${index}]`
    const { image: picture, referenceType } = readFields(one, place, ['image', 'referenceType'])
    const type = referenceType === undefined ? 'asset' : oneOf(text(referenceType, join(place, 'referenceType')).toLowerCase(), join(place, 'referenceType'), ['asset', 'style'])
    return readFrame(picture, join(place, 'image'), type === 'style' ? 'style' : 'reference')
  })
  return [
    ...(image === undefined ? [] : [readFrame(image, 'instances[0].image', 'first_frame')]),
    ...(lastFrame === undefined ? [] : [readFrame(lastFrame, 'instances[0].lastFrame', 'last_frame')]),
    ...references,
    ...(video === undefined ? [] : [readFrame(video, 'instances[0].video', 'video')]),
  ]
}

function readFrame(value: unknown, place: string, role: Role): Picture {
  const { bytesBase64Encoded, encodedVideo, gcsUri, uri } = readFields(value, place, ['bytesBase64Encoded', 'encodedVideo', 'mimeType', 'encoding', 'gcsUri', 'uri'])
  const bytes = bytesBase64Encoded ?? encodedVideo
  if (bytes !== undefined) {
    const data = text(bytes, join(place, bytesBase64Encoded === undefined ? 'encodedVideo' : 'bytesBase64Encoded'))
    if (data === '') throw no(place, `${place} is empty. Send it as base64.`)
    return { field: place, role, source: { data } }
  }
  return { field: place, role, source: { uri: readUri(uri ?? gcsUri, join(place, uri === undefined && gcsUri !== undefined ? 'gcsUri' : 'uri')) } }
}

export const operationName = (model: string, taskId: string): string => `models/${model.replace(/^models\//, '')}/operations/${taskId}`

/** How an operation stands. `link` is where its film can be fetched. */
export function writeOperation(task: Task, link: (asset: Asset) => string): Record<string, unknown> {
  const name = operationName(task.modelAsked, task.id)
  if (!hasEnded(task.state)) return { name, done: false, metadata: { '@type': 'type.googleapis.com/google.ai.generativelanguage.v1beta.PredictLongRunningMetadata', ...(task.progress === null ? {} : { progressPercent: task.progress }) } }
  const isBlocked = blockOf(task.problem) !== null
  if (task.state !== 'done' && !isBlocked) {
    return { name, done: true, error: writeStatus(task.problem ?? { code: 'cancelled', message: 'The task was cancelled.', details: { taskId: task.id } }) }
  }
  const asked = typeof task.parameters.count === 'number' ? task.parameters.count : 1
  return {
    name, done: true,
    response: {
      '@type': 'type.googleapis.com/google.ai.generativelanguage.v1beta.PredictLongRunningResponse',
      generateVideoResponse: isBlocked
        ? { raiMediaFilteredCount: asked, raiMediaFilteredReasons: [task.problem!.message] }
        : { generatedSamples: task.outputs.map(asset => ({ video: { uri: link(asset), mimeType: asset.mime } })), raiMediaFilteredCount: 0, raiMediaFilteredReasons: [] },
    },
  }
}
