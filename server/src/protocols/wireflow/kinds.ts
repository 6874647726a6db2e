/**
 * Which kind of node of the house serves which of Wireflow's node types, and what its ports and settings are called there. Data, and looking it up.
 *
 * A type that names a model (`generate:nano_banana_pro`) is served by whatever does what the model does. Every kind of the house can also be
 * named as it is: `plantain:<kind>`, with its own ports. What no kind can do is said to be so, never run as something else.
 */
import type { Card } from '../../domain/card.ts'
import type { NodeFace, PortType } from '../../domain/graph/graph.ts'
import { nearest, type Effort } from '../../domain/graph/lint.ts'
import type { Operation } from '../../domain/order.ts'

export interface Row {
  kind: string
  label: string
  /** Where its editor lists it. */
  group: string
  /**
   * Wireflow's names for our inputs. The same input may have several; the first is the one that is shown. `image#` is image1, image2 and so on;
   * `*` is whatever else is wired.
   */
  inputs: Record<string, string>
  outputs: Record<string, string>
  /** Names for what is wired only. */
  wires?: Record<string, string>
  /** Names on the node that say nothing about what is made. */
  idle?: string[]
  /** What stands where nothing is written, other than in the house. */
  standing?: Record<string, string>
}

const imageIn = { 'image#': 'images', image: 'images', images: 'images', image_url: 'images', image_urls: 'images', input_image: 'images', reference_image_urls: 'images' }
const oneImage = { image: 'image', image1: 'image', image_url: 'image', input_image: 'image' }
const imageOut = { images: 'images', image: 'image' }

/** Ports that are counted in both. */
const places = (theirs: string, ours: string, count: number): Record<string, string> =>
  Object.fromEntries(Array.from({ length: count }, (_, index) => [`${theirs}${index + 1}`, `${ours}${ours === 'value' && index === 0 ? '' : index + 1}`]))

const rows: Record<string, Row> = {
  'input:text': { kind: 'text', label: 'Text', group: 'Input', inputs: { prompt: 'text', text: 'text', value: 'text' }, outputs: { prompt: 'text', text: 'text' } },
  'input:image': { kind: 'image', label: 'Import', group: 'Input', inputs: { image: 'image', imageUrl: 'image', media: 'image', url: 'image' }, outputs: { image: 'image', media: 'image', url: 'image' }, idle: ['mediaType', 'inputType'] },
  'input:video': { kind: 'video', label: 'Video', group: 'Input', inputs: { video: 'video', videoUrl: 'video', media: 'video', url: 'video' }, outputs: { video: 'video', media: 'video', url: 'video' }, idle: ['mediaType', 'inputType'] },
  'input:audio': { kind: 'audio', label: 'Audio', group: 'Input', inputs: { audio: 'audio', audioUrl: 'audio', media: 'audio', url: 'audio' }, outputs: { audio: 'audio', media: 'audio', url: 'audio' }, idle: ['mediaType', 'inputType'] },
  'input:number': { kind: 'number', label: 'Number', group: 'Input', inputs: { number: 'number', value: 'number' }, outputs: { number: 'number', value: 'number' } },
  'input:boolean': { kind: 'boolean', label: 'Yes or no', group: 'Input', inputs: { boolean: 'value', value: 'value' }, outputs: { boolean: 'value', value: 'value' } },
  'model:fal:text-to-image': { kind: 'generate', label: 'Text to image', group: 'Generate', inputs: { prompt: 'prompt', ...imageIn }, outputs: imageOut },
  'llm:openrouter_router': { kind: 'write', label: 'LLM', group: 'Text', inputs: { prompt: 'prompt', userPrompt: 'prompt', system_prompt: 'system', systemPrompt: 'system', 'image#': 'images', image: 'images', frames: 'images', model: 'model', max_tokens: 'max_tokens', temperature: 'temperature' }, outputs: { text: 'text', prompt: 'text' } },
  'utility:prompt_concat': { kind: 'concat', label: 'Join prompts', group: 'Utility', inputs: { ...places('prompt', 'text', 8), prompt: 'text1', separator: 'separator' }, outputs: { prompt: 'text', text: 'text' } },
  'utility:build_data': { kind: 'records', label: 'Build data', group: 'Utility', inputs: { records: 'records', images: 'images', 'image#': 'images', imageKey: 'image_name' }, outputs: { data: 'records', records: 'records' }, standing: { image_name: 'bg' } },
  'utility:json_multi_extract': { kind: 'extract', label: 'Extract from JSON', group: 'Utility', inputs: { json: 'from', data: 'from', text: 'from', paths: 'paths' }, outputs: { value: 'value', ...places('value', 'value', 8), text: 'value', json: 'values' } },
  compv3: { kind: 'layered', label: 'Compositor', group: 'Process', inputs: { background: 'background', ...places('layer_', 'layer', 8), layers: 'layers', data: 'data', width: 'width', height: 'height' }, outputs: { image: 'images', images: 'images' } },
  'blueprint:invoke': { kind: 'workflow', label: 'Run a workflow', group: 'Flow', inputs: { workflowId: 'workflow', blueprintId: 'workflow', workflow: 'workflow', inputs: 'inputs', '*': 'value' }, outputs: { '*': 'value', outputs: 'outputs' } },
  'output:preview': { kind: 'output', label: 'Preview', group: 'Output', inputs: { '*': 'value' }, outputs: { '*': 'value' } },
}

