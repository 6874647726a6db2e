import { Type } from 'typebox'
import { node, port } from './contract.ts'

/** What the workflow gives to whoever runs it, under a name. */
export default node({
  id: 'output', title: 'Output', category: 'output', reusable: false, description: 'Gives a value to whoever runs the workflow, under a name.',
  inputs: Type.Object({ value: port.any({ description: 'What is given.' }), name: Type.Optional(Type.String({ minLength: 1, maxLength: 100, description: 'Under which name; that of the node where nothing is said.' })) }),
  outputs: Type.Object({ value: port.any({ 'x-follows': 'value' }) }),
  run: ({ value }) => ({ value }),
})
