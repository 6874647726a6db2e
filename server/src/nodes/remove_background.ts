import { Type } from 'typebox'
import { node, port } from './contract.ts'
import { inRole, modelSetting, parametersSetting, pictureOutputs, readPictures } from './toolkit/making.ts'

/** What a picture shows, cut out. */
export default node({
  id: 'remove_background', title: 'Remove background', category: 'make', description: 'Cuts out what a picture shows and leaves the rest transparent. The model is a setting.',
  inputs: Type.Object({
    image: port.image({ description: 'The picture.' }),
    model: modelSetting('recraft-remove-background'),
    parameters: parametersSetting('output_format'),
  }),
  outputs: Type.Object(pictureOutputs),
  order: ({ image, model, parameters = {} }) => ({ model, operation: 'remove_background', prompt: '', parameters, inputs: inRole(image, 'reference') }),
  read: readPictures,
})
