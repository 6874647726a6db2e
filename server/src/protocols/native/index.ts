/**
 * Our own door: one resource, one file. Everything the house can do can be done here, in the house's words.
 *
 * Absent on purpose: keys in the query string, which end up in logs and histories.
 */
import { protocol } from '../contract.ts'
import { assets } from './assets.ts'
import { batchSchedules } from './batches-schedules.ts'
import { batchWords } from './batches-words.ts'
import { batches } from './batches.ts'
import { documents } from './documents.ts'
import { events } from './events.ts'
import { keys } from './keys.ts'
import { models } from './models.ts'
import { project } from './project.ts'
import { refuse } from './refuse.ts'
import { routing } from './routing.ts'
import { sessions } from './sessions.ts'
import { tasks } from './tasks.ts'
import { templates } from './templates.ts'
import { money } from './usage.ts'
import { webhooks } from './webhooks.ts'
import { reviewPage } from './review-page.ts'
import { triggers } from './triggers.ts'
import { baselines } from './baselines.ts'
import { workflows } from './workflows.ts'

export default protocol({
  id: 'native',
  title: 'Plantain',
  routes: [...tasks, ...events, ...models, ...assets, ...money, ...keys, ...project, ...webhooks, ...routing, ...templates, ...sessions, ...workflows, ...baselines, ...triggers, ...batches, ...batchSchedules, ...reviewPage, ...documents],
  readSecret({ headers }) {
    const bearer = /^Bearer\s+(\S+)\s*$/i.exec(headers['authorization'] ?? '')
    return bearer?.[1] ?? headers['x-api-key'] ?? null
  },
  refuse,
  batches: batchWords,
  prefixes: ['/plantain/v1', '/files', '/review', '/openapi.json', '/docs'],
})
