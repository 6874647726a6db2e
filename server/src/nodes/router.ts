import { Type, type TOptional } from 'typebox'
import type { Json } from '../domain/outcome.ts'
import { node, port } from './contract.ts'
import { testNames, tests } from './toolkit/rules.ts'

const ways = [1, 2, 3, 4, 5, 6, 7, 8] as const
type Way = `way${(typeof ways)[number]}`

/** One of several ways: the first rule that holds says which, and what hangs on the others is skipped. Without rules the value simply goes on. */
export default node({
  id: 'router', title: 'Router', category: 'flow', reusable: false, description: 'Sends a value on at the port of the first rule that holds (`way1` for the first rule, and so on), else at `otherwise`. What hangs on the others is skipped.',
  inputs: Type.Object({
    value: port.any({ description: 'What goes on.' }),
    subject: Type.Optional(port.any({ description: 'What is looked at; the value itself where nothing is wired.' })),
    rules: Type.Array(Type.Object({
      test: Type.Enum(testNames, { default: 'is', description: 'How it is looked at.' }),
      against: Type.Optional(Type.Unsafe<Json>({ description: 'What it is compared with.' })),
    }, { additionalProperties: false, required: [] }), { default: [], maxItems: ways.length, description: 'The rules, in order.' }),
  }),
  outputs: Type.Object({
    ...Object.fromEntries(ways.map(way => [`way${way}`, Type.Optional(port.any({ 'x-follows': 'value', description: `Where rule ${way} holds.` }))])) as Record<Way, TOptional<ReturnType<typeof port.any>>>,
    otherwise: Type.Optional(port.any({ 'x-follows': 'value', description: 'Where none holds.' })),
  }),
  run({ value, subject = value, rules }): Partial<Record<Way | 'otherwise', Json>> {
    const way = rules.findIndex(({ test = 'is', against = '' }) => tests[test]!(subject, against))
    return { [way < 0 ? 'otherwise' : `way${way + 1}`]: value }
  },
})
