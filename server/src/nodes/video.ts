import { Type } from 'typebox'
import { node, port } from './contract.ts'

/** A film that whoever runs the workflow gives, or that stands here. */
export default node({
  id: 'video', title: 'Video', category: 'input', reusable: false, description: 'A film (MP4, MOV, WebM): an asset, a link or a data URL, written here or filled in by whoever runs the workflow.',
  inputs: Type.Object({ video: port.video({ description: 'The film.' }) }),
  outputs: Type.Object({ video: port.video() }),
  run: ({ video }) => ({ video }),
})
