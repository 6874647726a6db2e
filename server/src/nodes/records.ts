import { Type } from 'typebox'
import type { Json } from '../domain/outcome.ts'
import { Problem } from '../domain/problem.ts'
import { node, port } from './contract.ts'

const name = (standard: string, of: string) => Type.String({ minLength: 1, maxLength: 100, default: standard, description: `What ${of} is called in a record.` })

/** Lists put side by side: a record for each place, to iterate over, to fill a template or a composite with. */
export default node({
  id: 'records', title: 'Records', category: 'text', description: 'Puts lists side by side as records: the first record has the first of each list, and so on. A single value goes into all of them. Lists need one length.',
  inputs: Type.Object({
    records: Type.Optional(port.json({ description: 'Records that are there already, or one that goes into all.' })),
    images: Type.Optional(port.images({ maxItems: 10_000, description: 'A picture for each.' })),
    texts: Type.Optional(port.texts({ maxItems: 10_000, description: 'A text for each.' })),
    image_name: name('image', 'the picture'),
    text_name: name('text', 'the text'),
  }),
  outputs: Type.Object({ records: port.list({ description: 'The records.' }), count: port.integer() }),
  run({ records = [], images = [], texts = [], image_name, text_name }) {
    const rows = [records].flat()
    if (rows.some(row => row === null || typeof row !== 'object' || Array.isArray(row))) throw new Problem('bad_request', 'records is a JSON object or a list of them.', { field: 'records' })
    const lists = [['records', rows], ['images', images], ['texts', texts]] as const
    const count = Math.max(...lists.map(([, list]) => list.length))
    for (const [what, list] of lists) if (list.length > 1 && list.length !== count) throw new Problem('bad_request', `${what} has ${list.length} items, and another list has ${count}. Give them one length, or a single value that goes into all.`, { field: what })
    const at = <T>(list: readonly T[], index: number): T | undefined => list.length === 1 ? list[0] : list[index]
    return {
      count,
      records: Array.from({ length: count }, (_, index): Json => ({
        ...at(rows, index) as Record<string, Json> | undefined,
        ...(images.length > 0 ? { [image_name]: at(images, index) as unknown as Json } : {}),
        ...(texts.length > 0 ? { [text_name]: at(texts, index)! } : {}),
      })),
    }
  },
})
