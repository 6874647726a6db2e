import { Type } from 'typebox'
import { provider } from '../contract.ts'
import { connectPictures } from '../toolkit/ai-sdk.ts'
import { writeJob } from './wire.ts'

/** Together AI through its package of the AI SDK: one picture a call, which brings it. No key of ours is honoured: a lost answer stays lost. */
export default provider({
  id: 'together',
  title: 'Together AI',
  settings: Type.Object({
    apiKey: Type.String({ description: 'From the page api.together.ai/settings/api-keys.', minLength: 1 }),
    baseUrl: Type.String({ default: 'https://api.together.xyz/v1', description: 'Where pictures are asked for.', pattern: '^https?://' }),
  }),
  // Its limits move with the account's use; what a new account may do is not told in numbers.
  limits: { concurrency: 20, perMinute: 60, perProcess: null },
  repeat: 'never',
  oneEach: true,
  probe: ({ apiKey, baseUrl }) => ({ url: `${baseUrl.replace(/\/+$/, '')}/models`, headers: { authorization: `Bearer ${apiKey}` } }),
  connect({ apiKey, baseUrl }, workshop) {
    return connectPictures({
      id: 'together', title: 'Together AI', setting: 'TOGETHER_API_KEY', optionsKey: 'togetherai', write: writeJob,
      // Said of every size, whether a ratio was asked for or not.
      untrue: /^aspectRatio was not honoured/,
    }, async (model, fetch) => {
      const { createTogetherAI } = await import('@ai-sdk/togetherai')
      return createTogetherAI({ apiKey, baseURL: baseUrl.replace(/\/+$/, ''), fetch }).imageModel(model)
    }, workshop)
  },
})
