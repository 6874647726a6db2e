import { Type } from 'typebox'
import { node, port } from './contract.ts'

const lengths: Record<string, { ask: string; tokens: number }> = {
  short: { ask: 'Describe this picture in one sentence.', tokens: 256 },
  medium: { ask: 'Describe this picture in two to four sentences.', tokens: 512 },
  long: { ask: 'Describe this picture in detail: what is to be seen and where, colours, light, style and any words in it.', tokens: 2_048 },
}

/** A picture in words. */
export default node({
  id: 'describe', title: 'Describe', category: 'text', description: 'Says in words what a picture shows: for alt texts, catalogues, or as the prompt of another picture.',
  inputs: Type.Object({
    image: port.image({ description: 'The picture.' }),
    length: Type.Enum(Object.keys(lengths), { default: 'medium', description: 'A sentence, a few, or everything.' }),
    focus: Type.Optional(port.text({ minLength: 1, maxLength: 4_000, description: 'What matters: `the product and its material`, `as an alt text`, `in French`.' })),
    model: Type.String({ minLength: 1, default: 'gemini-3.5-flash-lite', description: 'A model of the catalogue that writes and takes pictures, by any of its names.' }),
  }),
  outputs: Type.Object({ text: port.text({ description: 'The description.' }) }),
  order: ({ image, length, focus, model }) => ({
    model, operation: 'write', inputs: [{ asset: image.asset, role: 'reference' as const }],
    prompt: `${lengths[length]!.ask}${focus === undefined ? '' : ` ${focus}`} Say only what can be seen, and begin at once.`,
    parameters: { max_tokens: lengths[length]!.tokens },
  }),
  read: ({ text }) => ({ text: text ?? '' }),
})
