import { Type } from 'typebox'
import { graphLimits } from '../domain/graph/graph.ts'
import { node, port } from './contract.ts'

/** A list that whoever runs the workflow gives, or that stands here. */
export default node({
  id: 'list', title: 'List', category: 'input', reusable: false, description: 'A list of texts, numbers or pictures: written here, filled in by whoever runs the workflow, or wired together.',
  inputs: Type.Object({ items: port.list({ maxItems: graphLimits.items, description: 'The items.' }) }),
  outputs: Type.Object({ items: port.list({ 'x-follows': 'items' }), count: port.integer() }),
  run: ({ items }) => ({ items, count: items.length }),
})
