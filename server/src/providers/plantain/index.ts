import { Type } from 'typebox'
import { wait } from '../../domain/outcome.ts'
import { Problem } from '../../domain/problem.ts'
import { provider } from '../contract.ts'
import type { Job, JobInput, JobOutcome } from '../contract.ts'
import { asking, before, tellOperator, verifyWebhook, withoutTail } from '../toolkit.ts'
import { see, waitOrLose } from '../toolkit/missing.ts'
import { readBegun, readCancelled, readLook, readFound, readReceipt, readUpload, title, writeTask, type SentInput } from './wire.ts'

/** How long that house may keep a look open while it waits for the end, in seconds. */
const lookS = 10

/**
 * Another Plantain: a task here is a task there.
 *
 * A lost answer is looked for by our key of the attempt, which the task carries in its metadata. The key is its `Idempotency-Key` as well,
 * so an attempt that is handed in again, because none was found, is the same task even if the first one was only late.
 */
export default provider({
  id: 'plantain',
  title: 'Another Plantain',
  settings: Type.Object({
    apiKey: Type.String({ description: 'A key of that house, made with `plantain keys create` or in its studio; a live one for real pictures.', minLength: 1 }),
    baseUrl: Type.String({ description: 'Where that house is, for example https://images.example.com, with or without /plantain/v1 behind it.', pattern: '^https?://' }),
    callbackSecret: Type.Optional(Type.String({ description: 'What its call backs are verified with: GET /plantain/v1/webhooks/callback-secret there tells it; two with a space between while it is replaced. Without it nothing is verified.', pattern: '^whsec_[A-Za-z0-9+/]{16,}=*( whsec_[A-Za-z0-9+/]{16,}=*)*$' })),
  }),
  limits: { concurrency: 100, perMinute: null, perProcess: null },
  repeat: 'find',
  writes: true,
  probe: ({ apiKey, baseUrl }) => ({ url: `${withoutTail(baseUrl, /\/plantain(\/v1)?$/)}/plantain/v1/project`, headers: { authorization: `Bearer ${apiKey}` } }),
  connect({ apiKey, baseUrl, callbackSecret }, { fetch, now, log }) {
    const root = withoutTail(baseUrl, /\/plantain(\/v1)?$/)
    const ask = asking(fetch, now)
    const headers = { authorization: `Bearer ${apiKey}` }
    const at = (path: string) => new URL(`${root}/plantain/v1${path}`)

    /** Handed over, never fetched from us: that house need not reach this one. The same bytes again make the same order. */
    async function hand({ role, mime, read }: JobInput, signal: AbortSignal): Promise<SentInput> {
      const body = new Uint8Array(await read())
      return { asset: readUpload(await ask(at('/assets'), { method: 'POST', headers: { ...headers, 'content-type': mime }, body, signal })), role }
    }

    async function begin(job: Job, signal: AbortSignal): Promise<JobOutcome> {
      const prepared = await before(signal, () => Promise.all(job.inputs.map(input => hand(input, signal))))
      if ('stopped' in prepared) return prepared.stopped
      const body = JSON.stringify(writeTask(job, prepared.value))
      return readBegun(await ask(at('/tasks'), { method: 'POST', headers: { ...headers, 'content-type': 'application/json', 'idempotency-key': job.key }, body, signal }), root)
    }

    return {
      submit: async (job, signal) => tellOperator(await begin(job, signal), 'plantain', log),

      find: async (job, signal) => readFound(await ask(at(`/tasks?limit=1&${new URLSearchParams({ 'metadata[plantain_attempt]': job.key }).toString()}`), { headers, signal }), root),

      async poll(stored, job, signal) {
        const receipt = readReceipt(stored)
        // Where it can call us back a look is a glance; where it cannot, it may keep us until there is something to tell.
        const path = job.callbackUrl === null ? `/tasks/${receipt.id}/wait?timeout=${lookS}` : `/tasks/${receipt.id}`
        const since = now().getTime()
        const looked = readLook(await ask(at(path), { headers, signal }), root)
        const lasted = now().getTime() - since
        // Deleted over there, or our key is now another project's.
        if (looked.kind === 'missing') return waitOrLose(receipt, now().getTime(), new Problem('provider_failed', `${title} no longer knows this task.`, { upstreamCode: 'not_found' }))
        if (looked.kind === 'pending') return wait(see(receipt), looked.retryAfterMs ?? (lasted > lookS * 500 ? 0 : null), looked.progress ?? undefined)
        return tellOperator(looked, 'plantain', log)
      },

      cancel: async (stored, _job, signal) => readCancelled(await ask(at(`/tasks/${readReceipt(stored).id}/cancel`), { method: 'POST', headers, signal })),

      ...(callbackSecret === undefined ? {} : { verify: async callback => verifyWebhook(callback, callbackSecret.split(' '), now()) }),
    }
  },
})
