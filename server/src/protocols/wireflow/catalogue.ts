/** The catalogue of nodes: what can be drawn, with its ports and settings as Wireflow's editor and tools read them. */
import type { Port, PortType } from '../../domain/graph/graph.ts'
import type { Card } from '../../domain/card.ts'
import type { Route } from '../contract.ts'
import { nameOf, serve, typesOf, type House, type Service } from './kinds.ts'
import { houseOf } from './saved.ts'
import { json } from './view.ts'

const types: Record<PortType, string> = { text: 'TEXT', number: 'NUMBER', boolean: 'BOOLEAN', image: 'IMAGE', video: 'VIDEO', audio: 'AUDIO', json: 'JSON', any: 'JSON' }

const viewPort = (port: Port, names: Record<string, string>) => ({
  id: nameOf(names, port.id), type: types[port.type], label: port.title, required: port.required && port.schema.default === undefined, isPort: port.wireable, ...(port.schema.description === undefined ? {} : { description: port.schema.description }),
  ...(port.schema.default === undefined ? {} : { default: port.schema.default }), ...(Array.isArray(port.schema.enum) ? { options: port.schema.enum } : {}),
})

/** Parameters of a model are settings of its node. */
const viewParameters = ({ parameters, output }: Card) => Object.entries((parameters.properties ?? {}) as Record<string, { type?: string; enum?: unknown[]; default?: unknown; description?: string }>).map(([id, schema]) => ({
  id: id === 'count' ? 'num_images' : id, type: schema.type === 'integer' || schema.type === 'number' ? 'NUMBER' : schema.type === 'boolean' ? 'BOOLEAN' : 'TEXT', label: id === 'count' ? 'Images' : `${id[0]!.toUpperCase()}${id.slice(1).replaceAll('_', ' ')}`, required: false, isPort: false,
  ...(schema.description === undefined ? {} : { description: schema.description }), ...(schema.default === undefined ? {} : { default: schema.default }), ...(schema.enum === undefined ? {} : { options: schema.enum }), ...(id === 'count' ? { max: output.countMax } : {}),
}))

function viewType(nodeType: string, { row, face, card }: Service) {
  const isModel = card !== null
  const many = Object.keys(row.inputs).some(name => name.endsWith('#'))
  return {
    nodeType, label: row.label || face.title, category: row.group, description: card?.description ?? face.description,
    inputs: [...face.inputs.filter(({ id }) => !isModel || id !== 'model' && id !== 'parameters').map(port => viewPort(port, row.inputs)), ...(card ? viewParameters(card) : [])],
    outputs: face.outputs.map(port => ({ id: nameOf(row.outputs, port.id), type: types[port.type], label: port.title })),
    dynamicPorts: many || Object.hasOwn(row.inputs, '*'), expandedImageInputs: many ? card?.inputs.max ?? 14 : 0,
  }
}

export const viewCatalogue = (house: House) => typesOf(house).flatMap(nodeType => {
  const service = serve(nodeType, undefined, house)
  return 'row' in service ? [viewType(nodeType, service)] : []
})

export const catalogue: Route[] = [{
  method: 'GET', path: '/api/v1/nodes', scope: 'tasks:read', about: { tag: 'Wireflow', summary: 'List the types of nodes', description: 'Wireflow’s own types this server serves, a type for every model, and every kind of the house as `plantain:<kind>`.' },
  handle: async (_request, desk) => json({ nodes: viewCatalogue(houseOf(desk)) }),
}]
