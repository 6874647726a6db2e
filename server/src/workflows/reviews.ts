/**
 * People in the loop: what they are asked, and what becomes of their answers.
 *
 * A review waits as a row, for days if need be; an answer, its run and what follows are one transaction. Whoever answers second hears `conflict`.
 */
import { createHmac, timingSafeEqual } from 'node:crypto'
import type { Review, ReviewAnswer } from '../domain/graph/execution.ts'
import type { Layout } from '../domain/graph/layout.ts'
import { instanceKey, type Instance, type Media } from '../domain/graph/graph.ts'
import type { Values } from '../domain/graph/values.ts'
import { Problem } from '../domain/problem.ts'
import type { Node } from '../nodes/contract.ts'
import type { Client } from '../db/pool.ts'
import { beginAgain } from './again.ts'
import { gather, readsOf } from './gather.ts'
import { findExecutionRow, readReview, type ExecutionRow, type Owner, type ReviewRow } from './rows.ts'
import { lockExecution, settleRuns, type RunSettlement, type SettledRuns } from './settle.ts'
import { picturesOf, valuesOf, writeOrder, type StepTools } from './step.ts'

const columns = 'id, execution_id, node, item, state, candidates, choose_min, choose_max, note, due_at, on_timeout, chosen, reason, decided_by, decided_at, created_at'

export async function findReview(client: Client, owner: Owner, id: string): Promise<Review | null> {
  const { rows: [row] } = await client.query<ReviewRow>(`select ${columns} from review where id = $1 and project_id = $2 and livemode = $3`, [id, owner.projectId, owner.livemode])
  return row ? readReview(row) : null
}

/** Oldest first where they are open (who waits longest comes first), newest first otherwise. */
export async function listReviews(client: Client, owner: Owner, { state, executionId, limit, after }: { state: Review['state'] | null; executionId: string | null; limit: number; after: string | null }): Promise<Review[]> {
  const oldest = state === 'open'
  const { rows } = await client.query<ReviewRow>(
    `select ${columns} from review where project_id = $1 and livemode = $2 and ($3::text is null or state = $3) and ($4::uuid is null or execution_id = $4) and ($5::uuid is null or id ${oldest ? '>' : '<'} $5)
     order by id ${oldest ? 'asc' : 'desc'} limit $6`, [owner.projectId, owner.livemode, state, executionId, after, limit])
  return rows.map(readReview)
}

export interface ReviewTools extends Pick<StepTools, 'database' | 'kinds' | 'graphs' | 'check' | 'log'> { layoutOf(execution: ExecutionRow): Promise<Layout> }

/** @throws {Problem} `not_found`; `conflict` where it was answered already; `bad_request` for a choice that does not fit; as `desk.estimate` for a prompt the model refuses */
export async function answerReview(tools: ReviewTools, owner: Owner, id: string, answer: ReviewAnswer, by: string): Promise<SettledRuns> {
  if (answer.kind === 'redo' && answer.prompt !== undefined && (answer.prompt.trim().length === 0 || answer.prompt.length > 1_000_000)) throw new Problem('bad_request', 'A prompt to redo with must not be empty.', { field: 'prompt' })
  if (answer.kind === 'redo' && answer.prompt !== undefined) await checkRedo(tools, owner, id, answer.prompt, answer.node)
  return decide(tools, owner, id, answer, by)
}

/** Refuses a prompt its model would refuse, while the review is still there to be answered otherwise: a run that was begun with it could only fail, as often as it is resumed. */
async function checkRedo({ database, kinds, graphs, check, layoutOf }: ReviewTools, owner: Owner, id: string, prompt: string, node: string | undefined): Promise<void> {
  const review = await findReview(database, owner, id)
  const execution = review?.state === 'open' ? await findExecutionRow(database, review.executionId) : null
  if (!review || !execution) return
  const layout = await layoutOf(execution)
  const given = await graphs.given(database, execution.id)
  for (const maker of findMakers(layout, review, node)) {
    const face = layout.faceOf(maker.node)
    const buying = kinds.node(face.id) as Extract<Node, { order: unknown }>
    const { arrived } = await gather(database, readsOf(database), execution.id, layout, maker)
    const values = valuesOf(layout, { node: maker.node, override: { prompt } }, arrived, given)
    kinds.checkInputs(maker.node, face, values)
    const order = writeOrder(execution, { ...maker, item: [...maker.item], attempt: 1 }, buying.order(values as never))
    await check(order, picturesOf(order, values), owner)
  }
}

