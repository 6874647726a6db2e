import { Type } from 'typebox'
import { Problem } from '../../domain/problem.ts'
import { readRetryAfter } from '../../kit/fetch.ts'
import { provider } from '../contract.ts'
import type { Job } from '../contract.ts'
import { readLook, readReceipt, readSearch, readSubmission, writeJob } from './wire.ts'
import type { Reply, SentPicture } from './wire.ts'

const readJson = (text: string): unknown => {
  try { return JSON.parse(text) } catch { return undefined }
}

const sendPictures = (job: Job): Promise<SentPicture[]> => Promise.all(job.inputs.map(async (input) => {
  const { role, mime } = input
  const url = input.link()
  return url === null ? { role, mime, data: (await input.read()).toString('base64') } : { role, mime, url }
}))

/**
 * A provider like any other, for an upstream that can be told to misbehave (`upstream.ts`): what the engine survives here, it
 * survives out there.
 */
export default provider({
  id: 'rehearsal',
  title: 'Rehearsal upstream',
  settings: Type.Object({
    baseUrl: Type.String({ description: 'Where the rehearsal upstream listens, for example http://127.0.0.1:7799.', pattern: '^https?://' }),
    apiKey: Type.Optional(Type.String({ description: 'The key it was started with, if any.' })),
    lookup: Type.Boolean({ default: true, description: 'Whether a job whose answer was lost is looked up by our key; false behaves as an upstream that cannot be asked.' }),
  }),
  limits: { concurrency: null, perMinute: null, perProcess: null },
  repeat: 'find',
  connect({ baseUrl, apiKey, lookup = true }, { fetch, now }) {
    const ask = async (path: string, signal: AbortSignal, { headers, ...more }: RequestInit & { headers?: Record<string, string> } = {}): Promise<Reply> => {
      try {
        const response = await fetch(new URL(path, baseUrl), { ...more, signal, headers: { ...headers, ...(apiKey ? { authorization: `Bearer ${apiKey}` } : {}) } })
        const body = readJson(await response.text())
        return { kind: 'answered', status: response.status, retryAfterMs: readRetryAfter(response.headers, now()), body }
      } catch (thrown) {
        // Our `fetch` says when not a byte can have arrived. Anything else, our own giving up included, may have been read.
        return { kind: thrown instanceof Problem && thrown.details.reached === false ? 'unreached' : 'lost' }
      }
    }
    const search = async (job: Job, signal: AbortSignal) => readSearch(await ask(`/jobs?key=${encodeURIComponent(job.key)}`, signal))
    const pathOf = (id: string) => `/jobs/${encodeURIComponent(id)}`

    return {
      async submit(job, signal) {
        const body = JSON.stringify(writeJob(job, await sendPictures(job)))
        const headers = { 'content-type': 'application/json', 'idempotency-key': job.key }
        return readSubmission(await ask('/jobs', signal, { method: 'POST', headers, body }))
      },
      async poll(stored, _job, signal) {
        const receipt = readReceipt(stored)
        return readLook(await ask(pathOf(receipt.id), signal), receipt)
      },
      ...(lookup ? { find: search } : {}),
      async cancel(stored, _job, signal) {
        const receipt = readReceipt(stored)
        const reply = await ask(pathOf(receipt.id), signal, { method: 'DELETE' })
        return reply.kind === 'answered' && reply.status === 200
      },
    }
  },
})
