/**
 * A node is one step of a workflow: a file beside this one whose default export says what goes in, what comes out, and how.
 *
 * The two schemas draw its form and check its wires. A node that buys something only says what (`order`); the house buys it, once,
 * holds its price and hands back what was made. Absent on purpose: the database, the engine, other nodes, waiting.
 */
import { Type } from 'typebox'
import type { Static, TObject, TSchema, TSchemaOptions } from 'typebox'
import type { Proposal } from '../domain/graph/baseline.ts'
import type { Media, NodeFace, Port, PortType } from '../domain/graph/graph.ts'
import type { JsonSchema } from '../domain/card.ts'
import type { Operation, Role } from '../domain/order.ts'
import type { Json } from '../domain/outcome.ts'

type About = TSchemaOptions & { description?: string; title?: string }
const wired = (type: PortType, about: About, list = false) => ({ ...about, 'x-port': type, ...(list ? { 'x-list': true } : {}) })
/** A picture, film or sound by its asset; in settings and run inputs a string is taken too: an asset's id, a link or a data URL. */
const mediaShape = { type: 'object', required: ['asset', 'sha256', 'mime', 'width', 'height'] }
const media = (type: PortType, about: About) => Type.Unsafe<Media>({ ...mediaShape, ...wired(type, about) })
const manyMedia = (type: PortType, about: About) => Type.Unsafe<Media[]>({ type: 'array', items: mediaShape, ...wired(type, about, true) })

/** Ports: inputs and outputs that can be wired. A property made otherwise is a setting, written on the node. */
export const port = {
  text: (about: About & { minLength?: number; maxLength?: number; default?: string } = {}) => Type.String(wired('text', about)),
  number: (about: About & { minimum?: number; maximum?: number; default?: number } = {}) => Type.Number(wired('number', about)),
  integer: (about: About & { minimum?: number; maximum?: number; default?: number } = {}) => Type.Integer(wired('number', about)),
  boolean: (about: About & { default?: boolean } = {}) => Type.Boolean(wired('boolean', about)),
  image: (about: About = {}) => media('image', about),
  video: (about: About = {}) => media('video', about),
  audio: (about: About = {}) => media('audio', about),
  images: (about: About & { maxItems?: number } = {}) => manyMedia('image', about),
  texts: (about: About & { maxItems?: number } = {}) => Type.Array(Type.String(), wired('text', about, true)),
  json: (about: About = {}) => Type.Unsafe<Json>(wired('json', about)),
  any: (about: About & { 'x-follows'?: string } = {}) => Type.Unsafe<Json>(wired('any', about)),
  list: (about: About & { 'x-follows'?: string; maxItems?: number } = {}) => Type.Unsafe<Json[]>({ type: 'array', ...wired('any', about, true) }),
}

/** What a node buys: an order whose pictures are assets already. Priced and checked as any other. */
export interface NodeOrder {
  model: string
  operation?: Operation
  prompt: string
  parameters: Record<string, Json>
  inputs: { asset: string; role: Role }[]
}

/** What was made of it. */
export interface NodeMaking { outputs: Media[]; text: string | null; details: Record<string, Json>; taskId: string; costMicros: number }

/** What a person is asked. */
export interface ReviewAsk {
  candidates: Media[]
  /** How many may be chosen. */
  chooseMin: number
  chooseMax: number
  note: string | null
  /** Seconds until nobody answers any more, and what happens then. */
  timeoutS: number | null
  onTimeout: 'approve' | 'reject'
}

export const faces = ['sans', 'body', 'serif', 'display', 'script', 'marker', 'cond', 'deco', 'pixel'] as const
export interface TypeOptions {
  /** The box, in pixels. */
  width: number
  height: number
  maxSize?: number
  maxLines?: number
  face?: (typeof faces)[number]
  /** CSS colours: of the letters, of a line around them, of their shadow. */
  fill?: string
  stroke?: string
  shadow?: string
  align?: 'left' | 'center' | 'right'
}
/** RGBA, not premultiplied, row by row. */
export interface Plate { pixels: Buffer; width: number; height: number }

/** Places of the operator's. */
export type PublishTo = 'folder' | 's3'

/** Something that is to be published: what, and where (a path in a place of the operator's, or an address). */
export interface Publication { to: PublishTo | 'http'; address: string; sha256: string; sizeBytes: number }

/** What a node that computes is handed. */
export interface Bench {
  livemode: boolean
  now(): Date
  signal: AbortSignal
  /** The bytes of a picture, film or sound, the caller's own. */
  read(media: Media): Promise<Buffer>
  /** A file of the project; as `media` too where it is a picture. @throws {Problem} `not_found` */
  file(id: string): Promise<{ name: string | null; mime: string; sizeBytes: number; media: Media | null; open(): Promise<Buffer> }>
  /** Sets a text in type of our own, on nothing, as large as it fits the box or as `maxSize` says; cut to the ink, with where that begins in the box and the size of the letters. */
  type(text: string, options: TypeOptions): Promise<Plate & { left: number; top: number; size: number }>
  /** Keeps bytes that were made here as an asset of the project. Type and size are checked. */
  keep(bytes: Uint8Array, name?: string): Promise<Media>
  /** The approved picture of this name, to compare with; null where none was approved yet. */
  baseline(name: string): Promise<Media | null>
  /** Proposes a picture as the new baseline; it counts once a person has approved it, or at once where `approve` says so. */
  propose(name: string, media: Media, approve: boolean): Promise<Proposal>
  /** `fetch` to public addresses, with a deadline and a size cap. */
  fetch: typeof globalThis.fetch
  /**
   * What is to be published, before any of it is: whether it may be, and counted towards what an execution and a project's day may publish; all of it or
   * nothing. The same thing at the same place counts once for an execution. `takeBack` is for what surely was not taken.
   *
   * @throws {Problem} `too_large`, `rate_limited` beyond a limit of the operator's; `bad_request` where a place was not opened, or for a path that leads elsewhere
   */
  count(things: Publication[]): Promise<{ takeBack(things: Publication[]): Promise<void> }>
  /** Bytes of the file. @throws {Problem} `bad_input_image` where it is gone */
  sizeOf(media: Media): Promise<number>
  /** Writes into the folder or the bucket an operator opened for publishing; gives the address it can be found at. The same again is the same again. @throws {Problem} `bad_request` where none was opened, or for a path that leads elsewhere */
  publish(to: PublishTo, path: string, bytes: Uint8Array, mime: string): Promise<string>
  /** Headers by which a receiver can tell that a message is ours: those of Standard Webhooks, with the project's secret for call backs. */
  sign(id: string, body: Uint8Array): Promise<Record<string, string>>
  log: { info(fields: object, message: string): void; warn(fields: object, message: string): void }
}

