import { Type } from 'typebox'
import { node, port } from './contract.ts'

/** A sound that whoever runs the workflow gives, or that stands here. */
export default node({
  id: 'audio', title: 'Audio', category: 'input', reusable: false, description: 'A sound (WAV, MP3, Ogg, M4A): an asset, a link or a data URL, written here or filled in by whoever runs the workflow.',
  inputs: Type.Object({ audio: port.audio({ description: 'The sound.' }) }),
  outputs: Type.Object({ audio: port.audio() }),
  run: ({ audio }) => ({ audio }),
})
