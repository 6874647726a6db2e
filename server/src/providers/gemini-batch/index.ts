import { Type } from 'typebox'
import { Problem } from '../../domain/problem.ts'
import { provider } from '../contract.ts'
import type { Job, JobOutcome } from '../contract.ts'
import { asking, before, readOnce, tellOperator, tooLong } from '../toolkit.ts'
import { checkGeneration, writeGeneration } from '../toolkit/gemini.ts'
import { charactersMaxOf, handlingsOf, readModels, rootOf } from '../toolkit/google.ts'
import { readPictures } from '../toolkit/text.ts'
import { batchBytesMax, checkPatience, readBegun, readLook, readPage, readReceipt, settings, writeBatch, type Receipt } from './wire.ts'

/**
 * Google's Gemini API by `batchGenerateContent`: the same pictures for half the price, within a day.
 *
 * A provider of its own beside `gemini`: what waits for hours must not hold the places of what somebody waits for, and who sets its key
 * has chosen to wait. Routes to it take orders of the priority `batch` with time enough (`batchHoursMin` on the card); it refuses the others
 * itself as well. A lost answer is looked for in Google's list (`repeat: 'find'`).
 */
export default provider({
  id: 'gemini-batch',
  title: 'Google Gemini, in batches',
  settings: Type.Object({
    apiKey: Type.String({ description: 'As for gemini, from the page aistudio.google.com/apikey. Setting it sends patient orders into batches, which may take a day.', minLength: 1 }),
    baseUrl: Type.String({ default: 'https://generativelanguage.googleapis.com', description: 'Where the API is, with or without a version; v1beta is taken where none is named.', pattern: '^https?://' }),
  }),
  // Google has a hundred batches of one account in the making at once.
  limits: { concurrency: 100, perMinute: 100, perProcess: null },
  repeat: 'find',
  probe: ({ apiKey, baseUrl }) => ({ url: `${rootOf(baseUrl)}/models?pageSize=1`, headers: { 'x-goog-api-key': apiKey }, tells: readModels(settings) }),
  connect({ apiKey, baseUrl }, { fetch, now, log }) {
    const root = rootOf(baseUrl)
    const ask = asking(fetch, now)
    const headers = { 'x-goog-api-key': apiKey }
    const post = (path: string, body: string, signal: AbortSignal) => ask(new URL(`${root}/${path}`), { method: 'POST', headers: { ...headers, 'content-type': 'application/json' }, body, signal })

    /** Everything that can be refused is, and every picture is read, before the batch is handed in. */
    async function prepare(job: Job): Promise<{ body: string; warnings: string[] }> {
      checkPatience(job, now())
      if (job.operation === 'video') throw new Problem('unsupported_parameter', 'Google makes films in no batches.', { field: 'operation', value: job.operation })
      const handlings = handlingsOf(job.model)
      const charactersMax = charactersMaxOf(job.model)
      if (job.prompt.length > charactersMax) throw tooLong('Google', job.model, job.prompt, charactersMax)
      checkGeneration(job, handlings)
      const { bodies, warnings } = writeGeneration(job, await readPictures(job), handlings)
      const body = JSON.stringify(writeBatch(job.key, bodies))
      if (Buffer.byteLength(body) > batchBytesMax) throw new Problem('too_large', `The pictures make a batch of ${Buffer.byteLength(body)} bytes; ${batchBytesMax} fit.`, { field: 'inputs', allowed: batchBytesMax })
      return { body, warnings }
    }

    async function look(receipt: Receipt, signal: AbortSignal): Promise<JobOutcome> {
      if (receipt.id !== undefined) return readOnce(await ask(new URL(`${root}/${receipt.id}`), { headers, signal }), reply => readLook(reply, receipt, now().getTime()))
      const page = receipt.page === undefined ? '' : `&pageToken=${encodeURIComponent(receipt.page)}`
      return readOnce(await ask(new URL(`${root}/batches?pageSize=50${page}`), { headers, signal }), reply => readPage(reply, receipt, now().getTime()))
    }

    const receiptOf = ({ key, count, parameters: { seed } }: Job, warnings: string[]): Receipt => ({ key, count, since: now().getTime(), ...(typeof seed === 'number' ? { seed } : {}), warnings })

    return {
      async submit(job, signal) {
        const prepared = await before(signal, () => prepare(job))
        if ('stopped' in prepared) return tellOperator(prepared.stopped, 'gemini-batch', log)
        const { body, warnings } = prepared.value
        const receipt = receiptOf(job, warnings)
        return tellOperator(readBegun(await post(`models/${encodeURIComponent(job.model)}:batchGenerateContent`, body, signal), receipt), 'gemini-batch', log)
      },

      poll: (stored, _job, signal) => look(readReceipt(stored), signal),

      /** Never null: what is not in the list may still be there. */
      find: async (job, signal) => look(receiptOf(job, []), signal),

      async cancel(stored, _job, signal) {
        const { id } = readReceipt(stored)
        if (id === undefined) return false
        const reply = await post(`${id}:cancel`, '{}', signal)
        return reply.kind === 'answered' && reply.status < 300
      },
    }
  },
})
