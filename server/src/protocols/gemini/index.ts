/**
 * Google's front door: Gemini's generateContent, Imagen's predict, Veo's operations and Interactions, as their clients speak them.
 *
 * A refusal for content is an answer (HTTP 200), everything else that goes wrong is an error with a status Google's clients know.
 * Absent on purpose: talk without a picture, function calls, structured output, caches; thinking that is not shown in a picture.
 */
import type { Problem } from '../../domain/problem.ts'
import { protocol, type Incoming, type Protocol } from '../contract.ts'
import { readAnySecret } from '../toolkit.ts'
import { batchRoutes, batchWords } from './batch-routes.ts'
import { contentRoutes } from './content-routes.ts'
import { fileRoutes } from './file-routes.ts'
import { interactionRoutes } from './interaction-routes.ts'
import { mediaRoutes } from './media-routes.ts'
import { modelRoutes } from './model-routes.ts'
import { refuseWith } from './refusal.ts'

const refuse = (problem: Problem, { path }: Pick<Incoming, 'method' | 'path' | 'requestId'>): Response => refuseWith(problem, path)

/** `/v1/models` belongs to several dialects: this one's clients have a header of their own, or put the key in the address. */
const claims: Protocol['claims'] = ({ headers, query, path }) =>
  headers['x-goog-api-key'] !== undefined || headers['x-goog-api-client'] !== undefined || query.has('key') || /^\/v1(?:beta|alpha)(?:\/|$)/.test(path)

export default protocol({
  id: 'gemini',
  title: 'Gemini',
  // `/v1` is everybody's: what nobody has there is refused in these words only where the request is claimed.
  prefixes: ['/v1beta', '/v1alpha', '/v1', '/v1/interactions', '/v1/tunedModels', '/upload/v1beta', '/upload/v1', '/upload/v1alpha'],
  routes: [...contentRoutes, ...mediaRoutes, ...modelRoutes, ...interactionRoutes, ...fileRoutes, ...batchRoutes],
  batches: batchWords,
  readSecret: readAnySecret,
  refuse, claims,
})