/** A family of which only the name is known: the list stands at `items`, and what follows runs once for each. */
const iterator: Row = { kind: 'iterate', label: 'Iterate', group: 'Flow', inputs: { items: 'items', list: 'items', group: 'group', maxConcurrency: 'parallelism', '*': 'items' }, outputs: { item: 'item', index: 'index', '*': 'item' } }

/** What its models do, as rows of the kinds that do it. */
const operations: Record<Operation, Row> = {
  generate: { kind: 'generate', label: '', group: 'Generate', inputs: { prompt: 'prompt', ...imageIn }, outputs: imageOut },
  edit: { kind: 'generate', label: '', group: 'Edit', inputs: { prompt: 'prompt', ...imageIn }, outputs: imageOut },
  upscale: { kind: 'upscale', label: '', group: 'Enhance', inputs: { ...oneImage, prompt: 'prompt' }, outputs: imageOut },
  remove_background: { kind: 'remove_background', label: '', group: 'Enhance', inputs: oneImage, outputs: imageOut },
  write: { kind: 'write', label: '', group: 'Text', inputs: { prompt: 'prompt', system_prompt: 'system', 'image#': 'images', image: 'images', max_tokens: 'max_tokens', temperature: 'temperature' }, outputs: { text: 'text', prompt: 'text' } },
  video: {
    kind: 'generate_video', label: '', group: 'Video', outputs: { video: 'video', text: 'text' },
    inputs: { prompt: 'prompt', image_url: 'first_frame', image: 'first_frame', image1: 'first_frame', start_image_url: 'first_frame', end_image_url: 'last_frame', reference_image_urls: 'images', 'image#': 'images', video_url: 'video', video: 'video' },
  },
}

/** What a family's models are wanted for, the likeliest first. */
const wanted: Record<string, Operation[]> = {
  generate: ['generate', 'edit', 'video', 'upscale', 'remove_background'], image: ['generate', 'edit', 'upscale', 'remove_background'], edit: ['edit', 'generate'], video: ['video'],
  upscale: ['upscale'], enhance: ['upscale', 'remove_background'], process: ['upscale', 'remove_background', 'edit'], model: ['generate', 'edit', 'video'], llm: ['write'], text: ['write'],
}

/** Names of Wireflow's for parameters of models. */
export const parameterNames: Record<string, string> = {
  num_images: 'count', numImages: 'count', n: 'count', aspectRatio: 'aspect_ratio', duration: 'duration_s', guidance_scale: 'guidance', num_inference_steps: 'steps', negativePrompt: 'negative_prompt', upscale_factor: 'factor',
  outputFormat: 'output_format', generate_audio: 'sound',
}

/** Names of shapes its models share. */
export const imageSizes: Record<string, string> = { square_hd: '1:1', square: '1:1', portrait_4_3: '3:4', portrait_16_9: '9:16', landscape_4_3: '4:3', landscape_16_9: '16:9' }

/** A member of a table, and never one that every object has. */
export const own = <T>(table: Record<string, T>, name: string): T | undefined => Object.hasOwn(table, name) ? table[name] : undefined

export interface House { faces: ReadonlyMap<string, NodeFace>; cards: Card[]; /** For guessing what was meant, over all of a graph. */ effort?: Effort }

/**
 * Node types of models that are no more, by the types of the models that came after them. Its own server puts new names into old drawings as well and tells of it
 * (`migrations`); whoever saves or runs such a drawing is told here, with what is made instead.
 */
