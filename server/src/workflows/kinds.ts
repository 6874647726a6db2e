/** The kinds of nodes there are, with what checks their values. */
import { Compile } from 'typebox/compile'
import type { CheckSetting } from '../domain/graph/lint.ts'
import type { Json } from '../domain/outcome.ts'
import type { NodeFace, Port } from '../domain/graph/graph.ts'
import { mediaIn, refuse, refuseLarge, unknown, type Resolved } from '../domain/graph/values.ts'
import { faceOf, type Node } from '../nodes/contract.ts'

export interface Kinds {
  faces: ReadonlyMap<string, NodeFace>
  node(kind: string): Node
  /** A sentence for a setting that does not fit; media in settings may still be an id, a link or a data URL. */
  checkSetting: CheckSetting
  /** Refuses inputs of a run that do not fit, as far as they are known. @throws {Problem} `bad_request` */
  checkInputs(nodeId: string, face: NodeFace, values: Resolved): void
}

const isMediaPort = ({ type }: Port) => type === 'image' || type === 'video' || type === 'audio'
const mediaWords: Record<string, string> = { image: 'a picture', video: 'a film', audio: 'a sound' }
/** A film may come as an animated picture. */
const isOf = (type: string, mime: string): boolean => mime.startsWith(`${type}/`) || type === 'video' && (mime === 'image/webp' || mime === 'image/gif')
/** How a picture may stand in a setting. */
const namesMedia = (value: Json): boolean => typeof value === 'string' && value.length > 0 || typeof value === 'object' && value !== null && 'asset' in value

interface Flaw { instancePath: string; message: string; params: Record<string, unknown> }

export function createKinds(all: Node[]): Kinds {
  const nodes = new Map(all.map(one => [one.id, one]))
  const faces = new Map(all.map(one => [one.id, faceOf(one)]))
  const compiled = new Map<string, { Check(value: unknown): boolean; Errors(value: unknown): Flaw[] }>()
  const checkOf = (kind: string, port: string) => {
    const name = `${kind}\n${port}`
    let check = compiled.get(name)
    if (!check) compiled.set(name, check = Compile(nodes.get(kind)!.inputs.properties[port]!) as never)
    return check!
  }
  const flawOf = (face: NodeFace, port: Port, value: Json): string | null => {
    const check = checkOf(face.id, port.id)
    if (check.Check(value)) return null
    const flaw = check.Errors(value)[0]
    const { allowedValues } = flaw?.params ?? {}
    return `${flaw?.instancePath ? `at ${flaw.instancePath} ` : ''}${flaw?.message ?? 'does not fit'}${Array.isArray(allowedValues) ? `: ${allowedValues.join(', ')}` : ''}`
  }
  return {
    faces,
    node: kind => nodes.get(kind)!,
    checkSetting(face, port, value) {
      if (isMediaPort(port)) {
        const fits = port.list && Array.isArray(value) ? value.every(namesMedia) : namesMedia(value)
        return fits ? null : `${port.id} is ${mediaWords[port.type]}: its asset id, a link or a data URL${port.list ? ', or a list of them' : ''}.`
      }
      const flaw = flawOf(face, port, port.list && !Array.isArray(value) ? [value] : value)
      return flaw === null ? null : `${port.id} ${flaw}.`
    },
    checkInputs(nodeId, face, values) {
      refuseLarge(nodeId, values, 'in')
      for (const port of face.inputs) {
        const value = values[port.id]
        if (value === undefined) {
          if (port.required) refuse(nodeId, { port: port.id, message: 'is missing: nothing came to it, and nothing stands in the settings.' })
          continue
        }
        if (value === unknown || face.role === 'collect') continue
        const flaw = flawOf(face, port, value)
        if (flaw !== null) refuse(nodeId, { port: port.id, message: `${flaw}.` })
        const other = isMediaPort(port) ? [...mediaIn(value)].find(({ mime }) => !isOf(port.type, mime)) : undefined
        if (other) refuse(nodeId, { port: port.id, message: `takes ${mediaWords[port.type]}, and what came is ${other.mime}.` })
      }
    },
  }
}
