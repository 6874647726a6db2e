import { Type } from 'typebox'
import { provider } from '../contract.ts'
import { connectFilms, connectPictures, type Upstream } from '../toolkit/ai-sdk.ts'
import { createToken, signWith } from './token.ts'
import { isFilm, writeFilm, writePicture } from './wire.ts'

/**
 * Google's models at Vertex AI, by a service account or an API key (express mode), through the AI SDK's package.
 *
 * The package would fetch tokens by itself, beside our guards; so it is told of a key, and our `fetch` puts the token in the key's place.
 * Imagen is gone from it, and from Google.
 */
export default provider({
  id: 'vertex',
  title: 'Google Vertex AI',
  settings: Type.Object({
    project: Type.String({ description: 'The Google Cloud project.', pattern: '^[a-z][a-z0-9-]{4,28}[a-z0-9]$' }),
    location: Type.String({ default: 'global', description: 'Where it runs: global, or a region like us-central1.', pattern: '^[a-z0-9-]+$' }),
    clientEmail: Type.Optional(Type.String({ description: 'Of a service account that may use Vertex AI (client_email in its JSON file).', minLength: 3 })),
    privateKey: Type.Optional(Type.String({ description: 'Of the service account (private_key in its JSON file); \\n stands for a line break.', minLength: 30 })),
    apiKey: Type.Optional(Type.String({ description: 'Instead of a service account: an API key of express mode.', minLength: 1 })),
    baseUrl: Type.Optional(Type.String({ description: 'Another address, up to publishers/google; by default that of project and location.', pattern: '^https?://' })),
    tokenUrl: Type.String({ default: 'https://oauth2.googleapis.com/token', description: 'Where a service account gets its tokens.', pattern: '^https?://' }),
  }),
  limits: { concurrency: 20, perMinute: 60, perProcess: null },
  repeat: 'never',
  oneEach: true,
  connect({ project, location, clientEmail, privateKey, apiKey, baseUrl, tokenUrl }, workshop) {
    const host = location === 'global' ? 'aiplatform.googleapis.com' : `${location}-aiplatform.googleapis.com`
    const base = (baseUrl ?? (apiKey ? 'https://aiplatform.googleapis.com/v1/publishers/google' : `https://${host}/v1beta1/projects/${project}/locations/${location}/publishers/google`)).replace(/\/+$/, '')
    const token = apiKey ? null : createToken({ clientEmail: clientEmail ?? '', privateKey: privateKey ?? '', tokenUrl }, workshop)
    const open = async (fetch: typeof globalThis.fetch) => {
      const { createGoogleVertex } = await import('@ai-sdk/google-vertex/edge')
      return createGoogleVertex({ project, location, apiKey: apiKey ?? 'in our own hands', baseURL: base, fetch: token ? signWith(token, fetch) : fetch })
    }
    const upstream: Omit<Upstream, 'write'> = { id: 'vertex', title: 'Google Vertex AI', setting: apiKey ? 'VERTEX_API_KEY' : 'VERTEX_CLIENT_EMAIL and VERTEX_PRIVATE_KEY', optionsKey: 'googleVertex', ...(token ? { ready: signal => token(signal) } : {}) }
    const pictures = connectPictures({ ...upstream, write: writePicture }, async (model, fetch) => (await open(fetch)).image(model), workshop)
    const films = connectFilms({ ...upstream, write: writeFilm }, async (model, fetch) => (await open(fetch)).video(model), workshop)
    return { submit: (job, signal) => (isFilm(job.model) ? films : pictures).submit(job, signal), poll: films.poll }
  },
})
