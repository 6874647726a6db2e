import { Type } from 'typebox'
import { failed } from '../../domain/outcome.ts'
import type { Json } from '../../domain/outcome.ts'
import { provider } from '../contract.ts'
import type { Job, JobOutcome } from '../contract.ts'
import { asking, before, extensionOf, readAnswer, readOnce, readReply, silence, tellOperator, unknown } from '../toolkit.ts'
import { writeFields, type WrittenCall } from '../toolkit/openai.ts'
import { readEvents } from './events.ts'
import { writeMask } from './mask.ts'
import { readEvent, readImages, title } from './wire.ts'

interface Prepared extends WrittenCall { files: { field: string; name: string; mime: string; bytes: Buffer }[] }

/**
 * OpenAI's images API, and every server shaped like it: gateways, LocalAI, sd.cpp, another Plantain.
 *
 * The picture comes in the call. OpenAI documents no idempotency key for it, so a lost answer stays lost (`repeat: 'never'`); the
 * key is sent all the same, for the servers that know what to do with it.
 */
export default provider({
  id: 'openai',
  title: 'OpenAI',
  settings: Type.Object({
    apiKey: Type.String({ description: 'From the page platform.openai.com/api-keys, or whatever the server at OPENAI_BASE_URL takes as a bearer.', minLength: 1 }),
    baseUrl: Type.String({ default: 'https://api.openai.com/v1', description: 'Where images/generations is, version included.', pattern: '^https?://' }),
  }),
  limits: { concurrency: 30, perMinute: 100, perProcess: null },
  repeat: 'never',
  connect({ apiKey, baseUrl }, { fetch, now, log }) {
    const base = baseUrl.replace(/\/+$/, '')

    async function call({ path, fields, files, warnings }: Prepared, job: Job, signal: AbortSignal, partial?: (index: number, bytes: Uint8Array) => void): Promise<JobOutcome> {
      const headers = { authorization: `Bearer ${apiKey}`, 'idempotency-key': job.key }
      const body = files.length > 0 ? { headers, body: writeForm(fields, files) } : { headers: { ...headers, 'content-type': 'application/json' }, body: JSON.stringify(fields) }
      const url = new URL(`${base}/${path}`)
      const init = { method: 'POST', signal, ...body }
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

    return {
      async submit(job, signal, partial) {
        const prepared = await before(signal, () => prepare(job, partial ? job.partials ?? 0 : 0))
        return 'stopped' in prepared ? prepared.stopped : tellOperator(await call(prepared.value, job, signal, partial), 'openai', log)
      },
    }
  },
})

/** Everything that can be refused is, and every file is read, before anything is sent. */
async function prepare(job: Job, partials: number): Promise<Prepared> {
  const written = writeFields(job, { partials })
  const pictures = job.inputs.filter(({ role }) => role !== 'mask')
  const mask = job.inputs.find(({ role }) => role === 'mask')
  const files = await Promise.all(pictures.map(async (input, index) => (
    { field: pictures.length === 1 ? 'image' : 'image[]', name: `picture-${index + 1}.${extensionOf(input.mime)}`, mime: input.mime, bytes: await input.read() })))
  return { ...written, files: mask ? [...files, { field: 'mask', name: 'mask.png', mime: 'image/png', bytes: await writeMask(await mask.read(), pictures[0]!) }] : files }
}

function writeForm(fields: Record<string, Json>, files: Prepared['files']): FormData {
  const form = new FormData()
  for (const [name, value] of Object.entries(fields)) form.set(name, typeof value === 'string' ? value : JSON.stringify(value))
  for (const { field, name, mime, bytes } of files) form.append(field, new Blob([new Uint8Array(bytes)], { type: mime }), name)
  return form
}

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