const decide = ({ database, kinds, graphs, layoutOf }: ReviewTools, owner: Owner, id: string, answer: ReviewAnswer, by: string): Promise<SettledRuns> => database.transaction(async client => {
  const { rows: [found] } = await client.query<{ execution_id: string }>('select execution_id from review where id = $1 and project_id = $2 and livemode = $3', [id, owner.projectId, owner.livemode])
  if (!found) throw new Problem('not_found', 'There is no such review.')
  // The execution first: everybody locks in that order.
  const execution = (await lockExecution(client, found.execution_id))!
  const { rows: [row] } = await client.query<ReviewRow>(`select ${columns} from review where id = $1 for update`, [id])
  const review = readReview(row!)
  if (review.state !== 'open') throw new Problem('conflict', review.state === 'withdrawn' ? 'This review was withdrawn: its execution went another way.' : `This review was ${review.state}${review.decidedBy ? ` by ${review.decidedBy}` : ''} already.`, { state: review.state })
  if (execution.state !== 'running') throw new Problem('conflict', 'The execution of this review has ended.')
  const layout = await layoutOf(execution)
  const { rows: [run] } = await client.query<{ turn: number; override: Values | null }>('select turn, override from node_run where execution_id = $1 and node = $2 and item = $3', [execution.id, review.node, row!.item])
  const common = { executionId: execution.id, node: review.node, item: row!.item, turn: run!.turn, forced: true } satisfies Partial<RunSettlement>
  const write = (state: Review['state'], chosen: number[] | null, reason: string | null) => client.query(
    `update review set state = $2, chosen = $3, reason = $4, decided_by = $5, decided_at = now() where id = $1`, [id, state, chosen === null ? null : JSON.stringify(chosen), reason, by])
  switch (answer.kind) {
    case 'approve': {
      checkChoice(answer.chosen, review)
      await write('approved', answer.chosen, null)
      const node = kinds.node(layout.faceOf(review.node).id) as Extract<Node, { review: unknown }>
      const { arrived } = await gather(client, readsOf(client), execution.id, layout, review)
      const outputs = node.chosen(answer.chosen.map(index => review.candidates[index]!), valuesOf(layout, { node: review.node, override: run!.override }, arrived, await graphs.given(client, execution.id)) as never) as Values
      return settleRuns(client, [{ ...common, state: 'done', outputs, because: `approved by ${by}` }], layoutOf)
    }
    case 'reject': {
      if (answer.reason.trim().length === 0 || answer.reason.length > 2_000) throw new Problem('bad_request', 'A rejection needs a reason of 1 to 2,000 characters.', { field: 'reason' })
      await write('rejected', null, answer.reason)
      return settleRuns(client, [{ ...common, state: 'done', outputs: {}, because: `rejected by ${by}: ${answer.reason.slice(0, 200)}` }], layoutOf)
    }
    case 'redo': {
      const makers = findMakers(layout, review, answer.node)
      await write('redone', null, answer.prompt ?? null)
      await beginAgain(client, execution, layout, makers.map(maker => ({ ...maker, ...(answer.prompt === undefined ? {} : { override: { prompt: answer.prompt } }) })))
      return { held: new Set<string>(), opened: makers.length, ended: [], told: false }
    }
  }
})

function checkChoice(chosen: number[], { candidates, chooseMin, chooseMax }: Review): void {
  if (new Set(chosen).size !== chosen.length || chosen.some(index => !Number.isInteger(index) || index < 0 || index >= candidates.length)) throw new Problem('bad_request', `chosen names candidates by their place, from 0 to ${candidates.length - 1}, each once.`, { field: 'chosen', value: chosen })
  if (chosen.length < chooseMin || chosen.length > chooseMax) throw new Problem('bad_request', chooseMin === chooseMax ? `Choose exactly ${chooseMin}.` : `Choose ${chooseMin} to ${chooseMax}.`, { field: 'chosen', value: chosen })
}

