import { Type } from 'typebox'
import { failed, wait } from '../../domain/outcome.ts'
import type { Json } from '../../domain/outcome.ts'
import { Problem } from '../../domain/problem.ts'
import { provider } from '../contract.ts'
import type { Job, JobInput, JobOutcome, Made } from '../contract.ts'
import { asking, before, extensionOf, gravest, problemOf, tellOperator, withoutTail } from '../toolkit.ts'
import { finish, storeFailed, withoutLinks } from '../toolkit/parts.ts'
import { planBy, readRoute, writeRuns, type Plan } from './plan.ts'
import { fileMax, fold, formMax, keyOf, microsPerCredit, readCancelled, readDescription, readLook, readPlace, readReceipt, readRun, readUploaded, readWorkflows, settledMs, type Looked, type Receipt } from './wire.ts'

/** Links of pictures that were uploaded, by their content. */
const uploadsMax = 1_000
const uploadsLastMs = 3_600_000

const rootOf = (baseUrl: string): string => withoutTail(baseUrl, /\/api(\/v1)?$/)

/** Where its results lie, and who may refuse to hand them to a program. */
const cdn = /^cdn\.(wireflow|atomu)\.ai$/

/**
 * Wireflow: published workflows that are run with inputs and looked at. One run makes what the workflow makes, so a count becomes as many.
 *
 * It answers a key it knows with the first answer, so after a lost answer the same runs are asked for again, under the same keys. It cannot
 * be asked by them: its list of executions has no documented address, and they carry no name of ours.
 */
