import { Type } from 'typebox'
import { Problem } from '../domain/problem.ts'
import { node, port } from './contract.ts'

/** A person chooses among candidates, has them made again, or says no. What follows waits, for days if need be. */
export default node({
  id: 'approval', title: 'Approval', category: 'check', reusable: false,
  description: 'Waits until a person has chosen among the candidates, had them made again, or rejected them. After a rejection nothing follows.',
  inputs: Type.Object({
    candidates: port.images({ maxItems: 100, description: 'What is chosen from.' }),
    note: Type.Optional(port.text({ maxLength: 2_000, description: 'What the person is told.' })),
    choose_min: Type.Integer({ minimum: 1, maximum: 100, default: 1, description: 'How many must be chosen.' }),
    choose_max: Type.Optional(Type.Integer({ minimum: 1, maximum: 100, description: 'How many may be chosen; as many as must be where nothing is said.' })),
    timeout_hours: Type.Optional(Type.Number({ exclusiveMinimum: 0, maximum: 8_760, description: 'After how many hours nobody is waited for any more. Without it, for ever.' })),
    on_timeout: Type.Enum(['reject', 'approve'], { default: 'reject', description: 'What becomes of it then: nothing, or the first candidates.' }),
  }),
  outputs: Type.Object({ image: Type.Optional(port.image({ description: 'The first that was chosen.' })), images: Type.Optional(port.images({ description: 'All that were chosen.' })) }),
  sound: refuseTurned,
  review({ candidates, note, choose_min, choose_max = choose_min, timeout_hours, on_timeout }) {
    refuseTurned({ choose_min, choose_max })
    // A person could neither approve nor be spared the question.
    if (candidates.length < choose_min) throw new Problem('bad_request', `${choose_min} ${choose_min === 1 ? 'picture is' : 'pictures are'} to be chosen and ${candidates.length === 0 ? 'none came' : `only ${candidates.length} came`}. Have more made, or lower choose_min.`, { field: 'candidates', value: candidates.length })
    return { candidates, note: note ?? null, chooseMin: choose_min, chooseMax: choose_max, timeoutS: timeout_hours === undefined ? null : Math.ceil(timeout_hours * 3_600), onTimeout: on_timeout as 'reject' | 'approve' }
  },
  chosen: chosen => ({ image: chosen[0]!, images: chosen }),
})

function refuseTurned({ choose_min, choose_max }: { choose_min?: unknown; choose_max?: unknown }): void {
  if (typeof choose_min === 'number' && typeof choose_max === 'number' && choose_max < choose_min) throw new Problem('bad_request', `choose_max is ${choose_max} and choose_min ${choose_min}: more must be chosen than may be. Raise choose_max, or leave it out.`, { field: 'choose_max', value: choose_max })
}
