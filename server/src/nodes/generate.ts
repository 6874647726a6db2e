import { Type } from 'typebox'
import { node, port } from './contract.ts'
import { inRole, modelSetting, parametersSetting, pictureOutputs, readPictures } from './toolkit/making.ts'

/** Pictures from a prompt; the model is a setting. */
export default node({
  id: 'generate', title: 'Generate', category: 'make', description: 'Makes pictures from a prompt, with pictures to go by if there are any. The model is a setting.',
  inputs: Type.Object({
    prompt: port.text({ minLength: 1, description: 'What is wanted.' }),
    images: Type.Optional(port.images({ description: 'Pictures to go by.' })),
    model: modelSetting('nano-banana-2-1'),
    parameters: parametersSetting('aspect_ratio, resolution, count, seed'),
  }),
  outputs: Type.Object(pictureOutputs),
  order: ({ prompt, images = [], model, parameters = {} }) => ({ model, operation: images.length > 0 ? 'edit' : 'generate', prompt, parameters, inputs: inRole(images, 'reference') }),
  read: readPictures,
})
