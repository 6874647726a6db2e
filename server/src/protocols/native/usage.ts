import { Type } from 'typebox'
import { Problem } from '../../domain/problem.ts'
import { queryReader, readInstant } from '../../kit/schema.ts'
import type { Route } from '../contract.ts'
import { base, Limit, limitDefault, readFilterId } from './read.ts'
import { BalanceView, json, LedgerView, ListView, PageView, UsageView, viewBalance, viewLedger, viewList, viewPage, viewUsage } from './view.ts'

const dayMs = 86_400_000

const balance: Route = {
  method: 'GET', path: `${base}/balance`, scope: 'usage:read',
  about: { summary: 'What is left to spend', tag: 'Money', answer: BalanceView, description: 'Of the account, in the mode of the key: play credits for a test key. `held` is kept for tasks in the making.' },
  handle: async (_request, desk) => json(viewBalance(await desk.money.balance())),
}

const UsageQuery = Type.Object({
  from: Type.Optional(Type.String({ description: 'A time or a day. Default: 30 days ago.' })),
  to: Type.Optional(Type.String({ description: 'A time or a day, not included. Default: now.' })),
}, { additionalProperties: false })
const readUsageQuery = queryReader(UsageQuery)

const usage: Route = {
  method: 'GET', path: `${base}/usage`, scope: 'usage:read',
  about: { summary: 'What was made and spent, by day, model and key', tag: 'Money', query: UsageQuery, answer: ListView(UsageView) },
  async handle({ query }, desk) {
    const asked = readUsageQuery(query)
    const to = asked.to === undefined ? desk.now() : readInstant(asked.to, 'to')
    const from = asked.from === undefined ? new Date(to.getTime() - 30 * dayMs) : readInstant(asked.from, 'from')
    if (from > to) throw new Problem('bad_request', 'from must not be later than to.', { field: 'from', value: asked.from })
    if (to.getTime() - from.getTime() > 400 * dayMs) throw new Problem('bad_request', 'At most 400 days can be asked for at once.', { field: 'from', value: asked.from })
    return json(viewList(await desk.money.usage({ from, to }), viewUsage))
  },
}

const LedgerQuery = Type.Object({
  after: Type.Optional(Type.Integer({ minimum: 1, description: '`next` of the page before.' })), limit: Limit, task: Type.Optional(Type.String({ description: 'Only what concerns this task.' })),
}, { additionalProperties: false })
const readLedgerQuery = queryReader(LedgerQuery)

const ledger: Route = {
  method: 'GET', path: `${base}/ledger`, scope: 'usage:read',
  about: { summary: 'Every movement of money, newest first', tag: 'Money', query: LedgerQuery, answer: PageView(LedgerView) },
  async handle({ query }, desk) {
    const { after, limit, task } = readLedgerQuery(query)
    const page = await desk.money.ledger({ after: after === undefined ? undefined : String(after), limit: limit ?? limitDefault, taskId: readFilterId(task, 'task') })
    return json(viewPage(page, viewLedger))
  },
}

export const money: Route[] = [balance, usage, ledger]
