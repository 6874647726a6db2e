import { Type } from 'typebox'
import { Problem } from '../domain/problem.ts'
import { node, port } from './contract.ts'

const places = [1, 2, 3, 4, 5, 6, 7, 8] as const
type Place = `text${(typeof places)[number]}`
const texts = Object.fromEntries(places.map(place => [`text${place}`, Type.Optional(port.text({ description: `The ${['first', 'second', 'third', 'fourth', 'fifth', 'sixth', 'seventh', 'eighth'][place - 1]} text.` }))])) as Record<Place, ReturnType<typeof Type.Optional<ReturnType<typeof port.text>>>>

/** Texts put together: what stands on the node and what is wired, in the order of the ports. */
export default node({
  id: 'concat', title: 'Put together', category: 'text', description: 'Puts texts together with something between them, in the order of the ports; those that are empty are left out. A list comes last, item by item.',
  inputs: Type.Object({
    ...texts,
    texts: Type.Optional(port.texts({ maxItems: 10_000, description: 'More texts, as a list or by several wires.' })),
    separator: Type.String({ default: ' ', maxLength: 1_000, description: 'What stands between them.' }),
  }),
  outputs: Type.Object({ text: port.text() }),
  run({ texts: more = [], separator, ...single }) {
    const all = [...places.map(place => single[`text${place}`] ?? ''), ...more].filter(text => text.trim() !== '')
    if (all.length === 0) throw new Problem('bad_request', 'There is nothing to put together: every text is empty. Wire or write text1.', { field: 'text1' })
    return { text: all.join(separator) }
  },
})
