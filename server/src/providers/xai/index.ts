import { Type } from 'typebox'
import { provider } from '../contract.ts'
import { connectFilms, connectPictures, type Upstream } from '../toolkit/ai-sdk.ts'
import { costOf, isFilm, writeFilm, writePicture } from './wire.ts'

/** xAI's Grok Imagine through its package of the AI SDK: pictures, up to three a call, and films, which are begun and looked at. */
export default provider({
  id: 'xai',
  title: 'xAI',
  settings: Type.Object({
    apiKey: Type.String({ description: 'From the page console.x.ai.', minLength: 1 }),
    baseUrl: Type.String({ default: 'https://api.x.ai/v1', description: 'Where pictures and films are asked for.', pattern: '^https?://' }),
  }),
  limits: { concurrency: 20, perMinute: 60, perProcess: null },
  repeat: 'never',
  probe: ({ apiKey, baseUrl }) => ({ url: `${baseUrl.replace(/\/+$/, '')}/models`, headers: { authorization: `Bearer ${apiKey}` } }),
  connect({ apiKey, baseUrl }, workshop) {
    const base = baseUrl.replace(/\/+$/, '')
    const open = async (fetch: typeof globalThis.fetch) => (await import('@ai-sdk/xai')).createXai({ apiKey, baseURL: base, fetch })
    const upstream: Omit<Upstream, 'write'> = { id: 'xai', title: 'xAI', setting: 'XAI_API_KEY', optionsKey: 'xai', costOf }
    const pictures = connectPictures({ ...upstream, write: writePicture }, async (model, fetch) => (await open(fetch)).imageModel(model), workshop)
    const films = connectFilms({ ...upstream, write: writeFilm }, async (model, fetch) => (await open(fetch)).video(model), workshop)
    return { submit: (job, signal) => (isFilm(job.model) ? films : pictures).submit(job, signal), poll: films.poll }
  },
})
