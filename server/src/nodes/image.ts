import { Type } from 'typebox'
import { node, port } from './contract.ts'

/** A picture that whoever runs the workflow gives, or that stands here. */
export default node({
  id: 'image', title: 'Image', category: 'input', reusable: false, description: 'A picture: an asset, a link or a data URL, written here or filled in by whoever runs the workflow.',
  inputs: Type.Object({ image: port.image({ description: 'The picture.' }) }),
  outputs: Type.Object({ image: port.image() }),
  run: ({ image }) => ({ image }),
})
