import { Type } from 'typebox'
import { node, port } from './contract.ts'

/** The other end of an iteration: what was made for each item, as a list again, in the order of the items. */
export default node({
  id: 'collect', title: 'Collect', category: 'flow', reusable: false, role: 'collect',
  description: 'Puts what was made for each item into a list again, in order. Items that failed are left out; `count` says how many came.',
  inputs: Type.Object({ items: port.any({ description: 'What was made for one item.' }) }),
  outputs: Type.Object({ items: port.list({ 'x-follows': 'items', description: 'All of them.' }), count: port.integer() }),
  run: ({ items }) => ({ items: items as never, count: (items as unknown[]).length }),
})
