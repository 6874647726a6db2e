import { Type } from 'typebox'
import { done, failed, wait } from '../../domain/outcome.ts'
import { Problem } from '../../domain/problem.ts'
import { provider } from '../contract.ts'
import type { Job, JobOutcome, Made } from '../contract.ts'
import { asking, before, extensionOf, gather, readOnce, tellOperator, withoutTail } from '../toolkit.ts'
import type { Reply } from '../toolkit.ts'
import { checkGeneration, mergeMakings } from '../toolkit/gemini.ts'
import { prepareCall, writeCall, writeForm } from '../toolkit/images-form.ts'
import { see, waitOrLose } from '../toolkit/missing.ts'
import { handlingsOf, readBalance, readBegun, readLook, readPicture, readPictures, readReceipt, saysSpent, surfaceOf, writeFilm, writePictures } from './wire.ts'

/**
 * Wisdom Gate (WisGate): a gateway with Gemini's surface, OpenAI's, and films of its own.
 *
 * Pictures come in the call. It documents no key a call could be repeated under, so a lost answer stays lost (`repeat: 'never'`); the
 * key is sent all the same. Films are looked at; it can neither list nor stop them.
 */
export default provider({
  id: 'wisdom-gate',
  title: 'Wisdom Gate',
  settings: Type.Object({
    apiKey: Type.String({ description: 'From the page of tokens in its dashboard.', minLength: 1 }),
    baseUrl: Type.String({ default: 'https://api.wisgate.ai', description: 'Where it is, with or without /v1; older accounts: https://wisdom-gate.juheapi.com.', pattern: '^https?://' }),
    authorization: Type.Union([Type.Literal('bearer'), Type.Literal('raw')], { default: 'bearer', description: 'How the key stands in Authorization: after the word Bearer, or alone, as some of its pages show it.' }),
  }),
  // 50 a minute is its free plan; paid ones bear more.
  limits: { concurrency: 30, perMinute: 50, perProcess: null },
  repeat: 'never',
  oneEach: true,
  probe: ({ apiKey, baseUrl, authorization = 'bearer' }) => ({ url: `${withoutTail(baseUrl, /\/v1(beta)?$/)}/v1/models`, headers: { authorization: authorization === 'raw' ? apiKey : `Bearer ${apiKey}` } }),
  connect({ apiKey, baseUrl, authorization = 'bearer' }, { fetch, now, log }) {
    const root = withoutTail(baseUrl, /\/v1(beta)?$/)
    const ask = asking(fetch, now)
    const headers = { authorization: authorization === 'raw' ? apiKey : `Bearer ${apiKey}` }
    const at = (path: string) => new URL(`${root}/${path}`)
    const get = (path: string, signal: AbortSignal) => ask(at(path), { headers, signal })

    /** Reads an answer; where it says that the account is spent, the operator is told how it stands. */
    async function read(reply: Reply, signal: AbortSignal, how: (reply: Reply) => JobOutcome): Promise<JobOutcome> {
      const outcome = readOnce(reply, how)
      if (saysSpent(reply)) {
        const [subscription, usage] = await Promise.all(['subscription', 'usage'].map(page => get(`v1/dashboard/billing/${page}`, signal)))
        log.warn({ provider: 'wisdom-gate', leftUsd: readBalance(subscription!, usage!) }, 'the account at Wisdom Gate is spent')
      }
      return outcome
    }

    async function submitPictures(job: Job, signal: AbortSignal): Promise<JobOutcome> {
      const prepared = await before(signal, async () => {
        checkGeneration(job, handlingsOf(job.model))
        return writePictures(job, await Promise.all(job.inputs.map(async input => ({ mime: input.mime, base64: (await input.read()).toString('base64') }))))
      })
      if ('stopped' in prepared) return prepared.stopped
      const { path, bodies, warnings } = prepared.value
      const { seed } = job.parameters
      const outcomes = await Promise.all(bodies.map(async (body, index) => {
        const reply = await ask(at(path), { method: 'POST', headers: { 'x-goog-api-key': apiKey, 'content-type': 'application/json' }, body: JSON.stringify(body), signal })
        return read(reply, signal, one => readPicture(one, typeof seed === 'number' ? (seed + index) % 2_147_483_648 : undefined))
      }))
      const gathered = gather(outcomes, mergeMakings)
      return gathered.kind === 'done' && warnings.length > 0 ? done({ ...gathered.value, warnings: [...warnings, ...gathered.value.warnings ?? []] }) : gathered
    }

    async function submitImages(job: Job, signal: AbortSignal): Promise<JobOutcome> {
      const prepared = await before(signal, () => prepareCall(job, { partials: 0 }))
      if ('stopped' in prepared) return prepared.stopped
      const { path, fields, warnings } = prepared.value
      const reply = await ask(at(`v1/${path}`), { method: 'POST', signal, ...writeCall(prepared.value, { ...headers, 'idempotency-key': job.key }) })
      return read(reply, signal, one => readPictures(one, { asked: fields, warnings }))
    }

    async function submitFilm(job: Job, signal: AbortSignal): Promise<JobOutcome> {
      const prepared = await before(signal, async () => {
        const written = writeFilm(job)
        const files = await Promise.all(job.inputs.map(async input => ({ field: 'input_reference', name: `first.${extensionOf(input.mime)}`, mime: input.mime, bytes: await input.read() })))
        return { ...written, files }
      })
      if ('stopped' in prepared) return prepared.stopped
      const { fields, files, warnings } = prepared.value
      const reply = await ask(at('v1/videos'), { method: 'POST', headers: { ...headers, 'idempotency-key': job.key }, body: writeForm(fields, files), signal })
      return read(reply, signal, one => readBegun(one, warnings))
    }

    /** The file itself, with our key; the key goes to no other host. */
    async function download(id: string, signal: AbortSignal): Promise<Made | 'later' | 'refused'> {
      try {
        const response = await fetch(at(`v1/videos/${encodeURIComponent(id)}/content`), { headers, signal })
        if (response.ok) return { bytes: new Uint8Array(await response.arrayBuffer()), mime: response.headers.get('content-type') ?? 'video/mp4' }
        await response.body?.cancel().catch(() => {})
        return response.status === 429 || response.status >= 500 ? 'later' : 'refused'
      } catch (thrown) {
        // A file that is too large stays so; a line that broke does not.
        return thrown instanceof Problem && thrown.code === 'provider_failed' ? 'refused' : 'later'
      }
    }

    return {
      async submit(job, signal) {
        const submit = { gemini: submitPictures, images: submitImages, video: submitFilm }[surfaceOf(job)]
        return tellOperator(await submit(job, signal), 'wisdom-gate', log)
      },

      async poll(stored, _job, signal) {
        const receipt = readReceipt(stored)
        const looked = readLook(await get(`v1/videos/${encodeURIComponent(receipt.id)}`, signal))
        if (looked.kind === 'pending') return wait(see(receipt), looked.retryAfterMs, looked.progress ?? undefined)
        if (looked.kind === 'missing') return waitOrLose(receipt, now().getTime(), new Problem('provider_failed', 'Wisdom Gate no longer knows this film.', { upstreamCode: '404' }))
        if (looked.kind === 'failed') return failed(looked.problem)
        const file = await download(receipt.id, signal)
        const made = file === 'refused' && looked.url !== null ? { url: looked.url } : file
        if (made === 'later') return wait(receipt)
        if (made === 'refused' && !receipt.again) return wait({ ...receipt, again: true })
        if (made === 'refused') return failed(new Problem('output_expired', 'Wisdom Gate no longer hands out the file of this film.', { upstreamCode: 'content' }))
        return done({ made: [made], upstreamId: receipt.id, details: { wisdom_gate: { video: receipt.id } }, warnings: receipt.warnings })
      },
    }
  },
})