const successors: Record<string, string> = {
  'generate:imagen_3': 'generate:imagen_4', 'generate:kling_1_6_pro': 'video:kling_2_5_turbo', 'video:kling_1_6_pro': 'video:kling_2_5_turbo', 'video:bytedance_seedance_v1_lite_text_to_video': 'video:seedance_1_5_pro',
}

export interface Service {
  row: Row; face: NodeFace; /** The model it is made with, where the type names one. */ card: Card | null
  /** The type it is served as, where its own is of a model that is no more. */
  instead?: string
}
export type Unserved = { message: string; fix: string; /** Drawn, not run. */ isDrawn?: boolean }

const wordOf = (name: string): string => name.toLowerCase().replace(/[^a-z0-9]+/g, '_').replace(/^_+|_+$/g, '')

/** A model by the name in a node type: as a card has it for Wireflow, or the card's own with underscores. */
export const cardOf = (cards: Card[], nodeType: string): Card | null =>
  cards.find(({ dialects }) => dialects.wireflow?.some(({ id }) => id === nodeType)) ?? cards.find(({ id, aliases = [] }) => [id, ...aliases].some(one => wordOf(one) === wordOf(nodeType.slice(nodeType.indexOf(':') + 1)))) ?? null

const familyOf = (nodeType: string): string => nodeType.includes(':') ? nodeType.slice(0, nodeType.indexOf(':')) : ''

/** What stands on a board and is never run. */
export const isDrawnOnly = (type: unknown, nodeType: string): boolean => type === 'stickyNote' || type === 'custom_group' || nodeType === 'utility:sticky_note'

/** Who serves a node type. `logic:router` is nobody's: what comes in there goes on as if it were not there (`graph.ts`). */
export function serve(nodeType: string, inputType: unknown, { faces, cards, effort }: House): Service | Unserved {
  if (nodeType.startsWith('plantain:')) {
    const face = faces.get(nodeType.slice('plantain:'.length))
    if (!face) return { message: `There is no kind of node ${nodeType.slice('plantain:'.length, 100)} here.`, fix: hint(nodeType.slice('plantain:'.length), [...faces.keys()], 'plantain:', effort) }
    return { row: plainRow(face), face, card: null }
  }
  // Its one import node takes pictures, films and sounds.
  const named = nodeType === 'input:image' && (inputType === 'video' || inputType === 'audio') ? `input:${inputType}` : nodeType
  const row = own(rows, named) ?? (familyOf(nodeType) === 'iterator' ? iterator : undefined)
  if (row) return settled(row, nodeType, faces, null)
  const card = cardOf(cards, nodeType)
  const operation = card && (own(wanted, familyOf(nodeType)) ?? wanted.generate!).find(one => card.operations.includes(one))
  if (card && operation) return settled({ ...operations[operation], label: card.title }, nodeType, faces, card)
  const successor = own(successors, nodeType)
  if (successor !== undefined) { const served = serve(successor, undefined, { faces, cards }); return 'row' in served ? { ...served, instead: successor } : served }
  const unmade = families.find(({ of }) => of.test(nodeType))
  if (unmade) return { message: `${nodeType.slice(0, 100)} is not made here: ${unmade.why}`, fix: unmade.fix }
  return { message: `There is no node type ${nodeType.slice(0, 100)} here.`, fix: hint(nodeType, typesOf({ faces, cards }), '', effort) }
}

/** What its catalogue has and this server does not do, with what to do instead. */
const families: { of: RegExp; why: string; fix: string }[] = [
  { of: /^audio:whisper/, why: 'nothing here writes down what is said.', fix: 'Take it out and give the words with an input:text node, or run this workflow at Wireflow.' },
  { of: /^audio:/, why: 'this server makes pictures, films and texts, and no sound.', fix: 'Take it out and bring a sound that was made elsewhere in with an import node (input:audio), or run this workflow at Wireflow.' },
  { of: /^(video|compose):remotion/, why: 'scenes written for Remotion are not rendered.', fix: 'Take it out: a video model of GET /api/v1/nodes makes films, compv3 lays texts over pictures. Or run this workflow at Wireflow.' },
  { of: /^process:video_composite/, why: 'films are not put together.', fix: 'Take it out and give each film on by itself (output:preview), or run this workflow at Wireflow.' },
  { of: /^action:/, why: 'nothing is posted to other services.', fix: 'Take it out and send what was made to an address of yours with plantain:publish ("to": "http"), or run this workflow at Wireflow.' },
]

