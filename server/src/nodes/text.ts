import { Type } from 'typebox'
import { node, port } from './contract.ts'

/** Text that whoever runs the workflow gives, or that stands here. */
export default node({
  id: 'text', title: 'Text', category: 'input', reusable: false, description: 'A text: written here, or filled in by whoever runs the workflow.',
  inputs: Type.Object({ text: Type.String({ maxLength: 1_000_000, description: 'The text.' }) }),
  outputs: Type.Object({ text: port.text() }),
  run: ({ text }) => ({ text }),
})
