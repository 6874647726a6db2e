import { Type } from 'typebox'
import { Problem } from '../domain/problem.ts'
import { node, port } from './contract.ts'

/** One of a list. */
export default node({
  id: 'pick', title: 'Pick', category: 'flow', reusable: false, description: 'Takes one value out of a list, by its place from 0; negative places count from the end.',
  inputs: Type.Object({ list: port.list({ description: 'The list.' }), index: port.integer({ default: 0, minimum: -10_000, maximum: 10_000, description: 'Which one.' }) }),
  outputs: Type.Object({ value: port.any({ 'x-follows': 'list' }) }),
  run({ list, index }) {
    const value = list.at(index)
    if (value === undefined) throw new Problem('bad_request', `There is no item ${index} in a list of ${list.length}.`, { field: 'index', value: index })
    return { value }
  },
})