/** The runs that bought the candidates: the nearest buying nodes before the review. */
function findMakers(layout: Layout, review: Instance, wanted: string | undefined): Instance[] {
  const scope = layout.scopeOf.get(review.node)!
  const makers = new Map<string, Instance>()
  const todo = (layout.into.get(review.node) ?? []).map(edge => edge.from.node)
  const seen = new Set<string>()
  for (let node = todo.pop(); node !== undefined; node = todo.pop()) {
    if (seen.has(node)) continue
    seen.add(node)
    const inside = layout.scopeOf.get(node)!
    if (layout.faceOf(node).makes === 'order') {
      if (inside.some(group => !scope.includes(group))) throw new Problem('bad_request', `${node} made its pictures one by one before this review. Redo them where they are made, or put the review inside the iteration.`, { field: 'node', value: node })
      const instance = { node, item: inside.map(group => review.item[scope.indexOf(group)]!) }
      makers.set(instanceKey(instance), instance)
    } else for (const edge of layout.into.get(node) ?? []) todo.push(edge.from.node)
  }
  const all = [...makers.values()]
  if (wanted !== undefined) {
    const one = all.find(({ node }) => node === wanted)
    if (!one) throw new Problem('bad_request', `${wanted} did not make these candidates. ${all.length > 0 ? `${all.map(({ node }) => node).join(', ')} did.` : ''}`, { field: 'node', value: wanted })
    return [one]
  }
  if (all.length === 0) throw new Problem('bad_request', 'Nothing before this review was made by a model, so there is nothing to redo.')
  return all
}

/** Reviews nobody answered in time: what their node says becomes of them. One that cannot be ended keeps no other waiting. */
export async function endOverdue(tools: ReviewTools): Promise<SettledRuns[]> {
  const { rows } = await tools.database.query<{ id: string; project_id: string; livemode: boolean; on_timeout: Review['onTimeout']; candidates: Media[]; choose_min: number }>(
    `select id, project_id, livemode, on_timeout, candidates, choose_min from review where state = 'open' and due_at <= now() order by due_at limit 100`)
  const settled: SettledRuns[] = []
  for (const { id, project_id, livemode, on_timeout, candidates, choose_min } of rows) {
    // Fewer than must be chosen cannot be approved by anybody.
    const answer: ReviewAnswer = on_timeout === 'approve' && candidates.length >= choose_min ? { kind: 'approve', chosen: candidates.slice(0, choose_min).map((_, index) => index) } : { kind: 'reject', reason: 'Nobody answered in time.' }
    await answerReview(tools, { projectId: project_id, livemode }, id, answer, 'the clock').then(one => settled.push(one), (error: unknown) => {
      if (!(error instanceof Problem && (error.code === 'conflict' || error.code === 'not_found'))) tools.log.warn({ reviewId: id, error }, 'an overdue review could not be ended')
    })
  }
  return settled
}

/** A link that lets whoever holds it answer one review, until it expires. */
export const reviewToken = (secret: Buffer, id: string, expiresS: number): string =>
  `${id}.${expiresS}.${createHmac('sha256', secret).update(`review:${id}:${expiresS}`).digest('base64url').slice(0, 32)}`

/** The review a token opens. @throws {Problem} `not_found`, `link_expired` */
export function readToken(secret: Buffer, token: string, now: Date): string {
  const [, id, expires] = /^([0-9a-f]{32})\.([1-9]\d{0,11})\.[\w-]{32}$/.exec(token) ?? []
  if (id === undefined || !timingSafeEqual(Buffer.from(token), Buffer.from(reviewToken(secret, id, Number(expires))))) throw new Problem('not_found', 'There is no such review.')
  if (Number(expires) * 1_000 <= now.getTime()) throw new Problem('link_expired', 'This link has expired. Ask for a new one.')
  return id
}
