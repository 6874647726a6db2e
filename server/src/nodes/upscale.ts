import { Type } from 'typebox'
import { node, port } from './contract.ts'
import { inRole, modelSetting, parametersSetting, pictureOutputs, readPictures } from './toolkit/making.ts'

/** A picture, larger and sharper by a model. `resize` is free and invents nothing. */
export default node({
  id: 'upscale', title: 'Upscale', category: 'make', description: 'Makes a picture larger with a model that fills in what was not there. The model is a setting.',
  inputs: Type.Object({
    image: port.image({ description: 'The picture.' }),
    factor: Type.Optional(Type.Integer({ minimum: 1, maximum: 16, description: 'How many times larger, where the model lets that be chosen.' })),
    prompt: port.text({ default: '', description: 'Words for models that take some.' }),
    model: modelSetting('topaz-image-upscale'),
    parameters: parametersSetting('output_format'),
  }),
  outputs: Type.Object(pictureOutputs),
  order: ({ image, factor, prompt, model, parameters = {} }) => ({ model, operation: 'upscale', prompt, parameters: { ...(factor === undefined ? {} : { factor }), ...parameters }, inputs: inRole(image, 'reference') }),
  read: readPictures,
})
