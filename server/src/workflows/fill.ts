/**
 * Filling in what a workflow is run with: named inputs to nodes and ports, pictures taken in, before anything is begun.
 */
import { Problem } from '../domain/problem.ts'
import { nearest } from '../domain/graph/lint.ts'
import type { Media, Port } from '../domain/graph/graph.ts'
import type { Layout } from '../domain/graph/layout.ts'
import { isMedia, type Given } from '../domain/graph/values.ts'
import type { Json } from '../domain/outcome.ts'
import type { Desk } from '../protocols/contract.ts'
import { isId } from '../kit/id.ts'
import type { Kinds } from './kinds.ts'
import { mediaOf } from './step.ts'

/** Where named inputs go, with the name of one that is missing. Pure. @throws {Problem} `bad_request` */
export function place(layout: Layout, inputs: Record<string, Json>, kinds: Kinds): Given {
  const given: Given = {}
  const names = layout.graph.exposed.map(({ name }) => name)
  for (const name of Object.keys(inputs)) {
    if (names.includes(name)) continue
    const near = nearest(name, names)
    throw new Problem('bad_request', `This workflow has no input ${name}. ${near ? `Did you mean ${near}?` : names.length > 0 ? `It has ${names.join(', ')}.` : 'It has none.'}`, { field: `inputs.${name}`, allowed: names })
  }
  for (const { name, node, port, required } of layout.graph.exposed) {
    const face = layout.faceOf(node)
    const input = face.inputs.find(({ id }) => id === port)!
    const value = inputs[name]
    if (value === undefined || value === null) {
      const standing = layout.nodes.get(node)!.settings[port] !== undefined || input.schema.default !== undefined
      if ((required ?? input.required) && !standing) throw new Problem('bad_request', `The input ${name} is missing.`, { field: `inputs.${name}` })
      continue
    }
    const flaw = kinds.checkSetting(face, input, value)
    if (flaw !== null) throw new Problem('bad_request', `The input ${name} does not fit: ${flaw}`, { field: `inputs.${name}`, value: typeof value === 'string' ? value.slice(0, 100) : value })
    ;(given[node] ??= {})[port] = value
  }
  return given
}

const isMediaPort = ({ type }: Port) => type === 'image' || type === 'video' || type === 'audio'

/** Pictures that stand in settings or were given by id, link or data URL become assets. The same string is taken in once. */
export async function takeIn(layout: Layout, given: Given, desk: Desk): Promise<Given> {
  const filled: Given = structuredClone(given)
  const taken = new Map<string, Promise<Media>>()
  const take = (value: Json, where: string, sounds = false): Promise<Media> | Media => {
    if (isMedia(value) && typeof value === 'object') return checkAsset(value.asset, where)
    if (typeof value === 'object' && value !== null && 'asset' in value && typeof value.asset === 'string') return checkAsset(value.asset, where)
    if (typeof value !== 'string') throw new Problem('bad_request', `${where} is an asset's id, a link or a data URL.`, { field: where })
    let media = taken.get(value)
    if (!media) taken.set(value, media = takeText(value, where, { sounds }))
    return media
  }
  const checkAsset = async (id: string, where: string): Promise<Media> => {
    const asset = await desk.assets.find(id)
    if (!asset) throw new Problem('bad_input_image', `${where} names an asset that is not there. Upload it first (POST /plantain/v1/assets).`, { field: where, value: id.slice(0, 100) })
    return mediaOf(asset)
  }
  const takeText = async (text: string, where: string, options: { sounds: boolean }): Promise<Media> => {
    if (isId(text)) return checkAsset(text, where)
    if (text.startsWith('data:')) return mediaOf(await desk.assets.keep({ dataUrl: text }, options))
    if (!/^https?:\/\//i.test(text)) throw new Problem('bad_request', `${where} is neither an asset's id nor a link nor a data URL.`, { field: where, value: text.slice(0, 100) })
    return mediaOf(await desk.assets.resolveLink(text) ?? await desk.assets.keep({ url: text }, options))
  }
  for (const node of layout.graph.nodes) {
    for (const port of layout.faceOf(node.id).inputs.filter(isMediaPort)) {
      const value = filled[node.id]?.[port.id] ?? node.settings[port.id]
      if (value === undefined || value === null) continue
      const where = `nodes.${node.id}.${port.id}`
      const sounds = port.type === 'audio'
      ;(filled[node.id] ??= {})[port.id] = (Array.isArray(value) ? await Promise.all(value.map(one => take(one, where, sounds))) : port.list ? [await take(value, where, sounds)] : await take(value, where, sounds)) as unknown as Json
    }
  }
  // Lists of pictures for an iteration come in by a port that takes anything: links and data URLs in it are pictures too.
  for (const node of layout.graph.nodes) {
    for (const port of layout.faceOf(node.id).inputs.filter(({ type, list }) => type === 'any' && list)) {
      const value = filled[node.id]?.[port.id] ?? node.settings[port.id]
      if (!Array.isArray(value) || !wantsMedia(layout, node.id)) continue
      ;(filled[node.id] ??= {})[port.id] = await Promise.all(value.map((one, index) => take(one, `nodes.${node.id}.${port.id}[${index}]`))) as unknown as Json
    }
  }
  return filled
}

/** Whether what this node gives goes into a port for pictures, directly or through nodes that only pass it on. */
function wantsMedia(layout: Layout, from: string): boolean {
  // Each node once: ways that part and meet again are as many as two to their number.
  const passing = new Set([from])
  for (const node of passing) {
    for (const { to } of layout.outOf.get(node) ?? []) {
      const face = layout.faceOf(to.node)
      const port = face.inputs.find(({ id }) => id === to.port)
      if (port === undefined) continue
      if (isMediaPort(port)) return true
      if (face.outputs.some(({ follows }) => follows === port.id)) passing.add(to.node)
    }
  }
  return false
}
