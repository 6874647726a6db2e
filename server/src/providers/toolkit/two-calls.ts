/**
 * Upstreams of two calls: one hands a picture in, the other looks how it stands. One call makes one picture, so a count becomes as many.
 *
 * Absent on purpose: call backs, and a key of ours these upstreams could be asked by.
 */
import { done, failed, wait } from '../../domain/outcome.ts'
import type { Json } from '../../domain/outcome.ts'
import { Problem } from '../../domain/problem.ts'
import type { Connection, Job, Made, Workshop } from '../contract.ts'
import { asking, before, gravest, missingOnes, problemOf, silence, tellOperator, unknown, unreached, type Reply } from '../toolkit.ts'
import { isLost, miss, see } from './missing.ts'
import { failedAgain, failure, storeFailed, type Failed, type Failure } from './parts.ts'
import { readRefusal, type Named } from './refusal.ts'

/** A picture that was handed in: where to look, and what the upstream told of it. */
export interface Begun { id: string; look: string; costMicros?: number; details?: Record<string, Json> }
/** How it stands. `gone`: the upstream knows nothing of it. */
export type Looked = { kind: 'pending'; progress?: number } | { kind: 'gone' } | { kind: 'failed'; problem: Problem } | { kind: 'made'; url: string; seed?: number; details?: Record<string, Json> }

export interface TwoCalls extends Named {
  id: string
  /** Everything that can be refused is refused here, and every input is read, before anything is handed in. */
  write(job: Job): Promise<{ url: string; bodies: Json[]; warnings: string[] }>
  headers: Record<string, string>
  readBegun(body: unknown): Begun | null
  readLook(body: unknown): Looked | null
  /** Whether our key may go to an address out of an answer. */
  mayLookAt(url: URL): boolean
}

type Ended = { url: string; seed?: number; details?: Record<string, Json> } | { failed: Failed }
interface Part { begun: Begun; ended?: Ended; missingSince?: number }
interface Receipt { id: string; parts: Part[]; refused: Failed[]; warnings: string[] }

export function connectTwoCalls(upstream: TwoCalls, { fetch, now, log }: Pick<Workshop, 'fetch' | 'now' | 'log'>): Required<Pick<Connection, 'submit' | 'poll'>> {
  const { id, title, headers } = upstream
  const ask = asking(fetch, now)

  const begin = async (url: string, body: Json, signal: AbortSignal): Promise<Begun | Failure> => {
    const reply = await ask(new URL(url), { method: 'POST', headers: { ...headers, 'content-type': 'application/json' }, body: JSON.stringify(body), signal })
    if (reply.kind !== 'answered') return failure(reply.kind === 'unreached' ? unreached(title) : unknown(title))
    if (reply.status >= 400) return readRefusal(reply, upstream)
    return upstream.readBegun(reply.body) ?? failure(unknown(title, String(reply.status)))
  }

  /** A look that fails says nothing of the picture; it is looked at again. */
  const look = async (part: Part, signal: AbortSignal): Promise<{ part: Part; retryAfterMs: number | null; progress?: number }> => {
    const { ended: _, ...open } = part
    const url = new URL(part.begun.look)
    const goesOn = (retryAfterMs: number | null = null) => ({ part: see(open), retryAfterMs })
    const endsAs = (ended: Ended) => ({ part: { begun: part.begun, ended }, retryAfterMs: null })
    const reply: Reply = upstream.mayLookAt(url) ? await ask(url, { headers, signal }) : silence(null)
    if (reply.kind !== 'answered') return goesOn()
    const nowMs = now().getTime()
    const lose = () => isLost(part, nowMs) ? endsAs({ failed: storeFailed(new Problem('provider_failed', `${title} knows nothing of this picture any more.`, { upstreamCode: String(reply.status) })) }) : { part: miss(open, nowMs), retryAfterMs: null }
    if (reply.status === 404) return lose()
    if (reply.status >= 400) return goesOn(reply.retryAfterMs)
    const looked = upstream.readLook(reply.body)
    switch (looked?.kind) {
      case undefined: return goesOn()
      case 'pending': return { ...goesOn(reply.retryAfterMs), ...(looked.progress === undefined ? {} : { progress: looked.progress }) }
      case 'gone': return lose()
      case 'failed': return endsAs({ failed: storeFailed(looked.problem) })
      case 'made': { const { kind: _kind, ...made } = looked; return endsAs(made) }
    }
  }

  return {
    async submit(job, signal) {
      const prepared = await before(signal, async () => { const written = await upstream.write(job); signal.throwIfAborted(); return written })
      if ('stopped' in prepared) return tellOperator(prepared.stopped, id, log)
      const { url, bodies, warnings } = prepared.value
      const answers = await Promise.all(bodies.map(body => begin(url, body, signal)))
      const parts = answers.flatMap(one => 'problem' in one ? [] : [{ begun: one }])
      const refused = answers.flatMap(one => 'problem' in one ? [one] : [])
      if (parts.length === 0) return tellOperator(failed(...problemOf(gravest(refused))), id, log)
      return wait({ id: parts[0]!.begun.id, parts, refused: refused.map(({ problem }) => storeFailed(problem)), warnings } satisfies Receipt as unknown as Json)
    },
    async poll(stored, job, signal) {
      const kept = stored as unknown as Receipt
      // Links that have expired are of no use: every picture is looked at anew.
      const receipt: Receipt = job.fresh ? { ...kept, parts: kept.parts.map(part => part.ended && 'url' in part.ended ? { begun: part.begun } : part) } : kept
      const looks: Awaited<ReturnType<typeof look>>[] = await Promise.all(receipt.parts.map(async part => part.ended ? { part, retryAfterMs: null } : look(part, signal)))
      const parts = looks.map(({ part }) => part)
      if (parts.every(({ ended }) => ended)) return end({ ...receipt, parts }, job, id)
      const open = looks.filter(({ part }) => !part.ended)
      const told = open.flatMap(({ progress }) => progress === undefined ? [] : [progress])
      return wait({ ...receipt, parts } as unknown as Json, open.reduce<number | null>((longest, { retryAfterMs }) => retryAfterMs === null ? longest : Math.max(longest ?? 0, retryAfterMs), null), ...(told.length === open.length ? [Math.min(...told)] : []))
    },
  }
}

function end({ id, parts, refused, warnings }: Receipt, job: Job, provider: string) {
  const problems = [...parts.flatMap(({ ended }) => ended && 'failed' in ended ? [ended.failed] : []), ...refused].map(failedAgain)
  const made = parts.flatMap(({ ended }): Made[] => ended && 'url' in ended ? [{ url: ended.url, ...(ended.seed === undefined ? {} : { seed: ended.seed }) }] : [])
  if (made.length === 0) return failed(gravest(problems.map(problem => failure(problem))).problem)
  const costs = parts.flatMap(({ begun }) => begun.costMicros === undefined ? [] : [begun.costMicros])
  return done({
    made, upstreamId: id, warnings: [...warnings, ...missingOnes(problems, job.count)],
    details: { [provider]: parts.map(({ begun, ended }) => ({ id: begun.id, ...begun.details, ...(ended && 'url' in ended ? ended.details : {}) })) },
    ...(costs.length === parts.length ? { costMicros: costs.reduce((sum, one) => sum + one, 0) } : {}),
  })
}
