import { Type } from 'typebox'
import { node, port } from './contract.ts'

/** Ways that parted come together: what came is given on, and what did not is not missed. */
export default node({
  id: 'merge', title: 'Merge', category: 'flow', role: 'tolerant', reusable: false, description: 'Brings ways together again. Gives the first value that came, and all of them as a list; skipped only when none came.',
  inputs: Type.Object({ values: Type.Optional(port.list({ description: 'Whatever comes.' })) }),
  outputs: Type.Object({ value: port.any({ 'x-follows': 'values' }), values: port.list({ 'x-follows': 'values' }) }),
  run: ({ values = [] }) => values.length === 0 ? {} : { value: values[0]!, values },
})
