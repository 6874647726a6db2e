import { Type } from 'typebox'
import { node, port } from './contract.ts'

const tones = ['as it is', 'formal', 'friendly', 'playful', 'exciting', 'calm', 'plain'] as const

/** The longest text one call may give back, in tokens. */
const tokensMax = 32_768

/** A text in other words. */
export default node({
  id: 'rewrite', title: 'Rewrite', category: 'text', description: 'Puts a text into other words: by a tone, an instruction, or both. It stays in its language.',
  inputs: Type.Object({
    text: port.text({ minLength: 1, maxLength: 16_000, description: 'What is rewritten.' }),
    instruction: Type.Optional(port.text({ minLength: 1, maxLength: 4_000, description: 'What is to change: `shorter`, `as a headline`, `for children`.' })),
    tone: Type.Enum([...tones], { default: 'as it is', description: 'How it is to sound.' }),
    model: Type.String({ minLength: 1, default: 'gemini-3.5-flash-lite', description: 'A model of the catalogue that writes, by any of its names.' }),
  }),
  outputs: Type.Object({ text: port.text({ description: 'The text in its new words.' }) }),
  order: ({ text, instruction, tone, model }) => ({
    model, operation: 'write', prompt: text, inputs: [],
    parameters: {
      system: ['Rewrite the text the user sends.', ...(tone === 'as it is' ? [] : [`Make it sound ${tone}.`]), ...(instruction === undefined ? [] : [instruction]),
        'Leave its language, names and numbers as they are. Answer with the new text and nothing else.'].join(' '),
      max_tokens: Math.min(tokensMax, 1_024 + 2 * text.length),
    },
  }),
  read: ({ text }) => ({ text: text ?? '' }),
})
