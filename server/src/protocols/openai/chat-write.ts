/** Tasks as chat completions, whole and in chunks. Pure. */
import type { Asset } from '../../domain/asset.ts'
import type { Task } from '../../domain/task.ts'
import { isCut } from '../toolkit/talk.ts'
import { writeId } from './ids.ts'
import { unixOf } from './images-write.ts'
import { usageOf } from './usage.ts'

export interface ChatWish { imagesInContent: boolean; link(asset: Asset): string }

const writeImage = <T>(url: T, index: number) => ({ type: 'image_url', index, image_url: { url } })

const writeContent = ({ text, outputs }: Task, { imagesInContent, link }: ChatWish): string =>
  [text ?? '', ...(imagesInContent ? outputs.map(asset => `![image](${link(asset)})`) : [])].filter(part => part !== '').join('\n\n')

export function writeChatUsage(task: Task) {
  const { textIn, imageIn, textOut, imageOut } = usageOf(task)
  return { prompt_tokens: textIn + imageIn, completion_tokens: textOut + imageOut, total_tokens: textIn + imageIn + textOut + imageOut }
}

const finishOf = (task: Task): string => isCut(task) ? 'length' : 'stop'
/** A text has none, not an empty list of them. */
const writeImages = <T>({ operation }: Pick<Task, 'operation'>, urls: T[]) => operation === 'write' ? {} : { images: urls.map((url, index) => writeImage(url, index)) }

export const writeChat = <T>(task: Task, picture: (asset: Asset) => T, wish: ChatWish) => ({
  id: writeId('chatcmpl', task.id), object: 'chat.completion', created: unixOf(task.createdAt), model: task.modelAsked,
  choices: [{
    index: 0, finish_reason: finishOf(task), logprobs: null,
    message: { role: 'assistant', content: writeContent(task, wish), refusal: null, ...writeImages(task, task.outputs.map(picture)) },
  }],
  usage: writeChatUsage(task),
})

const writeChunk = (task: Task, choices: object[], more: object = {}) =>
  ({ id: writeId('chatcmpl', task.id), object: 'chat.completion.chunk', created: unixOf(task.createdAt), model: task.modelAsked, choices, ...more })

const choice = (delta: object, finish_reason: string | null = null) => ({ index: 0, delta, logprobs: null, finish_reason })

export const writeFirstChunk = (task: Task) => writeChunk(task, [choice({ role: 'assistant', content: '' })])

export const writeLastChunks = (task: Task, pictures: unknown[], wish: ChatWish & { includeUsage: boolean }): object[] => [
  writeChunk(task, [choice({ content: writeContent(task, wish), ...writeImages(task, pictures) })]),
  writeChunk(task, [choice({}, finishOf(task))]),
  ...(wish.includeUsage ? [writeChunk(task, [], { usage: writeChatUsage(task) })] : []),
]
