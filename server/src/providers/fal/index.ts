import { Type } from 'typebox'
import type { KeyObject } from 'node:crypto'
import { wait } from '../../domain/outcome.ts'
import { provider } from '../contract.ts'
import type { Job, JobInput, JobOutcome } from '../contract.ts'
import { asking, before, extensionOf, forged, tellOperator } from '../toolkit.ts'
import { finish, refuse, storeFailed, withoutLinks } from '../toolkit/parts.ts'
import { writeRequests, type Written } from './models.ts'
import { fold, isCancelled, isSigned, readInitiated, readKeys, readQueued, readReceipt, readResult, readSigned, readStatus, readStored, type Receipt } from './wire.ts'

/** Inputs and results are gone from fal after a day: results are fetched at once, and inputs are wanted no longer. */
const lifecycle = JSON.stringify({ expiration_duration_seconds: 86_400 })
/** Keys are kept for a day, as the docs allow. One that does not fit is looked for anew, but not at every forged call. */
const keysLastMs = 86_400_000
const keysAgainMs = 60_000

/**
 * fal's queue: requests that are handed in and looked at, several pictures in one where the model can.
 *
 * The queue takes no key of ours, and its history (Platform API, by endpoint and time) tells equal requests apart by nothing, so a lost answer
 * stays lost (`repeat: 'never'`).
 */
export default provider({
  id: 'fal',
  title: 'fal',
  settings: Type.Object({
    apiKey: Type.String({ description: 'From the page fal.ai/dashboard/keys.', minLength: 1 }),
    queueUrl: Type.String({ default: 'https://queue.fal.run', description: 'Where requests are handed in and looked at.', pattern: '^https?://' }),
    restUrl: Type.String({ default: 'https://rest.fal.ai', description: 'Where uploads are begun when PUBLIC_URL is not set, and where the public keys of call backs are.', pattern: '^https?://' }),
  }),
  // An account may run 2 to 40 at once; more wait in fal's queue, where their time runs.
  limits: { concurrency: 40, perMinute: null, perProcess: null },
  repeat: 'never',
  connect({ apiKey, queueUrl, restUrl }, { fetch, now, log }) {
    const queue = queueUrl.replace(/\/+$/, '')
    const rest = restUrl.replace(/\/+$/, '')
    const ask = asking(fetch, now)
    const headers = { authorization: `Key ${apiKey}` }
    const post = (url: URL, body: unknown, more: Record<string, string>, signal: AbortSignal) =>
      ask(url, { method: 'POST', headers: { ...headers, 'content-type': 'application/json', ...more }, body: JSON.stringify(body), signal })

    async function upload(input: JobInput, signal: AbortSignal): Promise<string> {
      const link = input.link()
      if (link !== null) return link
      const place = readInitiated(await post(new URL(`${rest}/storage/upload/initiate?storage_type=fal-cdn-v3`), { content_type: input.mime, file_name: `${input.sha256}.${extensionOf(input.mime)}` }, { 'x-fal-object-lifecycle': lifecycle }, signal))
      // The address is signed by fal; our key stays here.
      readStored(await ask(new URL(place.upload_url), { method: 'PUT', headers: { 'content-type': input.mime }, body: new Uint8Array(await input.read()), signal }))
      return place.file_url
    }

    /** Everything that can be refused is, and every input is where fal can fetch it, before the first request is handed in. */
    async function prepare(job: Job, signal: AbortSignal): Promise<Written> {
      writeRequests(job, job.inputs.map(() => 'https://to.come'))
      return writeRequests(job, await Promise.all(job.inputs.map(input => upload(input, signal))))
    }

    /** One look at one request; the result is asked for once it has ended. */
    async function look(request: Receipt['requests'][number], signal: AbortSignal): Promise<{ request: Receipt['requests'][number]; retryAfterMs: number | null }> {
      const looked = readStatus(await ask(new URL(request.status), { headers, signal }))
      const hasEnded = looked.kind === 'ended'
      const result = hasEnded ? readResult(await ask(new URL(request.response), { headers, signal }), looked.failed) : looked
      return { request: fold(request, result, hasEnded ? looked.seconds : null, now().getTime()), retryAfterMs: result.kind === 'pending' ? result.retryAfterMs : null }
    }

    let known: { keys: KeyObject[]; at: number } | null = null
    async function keysOf(olderThanMs: number, signal: AbortSignal): Promise<KeyObject[] | null> {
      if (known && now().getTime() - known.at < olderThanMs) return known.keys
      const keys = readKeys(await ask(new URL(`${rest}/.well-known/jwks.json`), { signal }))
      if (keys) known = { keys, at: now().getTime() }
      return keys ?? known?.keys ?? null
    }

    return {
      async submit(job, signal) {
        const prepared = await before(signal, () => prepare(job, signal))
        if ('stopped' in prepared) return tellOperator(prepared.stopped, 'fal', log)
        const { requests: written, warnings } = prepared.value
        const answers = await Promise.all(written.map(async ({ endpoint, input }) => {
          const url = new URL(`${queue}/${endpoint}`)
          if (job.callbackUrl !== null) url.searchParams.set('fal_webhook', job.callbackUrl)
          return readQueued(await post(url, input, { 'x-fal-object-lifecycle-preference': lifecycle }, signal), queue, endpoint)
        }))
        const countOf = (index: number) => { const { num_images: count } = written[index]!.input; return typeof count === 'number' ? count : 1 }
        const requests = answers.flatMap((one, index) => 'problem' in one ? [] : [{ ...one, count: countOf(index) }])
        const refused = answers.flatMap((one, index) => 'problem' in one ? Array.from({ length: countOf(index) }, () => one) : [])
        if (requests.length === 0) return tellOperator(refuse(refused), 'fal', log)
        return wait({ id: requests[0]!.id, requests, warnings, refused: refused.map(({ problem }) => storeFailed(problem)) } satisfies Receipt)
      },

      async poll(stored, job, signal) {
        const receipt = readReceipt(stored)
        // Links that have expired are of no use: every request is looked at anew.
        const known = job.fresh ? receipt.requests.map(withoutLinks) : receipt.requests
        const looks = await Promise.all(known.map(async (request: Receipt['requests'][number]) => request.links || request.failed ? { request, retryAfterMs: null } : look(request, signal)))
        const requests = looks.map(({ request }) => request)
        if (requests.every(({ links, failed: ended }) => links || ended)) return end({ ...receipt, requests }, job)
        return wait({ ...receipt, requests }, looks.reduce<number | null>((longest, { retryAfterMs }) => retryAfterMs === null ? longest : Math.max(longest ?? 0, retryAfterMs), null))
      },

      async cancel(stored, _job, signal) {
        const open = readReceipt(stored).requests.filter(({ links, failed: ended }) => !links && !ended)
        const heard = await Promise.all(open.map(async ({ cancel }) => isCancelled(await ask(new URL(cancel), { method: 'PUT', headers, signal }))))
        return heard.length > 0 && heard.every(Boolean)
      },

      async verify(callback, signal) {
        const signed = readSigned(callback, now())
        if ('kind' in signed) return signed
        const keys = await keysOf(keysLastMs, signal)
        if (!keys) return forged('The public keys of fal could not be fetched to judge it.')
        // A key they began to use since.
        const fits = isSigned(signed, keys) || isSigned(signed, await keysOf(keysAgainMs, signal) ?? [])
        return fits ? { kind: 'genuine', id: signed.id } : forged('Its signature is made with none of the keys of fal.')
      },
    }
  },
})

