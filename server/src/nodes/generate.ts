import { Type } from 'typebox'
import type { Json } from '../domain/outcome.ts'
import { node, port } from './contract.ts'

/** Pictures from a prompt; the model is a setting. */
export default node({
  id: 'generate', title: 'Generate', category: 'make', description: 'Makes pictures from a prompt, with pictures to go by if there are any. The model is a setting.',
  inputs: Type.Object({
    prompt: port.text({ minLength: 1, description: 'What is wanted.' }),
    images: Type.Optional(port.images({ description: 'Pictures to go by.' })),
    model: Type.String({ minLength: 1, default: 'nano-banana-2', description: 'A model of the catalogue, by any of its names.' }),
    parameters: Type.Optional(Type.Record(Type.String(), Type.Unsafe<Json>({}), { description: 'Parameters of the model: aspect_ratio, resolution, count, seed and so on.' })),
  }),
  outputs: Type.Object({ image: port.image({ description: 'The first picture.' }), images: port.images({ description: 'All of them.' }), text: port.text({ description: 'What the model said with them, where it does.' }) }),
  order: ({ prompt, images = [], model, parameters = {} }) => ({ model, operation: images.length > 0 ? 'edit' : 'generate', prompt, parameters, inputs: images.map(({ asset }) => ({ asset, role: 'reference' as const })) }),
  read: ({ outputs, text }) => ({ image: outputs[0]!, images: outputs, ...(text === null ? {} : { text }) }),
})
