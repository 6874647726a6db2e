import { Type } from 'typebox'
import { provider } from '../contract.ts'
import { connectPictures } from '../toolkit/ai-sdk.ts'
import { writeJob } from './wire.ts'

/** DeepInfra through its package of the AI SDK: new pictures by its own inference API, edits by its OpenAI-shaped one. A lost answer stays lost. */
export default provider({
  id: 'deepinfra',
  title: 'DeepInfra',
  settings: Type.Object({
    apiKey: Type.String({ description: 'From the page deepinfra.com/dash/api_keys.', minLength: 1 }),
    baseUrl: Type.String({ default: 'https://api.deepinfra.com/v1', description: 'Where its inference and OpenAI-shaped addresses begin.', pattern: '^https?://' }),
  }),
  // 200 requests at once a model, says its documentation.
  limits: { concurrency: 200, perMinute: null, perProcess: null },
  repeat: 'never',
  oneEach: true,
  probe: ({ apiKey, baseUrl }) => ({ url: `${baseUrl.replace(/\/+$/, '')}/openai/models`, headers: { authorization: `Bearer ${apiKey}` } }),
  connect({ apiKey, baseUrl }, workshop) {
    return connectPictures({ id: 'deepinfra', title: 'DeepInfra', setting: 'DEEPINFRA_API_KEY', optionsKey: 'deepinfra', write: writeJob }, async (model, fetch) => {
      const { createDeepInfra } = await import('@ai-sdk/deepinfra')
      return createDeepInfra({ apiKey, baseURL: baseUrl.replace(/\/+$/, ''), fetch }).imageModel(model)
    }, workshop)
  },
})
