import { Type } from 'typebox'
import { node, port } from './contract.ts'
import { testNames, tests } from './toolkit/rules.ts'

/** One way or the other: the value goes on at one of two ports, and what hangs on the other is skipped. */
export default node({
  id: 'condition', title: 'Condition', category: 'flow', reusable: false, description: 'Sends a value on at `yes` or at `no`. What hangs on the other is skipped.',
  inputs: Type.Object({
    value: port.any({ description: 'What goes on.' }),
    subject: Type.Optional(port.any({ description: 'What is looked at; the value itself where nothing is wired.' })),
    test: Type.Enum(testNames, { default: 'is', description: 'How it is looked at.' }),
    against: Type.Optional(port.any({ description: 'What it is compared with.' })),
  }),
  outputs: Type.Object({ yes: Type.Optional(port.any({ 'x-follows': 'value' })), no: Type.Optional(port.any({ 'x-follows': 'value' })) }),
  run: ({ value, subject = value, test, against = '' }) => tests[test]!(subject, against) ? { yes: value } : { no: value },
})