function settled(row: Row, nodeType: string, faces: House['faces'], card: Card | null): Service | Unserved {
  const face = faces.get(row.kind)
  const among = (names: Record<string, string>, ports: { id: string }[]) => Object.fromEntries(Object.entries(names).filter(([, port]) => ports.some(({ id }) => id === port)))
  return face ? { row: { ...row, inputs: among(row.inputs, face.inputs), outputs: among(row.outputs, face.outputs) }, face, card } : { message: `This server has no node that does what ${nodeType.slice(0, 100)} does.`, fix: 'Take it out, or run this workflow at Wireflow. GET /api/v1/nodes lists what there is.' }
}

const hint = (name: string, names: string[], prefix: string, effort?: Effort): string => {
  const near = nearest(name, names, effort)
  return near === null ? 'GET /api/v1/nodes lists what there is.' : `Did you mean "${prefix}${near}"?`
}

const plainRow = (face: NodeFace): Row => ({
  kind: face.id, label: face.title, group: 'Plantain', inputs: Object.fromEntries(face.inputs.map(({ id }) => [id, id])), outputs: Object.fromEntries(face.outputs.map(({ id }) => [id, id])),
})

/** Every type there is, for the catalogue. Models by the first name a card has for Wireflow, else by their own. */
export function typesOf({ faces, cards }: House): string[] {
  const models = cards.filter(({ life }) => life.state !== 'retired').flatMap(card => {
    const own = card.dialects.wireflow?.map(({ id }) => id) ?? []
    const family = card.operations.includes('generate') ? 'generate' : card.operations.includes('edit') ? 'edit' : card.operations.includes('video') ? 'video' : card.operations.includes('write') ? 'llm' : 'process'
    return [...new Set([...own, `${family}:${wordOf(card.id)}`])]
  })
  return [...Object.keys(rows), 'iterator:list', ...models, ...[...faces.keys()].map(kind => `plantain:${kind}`)]
}

/** Words that mean a port of a type, whatever the node calls it. */
const meanings: Partial<Record<PortType, string[]>> = {
  image: ['image', 'images', 'media', 'url', 'image_url', 'imageUrl', 'image1'], text: ['prompt', 'text'], video: ['video', 'media', 'url', 'video_url', 'videoUrl'], audio: ['audio', 'media', 'url', 'audio_url', 'audioUrl'],
}

const numbered = /^([A-Za-z_]+?)_?(\d{1,3})$/

/** Where a name leads: by the row, by our own name, by what the word means; `*` last. Null where it leads nowhere. */
function lookUp(name: string, names: Record<string, string>, ports: { id: string; type: PortType }[]): { port: string; place: number } | null {
  const at = numbered.exec(name)
  const many = at && own(names, `${at[1]}#`)
  const direct = own(names, name)
  // Where a name is the first of many, its number says where it stands among them.
  if (many && (direct === undefined || direct === many)) return { port: many, place: Number(at[2]) }
  if (direct !== undefined && name !== '*') return { port: direct, place: 0 }
  const same = ports.find(({ id }) => id === name)
  if (same) return { port: same.id, place: 0 }
  const meant = ports.find(({ type }) => meanings[type]?.includes(name))
  if (meant) return { port: meant.id, place: 0 }
  const any = names['*']
  return any === undefined ? null : { port: any, place: at ? Number(at[2]) : 0 }
}

export const inputOf = ({ row, face }: Service, name: string) => lookUp(name, { ...row.inputs, ...row.wires }, face.inputs.filter(({ wireable }) => wireable))
/** The same for what is written on a node: settings too. */
export const settingOf = ({ row, face }: Service, name: string) => lookUp(name, Object.fromEntries(Object.entries(row.inputs).filter(([one]) => one !== '*')), face.inputs)
export const outputOf = ({ row, face }: Service, name: string) => lookUp(name, row.outputs, face.outputs)

/** What callers may call the input of a node, without looking at what there is here. */
export const wordsFor = (nodeType: string, inputType: unknown, port: string): string[] => {
  const named = nodeType === 'input:image' && (inputType === 'video' || inputType === 'audio') ? `input:${inputType}` : nodeType
  return namesOf(own(rows, named)?.inputs ?? {}, port)
}

/** What an input is called at Wireflow: the first name the row has for it. */
export const nameOf = (names: Record<string, string>, port: string): string => (Object.entries(names).find(([name, ours]) => ours === port && name !== '*')?.[0] ?? port).replace('#', '1')
export const namesOf = (names: Record<string, string>, port: string): string[] => [...Object.entries(names).flatMap(([name, ours]) => ours === port && name !== '*' ? [name.replace('#', '1')] : []), port]