/** What was asked for has ended, one way or the other. */
function end({ id, requests, refused, warnings }: Receipt, job: Job): JobOutcome {
  const told = <T>(pick: (request: Receipt['requests'][number]) => T | undefined): T[] => requests.flatMap(one => { const value = pick(one); return value === undefined ? [] : [value] })
  const sum = (numbers: number[]) => Math.round(numbers.reduce((all, one) => all + one, 0) * 1000) / 1000
  const [seconds, units, seeds, texts] = [told(one => one.seconds), told(one => one.units), told(one => one.seed), told(one => one.text)]
  const hidden = told(one => one.hidden).reduce((all, one) => all + one, 0)
  return finish(requests.flatMap(({ links = [] }) => links), [...requests.flatMap(({ failed: one, count }) => one ? Array.from({ length: count }, () => one) : []), ...refused], job.count, {
    upstreamId: id,
    ...(texts.length > 0 ? { text: texts.join('\n') } : {}),
    details: { fal: { request_ids: requests.map(one => one.id), ...(seeds.length > 0 ? { seeds } : {}), ...(seconds.length > 0 ? { inference_seconds: sum(seconds) } : {}), ...(units.length > 0 ? { billable_units: sum(units) } : {}) } },
    warnings: [...warnings, ...(hidden > 0 ? [`${hidden} of ${job.count} pictures were flagged by the checker of fal and are not shown.`] : [])],
  })
}
