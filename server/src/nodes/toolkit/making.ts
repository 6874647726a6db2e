/** What nodes that buy have in common: the model as a setting, its parameters, pictures in their roles. */
import { Type } from 'typebox'
import type { Media } from '../../domain/graph/graph.ts'
import type { InputReference } from '../../domain/order.ts'
import type { Json } from '../../domain/outcome.ts'
import { port, type NodeMaking, type NodeOrder } from '../contract.ts'

export const modelSetting = (standard: string) => Type.String({ minLength: 1, maxLength: 200, default: standard, description: 'A model of the catalogue, by any of its names.' })

export const parametersSetting = (examples: string) => Type.Optional(Type.Record(Type.String(), Type.Unsafe<Json>({}), { description: `Parameters of the model: ${examples} and so on.` }))

/** Pictures that a model is to go by, each for what it shows. Which of them a model takes stands on its card; the others are refused. */
export const guidePorts = {
  images: Type.Optional(port.images({ description: 'More pictures to go by.' })),
  characters: Type.Optional(port.images({ description: 'Pictures of people or figures that are to stay the same.' })),
  objects: Type.Optional(port.images({ description: 'Pictures of things that are to stay the same.' })),
  styles: Type.Optional(port.images({ description: 'Pictures whose style is wanted.' })),
}

type Ordered = NodeOrder['inputs']
export const inRole = (pictures: Media | Media[] | undefined, role: InputReference['role']): Ordered => [pictures ?? []].flat().map(({ asset }) => ({ asset, role }))

export const guides = ({ images, characters, objects, styles }: Partial<Record<keyof typeof guidePorts, Media[]>>): Ordered =>
  [...inRole(images, 'reference'), ...inRole(characters, 'character'), ...inRole(objects, 'object'), ...inRole(styles, 'style')]

export const pictureOutputs = { image: port.image({ description: 'The first picture.' }), images: port.images({ description: 'All of them.' }), text: Type.Optional(port.text({ description: 'What the model said with them, where it does.' })) }

export const readPictures = ({ outputs, text }: NodeMaking) => ({ image: outputs[0]!, images: outputs, ...(text === null ? {} : { text }) })
