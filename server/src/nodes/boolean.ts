import { Type } from 'typebox'
import { node, port } from './contract.ts'

/** Yes or no, by whoever runs the workflow; a condition makes two ways of it. */
export default node({
  id: 'boolean', title: 'Yes or no', category: 'input', reusable: false, description: 'Yes or no: written here, or filled in by whoever runs the workflow. Wire it to a condition that tests `is_true`.',
  inputs: Type.Object({ value: Type.Boolean({ default: false, description: 'Yes or no.' }) }),
  outputs: Type.Object({ value: port.boolean() }),
  run: ({ value }) => ({ value }),
})
