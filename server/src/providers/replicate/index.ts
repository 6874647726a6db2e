import { Type } from 'typebox'
import { failed, wait } from '../../domain/outcome.ts'
import { provider } from '../contract.ts'
import type { Job, JobInput, JobOutcome, Made } from '../contract.ts'
import { asking, before, extensionOf, forged, tellOperator, unknown, verifyWebhook, withoutTail } from '../toolkit.ts'
import { isLost, miss, see } from '../toolkit/missing.ts'
import { finish, refuse, storeFailed, withoutLinks } from '../toolkit/parts.ts'
import { writeInputs, type Written } from './models.ts'
import { fold, isCancelled, lookBackMs, markOf, readCreated, readLook, readPage, readReceipt, readSecret, readUpload, writeCreate, type Receipt } from './wire.ts'

/** Up to here a file goes as a data URL, as Replicate advises; larger ones are uploaded, and kept there for a day. */
const dataUrlMax = 256 * 1024
const secretLastsMs = 3_600_000

/**
 * Replicate: predictions that are asked for and looked at, one picture each.
 *
 * A lost answer is looked for in Replicate's list by the address it calls back (`repeat: 'find'`). Where there is none, because PUBLIC_URL is
 * not set or not HTTPS, or where nothing is found within a minute, it stays lost.
 */
