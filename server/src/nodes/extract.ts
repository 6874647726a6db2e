import { Type, type TOptional } from 'typebox'
import type { Json } from '../domain/outcome.ts'
import { Problem } from '../domain/problem.ts'
import { node, port } from './contract.ts'
import { findJson, follow } from './toolkit/json.ts'

const Path = Type.String({ minLength: 1, maxLength: 500 })
const Named = Type.Object({ path: Path, name: Type.Optional(Type.String({ minLength: 1, maxLength: 100 })), default: Type.Optional(Type.Unsafe<Json>({})) }, { additionalProperties: false })

/** Values out of JSON, or out of a text that has JSON in it, by paths. */
export default node({
  id: 'extract', title: 'Extract', category: 'text', description: 'Takes values out of JSON by paths. A text may have words around its JSON, as models write it. Gives what the first path found at `value` and, all of it, at `items`; what the others found at `value2` and so on; and everything by name at `values`.',
  inputs: Type.Object({
    from: port.any({ description: 'A text or a JSON value.' }),
    paths: Type.Array(Type.Union([Path, Named]), { minItems: 1, maxItems: 50, description: 'JSONPath ($.shots[*].prompt), the same without its $., or a JSON Pointer (/shots/0/prompt); with a name, and with what stands where nothing is found.' }),
  }),
  outputs: Type.Object({
    value: port.any({ description: 'The first thing the first path found.' }),
    ...Object.fromEntries([2, 3, 4, 5, 6, 7, 8].map(place => [`value${place}`, Type.Optional(port.any({ description: `The first thing path ${place} found.` }))])) as Record<`value${2 | 3 | 4 | 5 | 6 | 7 | 8}`, TOptional<ReturnType<typeof port.any>>>,
    items: port.list({ description: 'Everything the first path found; where that is a single list, its items.' }),
    values: port.json({ description: 'What each path found, by its name; by the path where it has none.' }),
  }),
  // A path with filters in filters may take all the time it is given.
  heavy: () => true,
  run({ from, paths }) {
    const value = typeof from === 'string' ? findJson(from) : from
    const found = paths.map(one => {
      const { path, name = path, default: standard } = typeof one === 'string' ? { path: one } as { path: string; name?: string; default?: Json } : one
      const all = follow(value, path)
      if (all.length === 0 && standard === undefined) throw new Problem('bad_request', `There is nothing at ${path}. ${shape(value)} Give the path a default, or another path.`, { field: 'paths', value: path })
      return { name, all: all.length === 0 ? [standard!] : all }
    })
    const [first] = found[0]!.all
    return {
      ...Object.fromEntries(found.slice(0, 8).map(({ all }, index) => [index === 0 ? 'value' : `value${index + 1}`, all[0]!])) as { value: Json },
      items: found[0]!.all.length === 1 && Array.isArray(first) ? first : found[0]!.all,
      values: Object.fromEntries(found.map(({ name, all }) => [name, all.length === 1 ? all[0]! : all])),
    }
  },
})

const shape = (value: Json): string => value === null || typeof value !== 'object' ? `It is ${JSON.stringify(value)?.slice(0, 60)}.` : Array.isArray(value) ? `It is a list of ${value.length}.` : `At the top there is ${Object.keys(value).slice(0, 20).join(', ') || 'nothing'}.`
