import { Type } from 'typebox'
import { node, port } from './contract.ts'
import { guidePorts, guides, inRole, modelSetting, parametersSetting, pictureOutputs, readPictures } from './toolkit/making.ts'

/** A picture, changed as the words say; with a mask only where it allows. */
export default node({
  id: 'edit', title: 'Edit', category: 'make', description: 'Changes a picture as the prompt says, with further pictures to go by and a mask if there is one. The model is a setting; one that takes no mask refuses it.',
  inputs: Type.Object({
    prompt: port.text({ minLength: 1, description: 'What is to be different.' }),
    image: port.image({ description: 'The picture to change.' }),
    ...guidePorts,
    mask: Type.Optional(port.image({ description: 'Where it may be changed: transparent or black as the model has it, of the size of the picture.' })),
    model: modelSetting('nano-banana-2-1'),
    parameters: parametersSetting('aspect_ratio, resolution, count, seed'),
  }),
  outputs: Type.Object(pictureOutputs),
  order: ({ prompt, image, mask, model, parameters = {}, ...pictures }) => ({ model, operation: 'edit', prompt, parameters, inputs: [...inRole(image, 'reference'), ...guides(pictures), ...inRole(mask, 'mask')] }),
  read: readPictures,
})
