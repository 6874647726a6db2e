import { Type } from 'typebox'
import type { Baseline } from '../../domain/graph/baseline.ts'
import type { Media } from '../../domain/graph/graph.ts'
import { Problem } from '../../domain/problem.ts'
import { queryReader, reader } from '../../kit/schema.ts'
import type { Desk, Incoming, Route } from '../contract.ts'
import { base, found, Limit, limitDefault } from './read.ts'
import { json } from './view.ts'
import { withLinks } from './workflows.ts'

const maybe = <S extends Parameters<typeof Type.Array>[0]>(schema: S) => Type.Union([schema, Type.Null()])
const Time = Type.String({ format: 'date-time' })
const Sha256 = Type.String({ pattern: '^[0-9a-f]{64}$', description: 'The SHA-256 of the picture you were shown: another one that was proposed meanwhile is not decided about.' })
const Picture = Type.Object({ asset: Type.String(), sha256: Type.String(), mime: Type.String(), width: maybe(Type.Integer()), height: maybe(Type.Integer()), url: maybe(Type.String()) })

const SetBody = Type.Object({ asset: Type.String({ pattern: '^[0-9a-f-]{32,36}$', description: 'A picture of the project.' }) }, { additionalProperties: false, title: 'SetBaseline' })
const ApproveBody = Type.Object({ sha256: Type.Optional(Sha256) }, { additionalProperties: false })
const RejectBody = Type.Object({ sha256: Type.Optional(Sha256), reason: Type.Optional(Type.String({ minLength: 1, maxLength: 2_000 })) }, { additionalProperties: false })
const ListQuery = Type.Object({ limit: Limit, after: Type.Optional(Type.String({ maxLength: 200, description: '`next` of the page before.' })), waiting: Type.Optional(Type.Boolean({ description: 'Only those with a proposal nobody has answered.' })) }, { additionalProperties: false })
const read = { set: reader(SetBody), approve: reader(ApproveBody), reject: reader(RejectBody), list: queryReader(ListQuery) }

const BaselineView = Type.Object({
  name: Type.String(), object: Type.Literal('baseline'), state: Type.Enum(['approved', 'waiting', 'empty']),
  approved: maybe(Picture), approved_by: maybe(Type.String()), approved_at: maybe(Time), proposed: maybe(Picture), proposed_by: maybe(Type.String()), proposed_at: maybe(Time),
  rejected: maybe(Type.Object({ sha256: Type.String(), by: Type.String(), at: Time, reason: maybe(Type.String()) })), updated_at: Time,
}, { title: 'Baseline' })

const view = async (one: Baseline, desk: Desk) => {
  const picture = (media: Media | null) => media === null ? null : withLinks(media as never, desk)
  return {
    name: one.name, object: 'baseline', state: one.proposed !== null ? 'waiting' : one.approved !== null ? 'approved' : 'empty',
    approved: await picture(one.approved), approved_by: one.approvedBy, approved_at: one.approvedAt, proposed: await picture(one.proposed), proposed_by: one.proposedBy, proposed_at: one.proposedAt, rejected: one.rejected, updated_at: one.updatedAt,
  }
}

/** Names are as callers gave them; in an address they are percent-encoded. @throws {Problem} `bad_request` */
function nameOf({ params }: Incoming): string {
  const name = params.name ?? ''
  if (name.length > 200 || /\p{Cc}/u.test(name) || !name.isWellFormed()) throw new Problem('bad_request', 'A baseline is named with 1 to 200 characters, none of them a control character.', { field: 'name' })
  return name
}

export const baselines: Route[] = [
  { method: 'GET', path: `${base}/baselines`, scope: 'tasks:read', about: { summary: 'List baselines by name', tag: 'Baselines', query: ListQuery, answer: Type.Object({ items: Type.Array(BaselineView), next: maybe(Type.String()) }), description: 'Pictures under a name that the node `compare` holds others against, with what is proposed for them.' },
    async handle({ query }, desk) {
      const { limit = limitDefault, after, waiting = false } = read.list(query)
      const items = await desk.workflows.baselines({ waiting, limit: limit + 1, after: after ?? null })
      return json({ items: await Promise.all(items.slice(0, limit).map(one => view(one, desk))), next: items.length > limit ? items[limit - 1]!.name : null })
    } },
  { method: 'GET', path: `${base}/baselines/:name`, scope: 'tasks:read', about: { summary: 'Get a baseline', tag: 'Baselines', answer: BaselineView },
    async handle(request, desk) { const name = nameOf(request); return json(await view(found(await desk.workflows.baseline(name), 'baseline', name), desk)) } },
  { method: 'PUT', path: `${base}/baselines/:name`, scope: 'tasks:write', about: { summary: 'Make a picture the baseline', tag: 'Baselines', body: SetBody, answer: BaselineView, description: 'It counts at once; a proposal that waited is dropped.' },
    async handle(request, desk) {
      const { asset } = read.set(request.body)
      return json(await view(await desk.workflows.setBaseline(nameOf(request), asset.replaceAll('-', ''), desk.caller.keyName), desk))
    } },
  { method: 'POST', path: `${base}/baselines/:name/approve`, scope: 'tasks:write', about: { summary: 'Approve what is proposed', tag: 'Baselines', body: ApproveBody, answer: BaselineView, description: 'From now on comparisons are held against it.' },
    async handle(request, desk) { return json(await view(await desk.workflows.approveBaseline(nameOf(request), read.approve(request.body ?? {}).sha256 ?? null, desk.caller.keyName), desk)) } },
  { method: 'POST', path: `${base}/baselines/:name/reject`, scope: 'tasks:write', about: { summary: 'Turn down what is proposed', tag: 'Baselines', body: RejectBody, answer: BaselineView, description: 'What counted before goes on counting, and the very picture is not proposed again.' },
    async handle(request, desk) {
      const { sha256, reason } = read.reject(request.body ?? {})
      return json(await view(await desk.workflows.rejectBaseline(nameOf(request), sha256 ?? null, reason ?? null, desk.caller.keyName), desk))
    } },
  { method: 'DELETE', path: `${base}/baselines/:name`, scope: 'tasks:write', about: { summary: 'Forget a baseline', tag: 'Baselines', status: 204, description: 'The next comparison with it is a first one again.' },
    async handle(request, desk) {
      const name = nameOf(request)
      if (!await desk.workflows.removeBaseline(name)) found(null, 'baseline', name)
      return new Response(null, { status: 204 })
    } },
]
