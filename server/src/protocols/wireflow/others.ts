/** What is left: usage, words for the operator, and empty lists where Wireflow has its video editor. */
import { Type } from 'typebox'
import type { Route } from '../contract.ts'
import { readBody, readObject, readText, wrong } from './read.ts'
import { both, json } from './view.ts'
import { balanceOf, creditsOf, no } from './words.ts'

const tag = 'Wireflow'
const dayMs = 86_400_000

const usage: Route = {
  method: 'GET', path: '/api/v1/developer/usage', scope: 'usage:read', about: { tag, summary: 'Credits left and used; 1 credit is US$0.01' },
  async handle(_request, desk) {
    const balance = await desk.money.balance()
    const now = desk.now()
    const rows = await desk.money.usage({ from: new Date(now.getTime() - 30 * dayMs), to: new Date(now.getTime() + dayMs) })
    const micros = rows.reduce((sum, { chargedMicros }) => sum + chargedMicros, 0)
    const limit = desk.caller.limits
    return json(both({
      credits: balanceOf(balance.availableMicros), availableCredits: balanceOf(balance.availableMicros), heldCredits: creditsOf(balance.heldMicros), creditsUsed: creditsOf(micros), availableMicros: balance.availableMicros, usedMicros: micros, periodDays: 30,
      livemode: balance.livemode, limits: { requestsPerMinute: limit.requestsPerMinute, executionsPerDay: limit.executionsPerDay },
      usage: rows.map(({ day, model, tasks, done, failed, chargedMicros }) => ({ date: day, model, executions: tasks, completed: done, failed, credits: creditsOf(chargedMicros), micros: chargedMicros })),
    }))
  },
}

const categories = ['bug', 'missing-capability', 'confusing-contract', 'performance', 'other']
const contexts = ['route', 'workflowId', 'executionId', 'repro']

const feedback: Route = {
  method: 'POST', path: '/api/v1/feedback', scope: 'tasks:write', bodyMax: 64 * 1024,
  about: { tag, summary: 'Tell the operator something', description: 'Kept in this server’s database; ten an hour.', body: Type.Object({ title: Type.String(), body: Type.String(), category: Type.Enum(['bug', 'missing-capability', 'confusing-contract', 'performance', 'other']), context: Type.Optional(Type.Record(Type.String(), Type.String())) }), status: 201 },
  async handle(request, desk) {
    const fields = readBody(request.body)
    const title = readText(fields, 'title', 200)?.trim()
    const body = readText(fields, 'body', 10_000)?.trim()
    if (!title || !body) throw no('bad_request', 'Missing required fields: title, body', { code: 'missing_fields' })
    const category = readText(fields, 'category', 40) ?? 'other'
    if (!categories.includes(category)) throw wrong('category', `category must be one of ${categories.join(', ')}`, { allowed: categories })
    const context = readObject(fields, 'context') ?? {}
    for (const name of Object.keys(context)) {
      if (!contexts.includes(name)) throw wrong(`context.${name.slice(0, 100)}`, `context takes ${contexts.join(', ')} only`, { allowed: contexts })
      readText(context, name, 4_000)
    }
    const id = await desk.feedback({ protocol: 'wireflow', category, title, body, context })
    return json({ id, message: 'Thank you. The operator of this server can read it.', data: { id } }, 201)
  },
}

const noEditor = (what: string) => no('not_found', `${what} not found: this server has none of Wireflow's video editor`)
const empty = (method: Route['method'], path: string, summary: string, handle: Route['handle']): Route => ({ method, path, scope: method === 'GET' ? 'tasks:read' : 'tasks:write', about: { tag, summary, description: 'Wireflow’s video editor is not here.' }, handle })

export const others: Route[] = [
  usage, feedback,
  empty('GET', '/api/v1/remotion/templates', 'List video templates: none', async () => json({ data: [] })),
  empty('GET', '/api/v1/remotion/templates/:template', 'Get a video template', async () => { throw noEditor('Template') }),
  empty('GET', '/api/v1/blocks', 'List motion blocks: none', async () => json({ blocks: [] })),
  empty('POST', '/api/v1/blocks', 'Add a motion block', async () => { throw noEditor('Block library') }),
  empty('POST', '/api/v1/render/remotion/preview', 'Preview a video scene', async () => { throw noEditor('Renderer') }),
]
