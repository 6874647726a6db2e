import { Type } from 'typebox'
import { failed } from '../../domain/outcome.ts'
import { provider } from '../contract.ts'
import type { Job, JobOutcome } from '../contract.ts'
import { asking, before, readAnswer, readOnce, readReply, silence, tellOperator, unknown } from '../toolkit.ts'
import { prepareCall, writeCall, type PreparedCall } from '../toolkit/images-form.ts'
import { readAddress } from './address.ts'
import { readEvents } from './events.ts'
import { writeChat } from '../toolkit/chat.ts'
import { readPictures } from '../toolkit/text.ts'
import { readEvent, readImages, readWriting, title } from './wire.ts'

/**
 * OpenAI's images API and chat completions, and every server shaped like them: Azure, gateways, LocalAI, sd.cpp, another Plantain.
 *
 * Picture and text come in the call. OpenAI documents no idempotency key for either, so a lost answer stays lost (`repeat: 'never'`); the
 * key is sent all the same, for the servers that know what to do with it.
 */
export default provider({
  id: 'openai',
  title: 'OpenAI',
  settings: Type.Object({
    apiKey: Type.String({ description: 'From the page platform.openai.com/api-keys, or whatever the server at OPENAI_BASE_URL takes as a bearer (Azure: as its api-key).', minLength: 1 }),
    baseUrl: Type.String({ default: 'https://api.openai.com/v1', description: 'Where images/generations is, version included; of Azure the resource (https://….openai.azure.com).', pattern: '^https?://' }),
    apiVersion: Type.Optional(Type.String({ description: 'Only for Azure’s addresses by deployment: the api-version, for example 2025-04-01-preview. Without it Azure’s /openai/v1 is used.', pattern: '^[A-Za-z0-9.-]+$' })),
  }),
  limits: { concurrency: 30, perMinute: 100, perProcess: null },
  repeat: 'never',
  writes: true,
  probe: ({ apiKey, baseUrl, apiVersion }) => { const address = readAddress(baseUrl, apiVersion); return { url: address.models.href, headers: address.headers(apiKey) } },
  connect({ apiKey, baseUrl, apiVersion }, { fetch, now, log }) {
    const address = readAddress(baseUrl, apiVersion)

    async function call({ path, fields, files, warnings }: PreparedCall, job: Job, signal: AbortSignal, partial?: (index: number, bytes: Uint8Array) => void): Promise<JobOutcome> {
      const url = address.url(path, job.model)
      const init = { method: 'POST', signal, ...writeCall({ fields, files }, { ...address.headers(apiKey), 'idempotency-key': job.key }) }
      if (fields.stream !== true) return readOnce(await asking(fetch, now)(url, init), reply => readImages(reply, fields, warnings))
      try {
        const response = await fetch(url, init)
        const isStream = response.ok && response.headers.get('content-type')?.startsWith('text/event-stream') === true
        if (isStream && response.body) return await follow(response, { asked: fields, warnings, requestId: response.headers.get('x-request-id') }, partial)
        return readImages(await readReply(response, now()), fields, warnings)
      } catch (thrown) {
        return readImages(silence(thrown), fields, warnings)
      }
    }

    async function submitText(job: Job, signal: AbortSignal): Promise<JobOutcome> {
      const prepared = await before(signal, async () => writeChat(job, await readPictures(job), address.isAzure ? { isOwn: true } : {}))
      if ('stopped' in prepared) return prepared.stopped
      const { fields, warnings } = prepared.value
      const init = { method: 'POST', signal, headers: { ...address.headers(apiKey), 'content-type': 'application/json', 'idempotency-key': job.key }, body: JSON.stringify(fields) }
      return tellOperator(readOnce(await asking(fetch, now)(address.url('chat/completions', job.model), init), reply => readWriting(reply, job, warnings)), 'openai', log)
    }

    return {
      async submit(job, signal, partial) {
        if (job.operation === 'write') return submitText(job, signal)
        const prepared = await before(signal, () => prepareCall(job, { partials: partial ? job.partials ?? 0 : 0, ...(address.isAzure ? { isOwn: true } : {}) }))
        return 'stopped' in prepared ? prepared.stopped : tellOperator(await call(prepared.value, job, signal, partial), 'openai', log)
      },
    }
  },
})

/** Shows in-between pictures as they come. A stream that ends without its last event is a lost answer. */
async function follow(response: Response, said: Parameters<typeof readEvent>[2], partial?: (index: number, bytes: Uint8Array) => void): Promise<JobOutcome> {
  for await (const data of readEvents(response.body as unknown as AsyncIterable<Uint8Array>)) {
    const { body, bytesOf } = readAnswer(data)
    const event = readEvent(body, bytesOf, said)
    if (event.kind === 'partial') partial?.(event.index, event.bytes)
    if (event.kind === 'end') return event.outcome
  }
  return failed(unknown(title, 'stream'))
}
