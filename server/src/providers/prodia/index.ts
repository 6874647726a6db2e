import { Type } from 'typebox'
import { provider } from '../contract.ts'
import { connectPictures } from '../toolkit/ai-sdk.ts'
import { costOf, writeJob } from './wire.ts'

/** Prodia through its package of the AI SDK: one job a call, which brings the picture and its price. A lost answer stays lost. */
export default provider({
  id: 'prodia',
  title: 'Prodia',
  settings: Type.Object({
    apiKey: Type.String({ description: 'From the page app.prodia.com/api.', minLength: 1 }),
    baseUrl: Type.String({ default: 'https://inference.prodia.com/v2', description: 'Where jobs are handed in.', pattern: '^https?://' }),
  }),
  limits: { concurrency: 20, perMinute: null, perProcess: null },
  repeat: 'never',
  oneEach: true,
  connect({ apiKey, baseUrl }, workshop) {
    return connectPictures({ id: 'prodia', title: 'Prodia', setting: 'PRODIA_API_KEY', optionsKey: 'prodia', write: writeJob, costOf }, async (model, fetch) => {
      const { createProdia } = await import('@ai-sdk/prodia')
      return createProdia({ apiKey, baseURL: baseUrl.replace(/\/+$/, ''), fetch }).image(model)
    }, workshop)
  },
})