export default provider({
  id: 'replicate',
  title: 'Replicate',
  settings: Type.Object({
    apiKey: Type.String({ description: 'From the page replicate.com/account/api-tokens.', minLength: 1 }),
    baseUrl: Type.String({ default: 'https://api.replicate.com/v1', description: 'Where the API is, with or without /v1 behind it.', pattern: '^https?://' }),
    webhookSecret: Type.Optional(Type.String({ description: 'Signing secret of call backs (whsec_…); without it, it is asked for with the key when the first one comes.', minLength: 1 })),
  }),
  // 600 predictions a minute, says Replicate; fewer when the credit runs low.
  limits: { concurrency: 100, perMinute: 600, perProcess: null },
  repeat: 'find',
  oneEach: true,
  probe: ({ apiKey, baseUrl }) => ({ url: `${withoutTail(baseUrl, /\/v1$/)}/v1/account`, headers: { authorization: `Bearer ${apiKey}` } }),
  connect({ apiKey, baseUrl, webhookSecret }, { fetch, now, log }) {
    const base = `${withoutTail(baseUrl, /\/v1$/)}/v1`
    const ask = asking(fetch, now)
    const headers = { authorization: `Bearer ${apiKey}` }

    async function place(input: JobInput, signal: AbortSignal): Promise<string> {
      const link = input.link()
      if (link !== null) return link
      const bytes = await input.read()
      if (bytes.length <= dataUrlMax) return `data:${input.mime};base64,${bytes.toString('base64')}`
      const form = new FormData()
      form.set('content', new Blob([new Uint8Array(bytes)], { type: input.mime }), `${input.sha256}.${extensionOf(input.mime)}`)
      return readUpload(await ask(new URL(`${base}/files`), { method: 'POST', headers, body: form, signal }))
    }

    /** Everything that can be refused is, and every input is where Replicate can read it, before the first prediction is asked for. */
    async function prepare(job: Job, signal: AbortSignal): Promise<Written> {
      writeInputs(job, job.inputs.map(() => 'https://to.come'))
      return writeInputs(job, await Promise.all(job.inputs.map(input => place(input, signal))))
    }

    async function create(model: string, input: object, webhook: string | null, signal: AbortSignal) {
      const { path, version } = writeCreate(model)
      const body = { ...(version === undefined ? {} : { version }), input, ...(webhook === null ? {} : { webhook, webhook_events_filter: ['completed'] }) }
      return readCreated(await ask(new URL(`${base}/${path}`), { method: 'POST', headers: { ...headers, 'content-type': 'application/json' }, body: JSON.stringify(body), signal }))
    }

    /** One page of the list for those whose ids are not known. */
    async function seek(receipt: Receipt, signal: AbortSignal): Promise<Receipt> {
      const marks = receipt.predictions.flatMap(({ id, mark, failed: ended }) => id === undefined && mark !== undefined && !ended ? [mark] : [])
      if (marks.length === 0) return receipt
      const read = readPage(await ask(new URL(`${base}/predictions${receipt.page ?? ''}`), { headers, signal }), marks, receipt.from ?? receipt.since)
      const { page: _, ...rest } = receipt
      // The list was read to its end.
      const isWhole = read !== null && read.next === null
      const nowMs = now().getTime()
      const predictions = receipt.predictions.map(one => {
        const found = one.id === undefined && one.mark !== undefined ? read?.found[one.mark] : undefined
        if (found !== undefined) return { ...see(one), id: found }
        if (!isWhole || one.id !== undefined || one.failed) return one
        return isLost(one, nowMs) ? { ...one, failed: storeFailed(unknown('Replicate', 'not_listed')) } : miss(one, nowMs)
      })
      const first = predictions.find(({ id }) => id !== undefined)?.id
      return { ...rest, ...(first === undefined ? {} : { id: rest.id ?? first }), predictions, ...(read?.next ? { page: read.next } : {}) }
    }

    async function lookAll(stored: Receipt, job: Job, signal: AbortSignal): Promise<JobOutcome> {
      // Links that have expired are of no use: every prediction is looked at anew.
      const receipt = await seek(job.fresh ? { ...stored, predictions: stored.predictions.map(withoutLinks) } : stored, signal)
      const looks = await Promise.all(receipt.predictions.map(async ({ id, links, failed: ended }) =>
        id === undefined || links || ended ? null : readLook(await ask(new URL(`${base}/predictions/${encodeURIComponent(id)}`), { headers, signal }))))
      const predictions = receipt.predictions.map((one, index) => looks[index] ? fold(one, looks[index], now().getTime()) : one)
      if (predictions.every(({ links, failed: ended }) => links || ended)) return end({ ...receipt, predictions }, job, signal)
      const open = looks.flatMap(one => one?.kind === 'pending' ? [one] : [])
      const pauses = open.flatMap(({ retryAfterMs }) => retryAfterMs === null ? [] : [retryAfterMs])
      const told = open.flatMap(({ progress }) => progress === null ? [] : [progress])
      return wait({ ...receipt, predictions }, pauses.length > 0 ? Math.max(...pauses) : null, told.length > 0 ? Math.min(...told) : undefined)
    }

    /** Files of Replicate's own API are opened with our key; the key goes nowhere else. */
    async function open(made: { url: string; seed?: number }, signal: AbortSignal): Promise<Made> {
      if (new URL(made.url).origin !== new URL(base).origin) return made
      const response = await fetch(made.url, { headers, signal })
      if (!response.ok) { await response.body?.cancel(); return made }
      const { seed } = made
      return { bytes: new Uint8Array(await response.arrayBuffer()), ...(seed === undefined ? {} : { seed }) }
    }

    /** What was asked for has ended, one way or the other. */
    async function end({ id, predictions, refused, warnings }: Receipt, job: Job, signal: AbortSignal): Promise<JobOutcome> {
      const made = await Promise.all(predictions.flatMap(({ links = [] }) => links).map(one => open(one, signal)))
      const seconds = predictions.flatMap(one => one.seconds === undefined ? [] : [one.seconds])
      return finish(made, [...predictions.flatMap(({ failed: one }) => one ? [one] : []), ...refused], job.count, {
        ...(id === undefined ? {} : { upstreamId: id }), warnings,
        details: { replicate: { prediction_ids: predictions.flatMap(one => one.id === undefined ? [] : [one.id]), ...(seconds.length > 0 ? { predict_seconds: Math.round(seconds.reduce((sum, one) => sum + one, 0) * 1000) / 1000 } : {}) } },
      })
    }

    let secret: { key: string; at: number } | null = null
    async function secretOf(signal: AbortSignal): Promise<string | null> {
      if (webhookSecret !== undefined) return webhookSecret
      if (secret && now().getTime() - secret.at < secretLastsMs) return secret.key
      const key = readSecret(await ask(new URL(`${base}/webhooks/default/secret`), { headers, signal }))
      if (key !== null) secret = { key, at: now().getTime() }
      return key ?? secret?.key ?? null
    }

    return {
      async submit(job, signal) {
        const prepared = await before(signal, () => prepare(job, signal))
        if ('stopped' in prepared) return tellOperator(prepared.stopped, 'replicate', log)
        const { model, inputs, warnings } = prepared.value
        const since = now().getTime()
        const marks = inputs.map((_, index) => markOf(job.callbackUrl, job.key, index))
        const answers = await Promise.all(inputs.map((input, index) => create(model, input, marks[index]!, signal)))
        const lost = (index: number) => { const one = answers[index]!; return 'problem' in one && one.problem.code === 'outcome_unknown' && marks[index] !== null }
        const predictions = answers.flatMap((one, index): Receipt['predictions'] => {
          const mark = marks[index] === null ? {} : { mark: marks[index]! }
          if ('id' in one) return [fold({ id: one.id, ...mark }, one.looked, 0)]
          return lost(index) ? [mark] : []
        })
        const refused = answers.flatMap((one, index) => 'problem' in one && !lost(index) ? [one] : [])
        const first = predictions.find(({ id }) => id !== undefined)?.id
        const receipt: Receipt = { ...(first === undefined ? {} : { id: first }), since, from: since - lookBackMs.asked, predictions, refused: refused.map(({ problem }) => storeFailed(problem)), warnings }
        if (predictions.length === 0) return tellOperator(refuse(refused), 'replicate', log)
        return predictions.every(({ links, failed: ended }) => links || ended) ? end(receipt, job, signal) : wait(receipt)
      },

      poll: async (stored, job, signal) => lookAll(readReceipt(stored), job, signal),

      /** Whatever this attempt may have begun is looked for by its marks. Never null: what is not in the list may still be there. */
      async find(job, signal) {
        const marks = Array.from({ length: job.count }, (_, index) => markOf(job.callbackUrl, job.key, index))
        if (marks.includes(null)) return failed(unknown('Replicate'))
        const since = now().getTime()
        return lookAll({ since, from: since - lookBackMs.unknown, predictions: marks.map(mark => ({ mark: mark! })), refused: [], warnings: [] }, job, signal)
      },

      async cancel(stored, _job, signal) {
        const going = readReceipt(stored).predictions.filter(({ links, failed: ended }) => !links && !ended)
        const heard = await Promise.all(going.map(async ({ id }) => id !== undefined && isCancelled(await ask(new URL(`${base}/predictions/${encodeURIComponent(id)}/cancel`), { method: 'POST', headers, signal }))))
        return heard.length > 0 && heard.every(Boolean)
      },

      async verify(callback, signal) {
        const key = await secretOf(signal)
        return key === null ? forged('The signing secret of Replicate could not be had to judge it.') : verifyWebhook(callback, [key], now())
      },
    }
  },
})
