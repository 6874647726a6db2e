import { Type } from 'typebox'
import { node, port } from './contract.ts'

const names = new Intl.DisplayNames('en', { type: 'language' })

/** `German (de)` for `de`; a name stays as it is written. */
function nameOf(language: string): string {
  const code = language.trim()
  if (!/^[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*$/.test(code)) return code
  try {
    const name = names.of(code)!
    return name.toLowerCase() === code.toLowerCase() ? code : `${name} (${code})`
  } catch {
    // Shaped like a code and none: a short name.
    return code
  }
}

/** The longest text one call may give back, in tokens, and how much room a translation gets: other languages and scripts take more. */
const tokensMax = 32_768
const roomFor = (text: string): number => Math.min(tokensMax, 256 + 2 * text.length)

/** A text in another language. */
export default node({
  id: 'translate', title: 'Translate', category: 'text', description: 'Translates a text. The language may be wired, so that one text becomes many.',
  inputs: Type.Object({
    text: port.text({ minLength: 1, maxLength: 16_000, description: 'What is translated.' }),
    language: port.text({ minLength: 2, maxLength: 60, default: 'en', description: 'Into which language: a code (`de`, `pt-BR`) or a name.' }),
    context: Type.Optional(port.text({ minLength: 1, maxLength: 4_000, description: 'What the text is for, names that stay, how readers are spoken to.' })),
    model: Type.String({ minLength: 1, default: 'gemini-3.5-flash-lite', description: 'A model of the catalogue that writes, by any of its names.' }),
  }),
  outputs: Type.Object({ text: port.text({ description: 'The translation.' }) }),
  order: ({ text, language, context, model }) => ({
    model, operation: 'write', prompt: text, inputs: [],
    parameters: {
      system: `Translate the text the user sends into ${nameOf(language)}. Keep names, numbers, line breaks and markup as they are. Answer with the translation and nothing else.${context === undefined ? '' : `\n\n${context}`}`,
      max_tokens: roomFor(text),
    },
  }),
  read: ({ text }) => ({ text: text ?? '' }),
})
