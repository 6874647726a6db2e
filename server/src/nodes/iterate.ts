import { Type } from 'typebox'
import { graphLimits } from '../domain/graph/graph.ts'
import { node, port } from './contract.ts'

/** What follows runs once for each item. The lists of one group run side by side; different groups inside each other. */
export default node({
  id: 'iterate', title: 'Iterate', category: 'flow', reusable: false, role: 'iterate',
  description: 'Runs what follows once for each item of a list. Lists of one group go side by side and must be equally long; lists of different groups make every combination.',
  inputs: Type.Object({
    items: port.list({ maxItems: graphLimits.items, description: 'The list.' }),
    group: Type.Optional(Type.String({ minLength: 1, maxLength: 100, description: 'Iterating nodes with the same name here go side by side.' })),
    parallelism: Type.Optional(Type.Integer({ minimum: 1, maximum: 500, description: 'How many runs of what stands inside this iteration are made at once, all its items together; as many as the execution may where nothing is said. In a group the smallest counts.' })),
  }),
  outputs: Type.Object({ item: port.any({ 'x-follows': 'items', description: 'One item.' }), index: port.integer({ description: 'Its place in the list, from 0.' }) }),
  run: ({ items }) => ({ item: items, index: items.map((_, index) => index) }) as never,
})