export default provider({
  id: 'wireflow',
  title: 'Wireflow',
  settings: Type.Object({
    apiKey: Type.String({ description: 'From Settings, API Keys, with the scopes workflows:read, workflows:write (for uploads), workflows:execute and executions:read.', minLength: 1 }),
    baseUrl: Type.String({ default: 'https://www.wireflow.ai/api/v1', description: 'Where its API is, with or without /api/v1 behind it.', pattern: '^https?://' }),
  }),
  // Every plan may begin ten a minute.
  limits: { concurrency: 10, perMinute: 10, perProcess: null },
  repeat: 'find',
  oneEach: true,
  probe: ({ apiKey, baseUrl }) => ({ url: `${rootOf(baseUrl)}/api/v1/workflows`, headers: { authorization: `Bearer ${apiKey}` }, tells: readWorkflows }),
  connect({ apiKey, baseUrl }, { fetch, now, log }) {
    const root = rootOf(baseUrl)
    const ask = asking(fetch, now)
    const headers = { authorization: `Bearer ${apiKey}` }
    const uploads = new Map<string, { url: string; at: number }>()
    const at = (path: string) => new URL(`${root}/api/v1${path}`)
    const get = (path: string, signal: AbortSignal) => ask(at(path), { headers, signal })
    const post = (path: string, body: unknown, signal: AbortSignal, more: Record<string, string> = {}) =>
      ask(at(path), { method: 'POST', headers: { ...headers, 'content-type': 'application/json', ...more }, body: JSON.stringify(body), signal })

    /** Its executor opens only what lies with Wireflow, so every picture goes there first. The same one again for an hour is the same link: an order that is sent again must be the same order. */
    async function upload(input: JobInput, signal: AbortSignal): Promise<string> {
      const known = uploads.get(input.sha256)
      if (known && now().getTime() - known.at < uploadsLastMs) return known.url
      const url = await send(input, signal)
      uploads.set(input.sha256, { url, at: now().getTime() })
      const [oldest] = uploads.keys()
      if (uploads.size > uploadsMax) uploads.delete(oldest!)
      return url
    }

    async function send(input: JobInput, signal: AbortSignal): Promise<string> {
      const bytes = await input.read()
      const filename = `${input.sha256}.${extensionOf(input.mime)}`
      if (bytes.length <= formMax) {
        const form = new FormData()
        form.set('file', new Blob([new Uint8Array(bytes)], { type: input.mime }), filename)
        return readUploaded(await ask(at('/media/upload'), { method: 'POST', headers, body: form, signal }), now())
      }
      const place = readPlace(await post('/media/upload-url', { bytes: bytes.length, filename, contentType: input.mime }, signal), now())
      const put = await ask(new URL(place.url), { method: place.method, headers: place.headers, body: new Uint8Array(bytes), signal })
      if (put.kind !== 'answered' || put.status >= 300) throw new Problem('provider_down', 'Wireflow’s store did not take an input.', put.kind === 'answered' ? { upstreamCode: String(put.status) } : {})
      return readUploaded(await post('/media/upload-url/complete', { mediaId: place.mediaId, filename }, signal), now())
    }

    async function planOf(job: Job, signal: AbortSignal): Promise<Plan> {
      const { plan, asks } = readRoute(job.model)
      return asks ? planBy(plan, readDescription(await get(`/workflows/${plan.workflow}/run`, signal), now()), Object.keys(job.parameters), job.model) : plan
    }

    /** Everything that can be refused is, and every picture is where the workflow can open it, before the first run is asked for. */
    async function prepare(job: Job, signal: AbortSignal): Promise<{ plan: Plan; runs: Record<string, Json>[] }> {
      const large = job.inputs.find(({ sizeBytes }) => sizeBytes > fileMax)
      if (large) throw new Problem('too_large', `A picture has ${large.sizeBytes} bytes; Wireflow takes at most ${fileMax}.`, { field: 'inputs', value: large.sizeBytes, allowed: fileMax })
      const plan = await planOf(job, signal)
      writeRuns(job, plan, job.inputs.map(() => 'https://to.come'))
      return { plan, runs: writeRuns(job, plan, await Promise.all(job.inputs.map(input => upload(input, signal)))) }
    }

    async function begin(job: Job, signal: AbortSignal): Promise<JobOutcome> {
      const prepared = await before(signal, () => prepare(job, signal))
      if ('stopped' in prepared) return prepared.stopped
      const { plan, runs } = prepared.value
      const answers = await Promise.all(runs.map(async (inputs, index) =>
        readRun(await post(`/workflows/${plan.workflow}/run`, { inputs }, signal, { 'idempotency-key': keyOf(job.key, index) }), now())))
      const begun = answers.flatMap(one => 'id' in one ? [{ id: one.id }] : [])
      const refused = answers.flatMap(one => 'problem' in one ? [one] : [])
      // One answer that was lost is asked for with all the others: those that are known answer as before.
      const lost = refused.find(({ problem }) => problem.code === 'outcome_unknown')
      if (lost || begun.length === 0) return failed(...problemOf(lost ?? gravest(refused)))
      return wait({ id: begun[0]!.id, since: now().getTime(), output: plan.output, runs: begun, refused: refused.map(({ problem }) => storeFailed(problem)) } satisfies Receipt)
    }

    async function look(id: string, { output }: Receipt, ageMs: number, signal: AbortSignal): Promise<Looked> {
      const path = `/workflows/executions/${encodeURIComponent(id)}`
      const looked = readLook(await get(`${path}/poll`, signal), output, now())
      // Polls that go on for long may hide a failure; the details know.
      if (looked.kind !== 'pending' || ageMs < settledMs) return looked
      const closer = readLook(await get(path, signal), output, now())
      return closer.kind === 'made' || closer.kind === 'failed' ? closer : looked
    }

    /** Its store refuses programs now and then; its own open door to the same files does not. */
    async function open(url: string, signal: AbortSignal): Promise<Made> {
      if (!cdn.test(new URL(url).hostname)) return { url }
      const there = await fetch(new URL(url), { method: 'HEAD', signal }).then(({ status }) => status, () => 0)
      return there === 401 || there === 403 ? { url: `${root}/api/download?url=${encodeURIComponent(url)}` } : { url }
    }

    return {
      submit: async (job, signal) => tellOperator(await begin(job, signal), 'wireflow', log),

      // Nothing to look for it by; asking again under the same keys buys nothing twice.
      find: async () => null,

      async poll(stored, job, signal) {
        const kept = readReceipt(stored)
        // Links that have expired are of no use: every run is looked at anew.
        const receipt: Receipt = job.fresh ? { ...kept, runs: kept.runs.map(withoutLinks) } : kept
        const ageMs = now().getTime() - receipt.since
        const looks = await Promise.all(receipt.runs.map(async run => run.links || run.failed ? null : look(run.id, receipt, ageMs, signal)))
        const runs = receipt.runs.map((run, index) => looks[index] ? fold(run, looks[index], now().getTime()) : run)
        if (!runs.every(run => run.links || run.failed)) {
          const pauses = looks.flatMap(one => one?.kind === 'pending' && one.retryAfterMs !== null ? [one.retryAfterMs] : [])
          const told = looks.flatMap(one => one?.kind === 'pending' && one.progress !== null ? [one.progress] : [])
          return wait({ ...receipt, runs }, pauses.length > 0 ? Math.max(...pauses) : null, told.length > 0 ? Math.min(...told) : undefined)
        }
        const made = await Promise.all(runs.flatMap(({ links = [] }) => links).map(({ url }) => open(url, signal)))
        const credits = runs.every(run => run.credits !== undefined) ? runs.reduce((sum, run) => sum + run.credits!, 0) : null
        const took = credits === null ? {} : { costMicros: Math.round(credits * microsPerCredit) }
        const texts = [...new Set(runs.flatMap(({ text }) => text ? [text] : []))]
        const outcome = finish(made, [...runs.flatMap(run => run.failed ? [run.failed] : []), ...receipt.refused], job.count, {
          upstreamId: receipt.id, ...took, ...(texts.length > 0 ? { text: texts.join('\n\n') } : {}),
          details: { wireflow: { execution_ids: runs.map(({ id }) => id), ...(credits === null ? {} : { credits }) } },
        })
        return outcome.kind === 'failed' ? failed(outcome.problem, outcome.retryAfterMs, took) : outcome
      },

      async cancel(stored, _job, signal) {
        const stopped = await Promise.all(readReceipt(stored).runs.map(async ({ id }) => readCancelled(await post(`/workflows/executions/${encodeURIComponent(id)}/cancel`, {}, signal))))
        return stopped.every(one => one)
      },
    }
  },
})
