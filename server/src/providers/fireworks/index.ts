import { Type } from 'typebox'
import { provider } from '../contract.ts'
import { connectPictures } from '../toolkit/ai-sdk.ts'
import { writeJob } from './wire.ts'

/**
 * Fireworks through its package of the AI SDK: models that answer with the picture itself.
 *
 * Absent on purpose: its FLUX Kontext, for which the package polls inside one call, so that a restart would lose a picture that is paid.
 */
export default provider({
  id: 'fireworks',
  title: 'Fireworks AI',
  settings: Type.Object({
    apiKey: Type.String({ description: 'From the page app.fireworks.ai/settings/users/api-keys.', minLength: 1 }),
    baseUrl: Type.String({ default: 'https://api.fireworks.ai/inference/v1', description: 'Where pictures are asked for.', pattern: '^https?://' }),
  }),
  limits: { concurrency: 20, perMinute: 600, perProcess: null },
  repeat: 'never',
  oneEach: true,
  probe: ({ apiKey, baseUrl }) => ({ url: `${baseUrl.replace(/\/+$/, '')}/models`, headers: { authorization: `Bearer ${apiKey}` } }),
  connect({ apiKey, baseUrl }, workshop) {
    return connectPictures({ id: 'fireworks', title: 'Fireworks AI', setting: 'FIREWORKS_API_KEY', optionsKey: 'fireworks', write: writeJob }, async (model, fetch) => {
      const { createFireworks } = await import('@ai-sdk/fireworks')
      return createFireworks({ apiKey, baseURL: baseUrl.replace(/\/+$/, ''), fetch }).image(model)
    }, workshop)
  },
})
