import { Type } from 'typebox'
import type { Json } from '../domain/outcome.ts'
import { Problem } from '../domain/problem.ts'
import { node, port } from './contract.ts'
import { fillWords, type Missing } from './toolkit/words.ts'

const places = [1, 2, 3, 4, 5, 6, 7, 8] as const

/** A text with places that wired values fill. */
export default node({
  id: 'template', title: 'Template', category: 'text', description: 'Fills {{name}} in a text: from the names of a JSON value ({{product.colour}}, {{lines.0}}), and from value1 to value8, by that name or by the one given to them in `names`. {{name|something}} says what stands where there is none.',
  inputs: Type.Object({
    template: port.text({ minLength: 1, maxLength: 1_000_000, description: 'The text with its places.' }),
    values: Type.Optional(port.json({ description: 'Values by name.' })),
    ...Object.fromEntries(places.map(place => [`value${place}`, Type.Optional(port.any({ description: place === 1 ? 'A single value, for {{value1}}.' : `The same for {{value${place}}}.` }))])) as Record<`value${(typeof places)[number]}`, ReturnType<typeof Type.Optional<ReturnType<typeof port.any>>>>,
    names: Type.Array(Type.String({ pattern: '^[A-Za-z_][A-Za-z0-9_-]{0,99}$' }), { default: [], maxItems: places.length, description: 'What value1, value2 and so on are called in the text.' }),
    missing: Type.Enum(['refuse', 'empty', 'keep'], { default: 'refuse', description: 'What becomes of a name nothing was given for: the run is refused, nothing stands there, or the place stays as it is.' }),
  }),
  outputs: Type.Object({ text: port.text() }),
  heavy: ({ template }) => template.length > 20_000,
  run({ template, values, names, missing, ...single }) {
    if (values !== undefined && (values === null || typeof values !== 'object' || Array.isArray(values))) throw new Problem('bad_request', 'values is a JSON object: names and what stands for them. For a list, iterate over it, or wire it to value1.', { field: 'values' })
    const given: Record<string, Json> = { ...values }
    for (const place of places) {
      const value = single[`value${place}`]
      if (value === undefined) continue
      given[`value${place}`] = value
      const name = names[place - 1]
      if (name !== undefined) given[name] = value
    }
    return { text: fillWords(template, given, { missing: missing as Missing }) }
  },
})
