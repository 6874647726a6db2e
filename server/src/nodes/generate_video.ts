import { Type } from 'typebox'
import { node, port } from './contract.ts'
import { inRole, modelSetting, parametersSetting } from './toolkit/making.ts'

/** A film from words, from its first and last picture, from pictures to go by, or from a film to go on from. */
export default node({
  id: 'generate_video', title: 'Generate video', category: 'make', description: 'Makes a film from a prompt, with a first and a last picture, pictures to go by, or a film to go on from. The model is a setting.',
  inputs: Type.Object({
    prompt: port.text({ default: '', description: 'What happens. Most models need it.' }),
    first_frame: Type.Optional(port.image({ description: 'How it begins.' })),
    last_frame: Type.Optional(port.image({ description: 'How it ends.' })),
    images: Type.Optional(port.images({ description: 'Pictures to go by.' })),
    styles: Type.Optional(port.images({ description: 'Pictures whose style is wanted.' })),
    video: Type.Optional(port.video({ description: 'A film to go on from.' })),
    model: modelSetting('veo-3.1-fast'),
    parameters: parametersSetting('duration_s, aspect_ratio, resolution, seed'),
  }),
  outputs: Type.Object({ video: port.video({ description: 'The film.' }), text: Type.Optional(port.text({ description: 'What the model said with it, where it does.' })) }),
  order: ({ prompt, first_frame, last_frame, images, styles, video, model, parameters = {} }) => ({
    model, operation: 'video', prompt, parameters,
    inputs: [...inRole(first_frame, 'first_frame'), ...inRole(last_frame, 'last_frame'), ...inRole(images, 'reference'), ...inRole(styles, 'style'), ...inRole(video, 'video')],
  }),
  read: ({ outputs, text }) => ({ video: outputs[0]!, ...(text === null ? {} : { text }) }),
})
