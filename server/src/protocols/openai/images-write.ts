/** Tasks as answers of `/v1/images/*`. Pure: what is read and signed is handed in. */
import type { Asset } from '../../domain/asset.ts'
import type { Task } from '../../domain/task.ts'
import { usageOf, writeUsage } from './usage.ts'
import { statusOf } from './videos-write.ts'

export const unixOf = (date: Date): number => Math.floor(date.getTime() / 1_000)

/** What was really made, in their words; never `auto`. */
export function writeEffects(task: Task, asset: Asset | undefined = task.outputs[0]) {
  const { background, quality } = task.parameters
  return {
    background: background === 'transparent' ? 'transparent' : 'opaque',
    output_format: asset?.mime.replace('image/', '') ?? 'png',
    quality: typeof quality === 'string' ? quality : 'auto',
    size: asset?.width && asset.height ? `${asset.width}x${asset.height}` : 'auto',
  }
}

/** What was said with the pictures, which upstream has no place for: its clients hand on what they do not know. */
const writeWords = ({ text, details: { revised_prompt: revised } }: Task) => ({ ...(typeof revised === 'string' ? { revised_prompt: revised } : {}), ...(text ? { text } : {}) })

/** `picture` says how one stands in the answer: as base64 or as a link. */
export function writeImages<T>(task: Task, picture: (asset: Asset) => T) {
  return {
    created: unixOf(task.endedAt ?? task.createdAt),
    ...writeEffects(task),
    data: task.outputs.map(asset => ({ ...picture(asset), ...writeWords(task) })),
    usage: writeUsage(usageOf(task)),
  }
}

/** For who does not want to wait (`Prefer: respond-async`): which task it is. Clients that look for pictures find none yet. */
export const writeAccepted = (task: Task) => ({ id: task.id, object: 'task', created: unixOf(task.createdAt), status: statusOf(task), data: [] })

export type ImageEvent = 'image_generation' | 'image_edit'

export function writePartial(name: ImageEvent, task: Task, { index, base64, mime }: { index: number; base64: string; mime: string }, size: string | null) {
  return { type: `${name}.partial_image`, partial_image_index: index, b64_json: base64, created_at: unixOf(task.createdAt), ...writeEffects(task), size: size ?? 'auto', output_format: mime.replace('image/', '') }
}

/** With several pictures the usage stands with the last one, so that adding them up gives what was used. */
export function writeCompleted(name: ImageEvent, task: Task, asset: Asset, base64: unknown, isLast: boolean) {
  const usage = usageOf(task)
  const share = Math.floor(usage.imageOut / task.outputs.length)
  const rest = usage.imageOut - share * (task.outputs.length - 1)
  return {
    type: `${name}.completed`, b64_json: base64, created_at: unixOf(task.endedAt ?? task.createdAt), ...writeEffects(task, asset), ...writeWords(task),
    usage: writeUsage(isLast ? { ...usage, imageOut: rest } : { textIn: 0, imageIn: 0, textOut: 0, imageOut: share }),
  }
}