type Given<O extends TObject> = { [K in keyof Static<O>]?: Static<O>[K] }

interface Common<I extends TObject, O extends TObject> {
  id: string
  title: string
  category: 'input' | 'make' | 'text' | 'picture' | 'check' | 'flow' | 'output'
  description: string
  /** Raise it when the same inputs make something else; 1 where nothing is said. */
  version?: number
  role?: NodeFace['role']
  /** False where running is the point, or the same inputs may give something else. */
  reusable?: boolean
  inputs: I
  /**
   * Refuses inputs that cannot work together, before anything in front of this node is bought. Those that only the run will tell are there as a symbol,
   * so it looks at what is missing and at settings. Pure.
   *
   * @throws {Problem} `bad_request`
   */
  sound?(inputs: Readonly<Partial<Record<keyof Static<I>, unknown>>>): void
  /** Those that may give nothing are optional: what hangs on them is not promised beforehand. */
  outputs: O
}

/** It computes, within the step's deadline. A port left out gives nothing, and what hangs on it is skipped. */
export interface Computing<I extends TObject = TObject, O extends TObject = TObject> extends Common<I, O> {
  run(inputs: Static<I>, bench: Bench): Promise<Given<O>> | Given<O>
  /** Whether these inputs may take more than a moment: then it runs on another thread, where `bench.fetch` is not. Nodes for pictures and checks always do. */
  heavy?(inputs: Static<I>): boolean
}
/** It buys: `order` says what, purely, so that the planner can price it; `read` turns what was made into outputs. */
export interface Buying<I extends TObject, O extends TObject> extends Common<I, O> { order(inputs: Static<I>): NodeOrder; read(making: NodeMaking, inputs: Static<I>): Given<O> }
/** It asks a person. */
export interface Asking<I extends TObject, O extends TObject> extends Common<I, O> { review(inputs: Static<I>): ReviewAsk; chosen(chosen: Media[], inputs: Static<I>): Given<O> }
/** It runs another workflow by its slug or id, and gives what that one puts out. */
export interface Calling<I extends TObject, O extends TObject> extends Common<I, O> { call(inputs: Static<I>): { workflow: string; inputs: Record<string, Json> }; returned(outputs: Record<string, Json>, inputs: Static<I>): Given<O> }

export type Node<I extends TObject = TObject, O extends TObject = TObject> = Computing<I, O> | Buying<I, O> | Asking<I, O> | Calling<I, O>

/** Declares a node; the types of its ports flow into its functions. */
export function node<I extends TObject, O extends TObject>(declared: Computing<I, O>): Computing<I, O>
export function node<I extends TObject, O extends TObject>(declared: Buying<I, O>): Buying<I, O>
export function node<I extends TObject, O extends TObject>(declared: Asking<I, O>): Asking<I, O>
export function node<I extends TObject, O extends TObject>(declared: Calling<I, O>): Calling<I, O>
export function node(declared: unknown): unknown { return declared }

const titleOf = (name: string): string => `${name[0]!.toUpperCase()}${name.slice(1).replaceAll('_', ' ')}`

function portsOf(schema: TObject): Port[] {
  const required = new Set((schema.required as string[] | undefined) ?? [])
  return Object.entries(schema.properties as Record<string, TSchema & Record<string, unknown>>).map(([id, property]) => ({
    id,
    title: (property.title as string | undefined) ?? titleOf(id),
    type: (property['x-port'] as PortType | undefined) ?? settingType(property),
    list: property['x-list'] === true,
    required: required.has(id),
    wireable: property['x-port'] !== undefined,
    ...(typeof property['x-follows'] === 'string' ? { follows: property['x-follows'] } : {}),
    schema: JSON.parse(JSON.stringify(property)) as JsonSchema,
  }))
}

const settingType = ({ type }: { type?: unknown }): PortType => type === 'string' ? 'text' : type === 'number' || type === 'integer' ? 'number' : type === 'boolean' ? 'boolean' : 'json'

/** What a graph may know of a node. */
export const faceOf = (declared: Node): NodeFace => ({
  id: declared.id, title: declared.title, category: declared.category, description: declared.description, version: declared.version ?? 1, role: declared.role ?? 'plain',
  makes: 'order' in declared ? 'order' : 'review' in declared ? 'review' : 'call' in declared ? 'call' : 'nothing',
  reusable: declared.reusable ?? true,
  inputs: portsOf(declared.inputs), outputs: portsOf(declared.outputs),
})
