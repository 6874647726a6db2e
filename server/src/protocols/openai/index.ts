/**
 * OpenAI's front door: pictures, films, responses and chats, for its clients unmodified.
 *
 * It takes every request under `/v1` that no other door claims. Absent on purpose: a language model. A response or a chat is one
 * picture made from what was said.
 */
import { protocol, type Route } from '../contract.ts'
import { readAnySecret, writeRequestRate } from '../toolkit.ts'
import { batches, batchWords } from './batches.ts'
import { chat } from './chat.ts'
import { files } from './files.ts'
import { images } from './images.ts'
import { models } from './models.ts'
import { responses } from './responses.ts'
import { uploads } from './uploads.ts'
import { videos } from './videos.ts'
import { refuse } from './words.ts'

/** Tells the client how long we took and which edition of the API it speaks to. */
const timed = (route: Route): Route => ({
  ...route,
  async handle(request, desk) {
    const startedAt = desk.now().getTime()
    const answer = await route.handle(request, desk)
    answer.headers.set('openai-processing-ms', String(Math.max(0, desk.now().getTime() - startedAt)))
    answer.headers.set('openai-version', '2020-10-01')
    return answer
  },
})

export default protocol({
  id: 'openai',
  title: 'OpenAI',
  prefixes: ['/v1'],
  routes: [...images, ...videos, ...responses, ...chat, ...models, ...files, ...uploads, ...batches].map(timed),
  batches: batchWords,
  readSecret: readAnySecret, refuse, writeRate: writeRequestRate,
})
