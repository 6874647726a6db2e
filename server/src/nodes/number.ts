import { Type } from 'typebox'
import { node, port } from './contract.ts'

/** A number that whoever runs the workflow gives, or that stands here. */
export default node({
  id: 'number', title: 'Number', category: 'input', reusable: false, description: 'A number: written here, or filled in by whoever runs the workflow.',
  inputs: Type.Object({ number: Type.Number({ description: 'The number.' }) }),
  outputs: Type.Object({ number: port.number() }),
  run: ({ number }) => ({ number }),
})
