import { Type } from 'typebox'
import type { Json } from '../domain/outcome.ts'
import { node, port } from './contract.ts'

/** Another workflow as one step of this one. */
export default node({
  id: 'workflow', title: 'Workflow', category: 'flow', reusable: false, description: 'Runs another workflow of the project and gives what it puts out.',
  inputs: Type.Object({
    workflow: Type.String({ minLength: 1, maxLength: 100, description: 'The other workflow, by slug or id.' }),
    inputs: Type.Optional(port.json({ description: 'Its inputs, by their names.' })),
    value: Type.Optional(port.any({ description: 'A single value for its input of the name in `into`.' })),
    into: Type.Optional(Type.String({ minLength: 1, maxLength: 100, description: 'The name of the input `value` goes to.' })),
    output: Type.Optional(Type.String({ minLength: 1, maxLength: 100, description: 'Which of its outputs is given at `value`; the first where nothing is said.' })),
  }),
  outputs: Type.Object({ value: Type.Optional(port.any()), outputs: port.json({ description: 'All its outputs by their names.' }) }),
  call: ({ workflow, inputs = {}, value, into }) => ({ workflow, inputs: { ...inputs as Record<string, Json>, ...(value === undefined || into === undefined ? {} : { [into]: value }) } }),
  returned: (outputs, { output }) => {
    const value = output === undefined ? Object.values(outputs)[0] : outputs[output]
    return { outputs, ...(value === undefined ? {} : { value }) }
  },
})
