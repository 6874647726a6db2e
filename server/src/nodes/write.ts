import { Type } from 'typebox'
import { node, port } from './contract.ts'

/** Text from words, and from pictures if there are any; the model is a setting. */
export default node({
  id: 'write', title: 'Write', category: 'text', description: 'Has a language model write something: from a prompt, and from pictures if there are any. The model is a setting.',
  inputs: Type.Object({
    prompt: port.text({ minLength: 1, description: 'What to write.' }),
    images: Type.Optional(port.images({ maxItems: 16, description: 'Pictures the prompt speaks of.' })),
    system: Type.Optional(port.text({ minLength: 1, description: 'What holds for the answer whatever the prompt says.' })),
    model: Type.String({ minLength: 1, default: 'gemini-3.5-flash-lite', description: 'A model of the catalogue that writes, by any of its names.' }),
    max_tokens: Type.Optional(Type.Integer({ minimum: 1, maximum: 32_768, description: 'How long the text may become; a token is about four letters. The price follows. The model\'s own where nothing is said.' })),
    temperature: Type.Optional(Type.Number({ minimum: 0, maximum: 2, description: 'How freely it chooses its words, where the model has that.' })),
    effort: Type.Optional(Type.Enum(['minimal', 'low', 'medium', 'high'], { description: 'How much it thinks first, as far as the model goes.' })),
  }),
  outputs: Type.Object({ text: port.text({ description: 'What was written.' }) }),
  order: ({ prompt, images = [], system, model, max_tokens, temperature, effort }) => ({
    model, operation: 'write', prompt, inputs: images.map(({ asset }) => ({ asset, role: 'reference' as const })),
    parameters: {
      ...(system === undefined ? {} : { system }), ...(max_tokens === undefined ? {} : { max_tokens }), ...(temperature === undefined ? {} : { temperature }), ...(effort === undefined ? {} : { effort }),
    },
  }),
  read: ({ text }) => ({ text: text ?? '' }),
})
