import { Type } from 'typebox'
import { done, failed, wait } from '../../domain/outcome.ts'
import { Problem } from '../../domain/problem.ts'
import { provider } from '../contract.ts'
import type { Job, JobOutcome, Made } from '../contract.ts'
import { asking, before, gather, readOnce, tellOperator, tooLong } from '../toolkit.ts'
import { checkGeneration, mergeMakings, writeGeneration } from '../toolkit/gemini.ts'
import { checkText, writeText } from '../toolkit/gemini-text.ts'
import { charactersMaxOf, handlingsOf, readModels, rootOf } from '../toolkit/google.ts'
import { see, waitOrLose } from '../toolkit/missing.ts'
import { readPictures } from '../toolkit/text.ts'
import { checkFilm, readBegun, readFile, readLook, readReceipt, writeFilm } from './film.ts'
import { checkInteraction, isInteraction, isOmni, readInteraction, readInteractionBegun, readStopped, writeInteraction } from './interaction.ts'
import { readGeneration, readWriting } from './wire.ts'

/**
 * Google's Gemini API: pictures and texts in the call (`generateContent`), films as operations (`predictLongRunning`) or, of the Omni family, as
 * interactions in the background.
 *
 * Google makes one picture at a time, so a count becomes as many calls beside each other. It knows no key of ours, so a lost answer
 * stays lost (`repeat: 'never'`).
 */
export default provider({
  id: 'gemini',
  title: 'Google Gemini',
  settings: Type.Object({
    apiKey: Type.String({ description: 'From the page aistudio.google.com/apikey.', minLength: 1 }),
    baseUrl: Type.String({ default: 'https://generativelanguage.googleapis.com', description: 'Where the API is, with or without a version; v1beta is taken where none is named.', pattern: '^https?://' }),
  }),
  limits: { concurrency: 30, perMinute: 100, perProcess: null },
  repeat: 'never',
  oneEach: true,
  writes: true,
  probe: ({ apiKey, baseUrl }) => ({ url: `${rootOf(baseUrl)}/models?pageSize=1`, headers: { 'x-goog-api-key': apiKey }, tells: readModels('GEMINI') }),
  connect({ apiKey, baseUrl }, { fetch, now, log }) {
    const root = rootOf(baseUrl)
    const ask = asking(fetch, now)
    const headers = { 'x-goog-api-key': apiKey }
    const post = (path: string, body: string, signal: AbortSignal) =>
      ask(new URL(`${root}/${path}`), { method: 'POST', headers: { ...headers, 'content-type': 'application/json' }, body, signal })

    async function submitPictures(job: Job, signal: AbortSignal): Promise<JobOutcome> {
      const prepared = await before(signal, async () => {
        const handlings = handlingsOf(job.model)
        const charactersMax = charactersMaxOf(job.model)
        if (job.prompt.length > charactersMax) throw tooLong('Google', job.model, job.prompt, charactersMax)
        checkGeneration(job, handlings)
        return writeGeneration(job, await readPictures(job), handlings)
      })
      if ('stopped' in prepared) return prepared.stopped
      const { path, bodies, warnings } = prepared.value
      const { seed } = job.parameters
      const outcomes = await Promise.all(bodies.map(async (body, index) =>
        readOnce(await post(path, JSON.stringify(body), signal), reply => readGeneration(reply, { seed: typeof seed === 'number' ? (seed + index) % 2_147_483_648 : undefined }))))
      const gathered = gather(outcomes, mergeMakings)
      return gathered.kind === 'done' && warnings.length > 0 ? done({ ...gathered.value, warnings: [...warnings, ...gathered.value.warnings ?? []] }) : gathered
    }

    async function submitText(job: Job, signal: AbortSignal): Promise<JobOutcome> {
      const prepared = await before(signal, async () => {
        checkText(job)
        return writeText(job, await readPictures(job))
      })
      if ('stopped' in prepared) return prepared.stopped
      const { path, body, warnings } = prepared.value
      return readOnce(await post(path, JSON.stringify(body), signal), reply => readWriting(reply, job, warnings))
    }

    async function submitFilm(job: Job, signal: AbortSignal): Promise<JobOutcome> {
      const omni = isOmni(job.model)
      const prepared = await before(signal, async () => {
        const check = omni ? checkInteraction : checkFilm
        check(job)
        const pictures = await readPictures(job)
        return omni ? writeInteraction(job, pictures) : writeFilm(job, pictures)
      })
      if ('stopped' in prepared) return prepared.stopped
      const { path, body, warnings } = prepared.value
      const read = omni ? readInteractionBegun : readBegun
      return read(await post(path, JSON.stringify(body), signal), warnings)
    }

    /** Files of Google's own are opened with our key; the key goes nowhere else. */
    async function download(uri: string, signal: AbortSignal): Promise<Made | 'later' | 'refused' | 'gone'> {
      const url = URL.canParse(uri) ? new URL(uri) : null
      if (!url) return 'gone'
      if (url.origin !== new URL(root).origin) return { url: uri }
      try {
        const response = await fetch(url, { headers, signal })
        const fate = readFile({ kind: 'file', status: response.status })
        if (fate === 'here') return { bytes: new Uint8Array(await response.arrayBuffer()), mime: response.headers.get('content-type') ?? 'video/mp4' }
        await response.body?.cancel().catch(() => {})
        return fate
      } catch (thrown) {
        // A file that is too large stays so; a line that broke does not.
        return thrown instanceof Problem && thrown.code === 'provider_failed' ? 'gone' : 'later'
      }
    }

    return {
      submit: async (job, signal) => tellOperator(await (job.operation === 'video' ? submitFilm(job, signal) : job.operation === 'write' ? submitText(job, signal) : submitPictures(job, signal)), 'gemini', log),

      async poll(stored, _job, signal) {
        const receipt = readReceipt(stored)
        const read = isInteraction(receipt) ? readInteraction : readLook
        const looked = read(await ask(new URL(`${root}/${receipt.id}`), { headers, signal }))
        if (looked.kind === 'pending') return wait(see(receipt), looked.retryAfterMs)
        if (looked.kind === 'missing') return waitOrLose(receipt, now().getTime(), new Problem('provider_failed', 'Google no longer knows this film.', { upstreamCode: '404' }))
        if (looked.kind === 'failed') return tellOperator(failed(looked.problem), 'gemini', log)
        const fetched = await Promise.all(looked.films.map(async film => 'uri' in film ? download(film.uri, signal) : { bytes: film.bytes, mime: 'video/mp4' }))
        if (fetched.includes('later')) return wait(receipt)
        // A link that is refused gets one fresh one: the operation is asked again before the film is given up.
        if (fetched.includes('refused') && !receipt.again) return wait({ ...receipt, again: true })
        const made = fetched.filter(one => typeof one !== 'string')
        if (made.length === 0) return failed(new Problem('output_expired', 'Google no longer hands out the file of this film.', { upstreamCode: 'file' }))
        return done({ made, upstreamId: receipt.id, details: { gemini: { operation: receipt.id, ...looked.details } }, warnings: [...receipt.warnings, ...looked.warnings] })
      },

      /** Operations have no such call. */
      async cancel(stored, _job, signal) {
        const receipt = readReceipt(stored)
        return isInteraction(receipt) && readStopped(await post(`${receipt.id}/cancel`, '{}', signal))
      },
    }
  },
})
