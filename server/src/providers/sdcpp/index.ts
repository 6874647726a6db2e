import { Type } from 'typebox'
import { provider } from '../contract.ts'
import type { Job, JobInput } from '../contract.ts'
import { asking, before, tellOperator } from '../toolkit.ts'
import { below, guardedBy, loaded, sortInputs } from '../toolkit/local.ts'
import { writeWhiteMask } from '../toolkit/mask.ts'
import { checkModel, isPaintedOver, readCancelled, readCreated, readLook, readReceipt, writeJob, type WrittenJob } from './wire.ts'

/**
 * sd-server of stable-diffusion.cpp, by its native API: jobs that are queued there and looked at, one model a process.
 *
 * A route's model is the name of the file it must have loaded (with or without its ending), or `loaded` for whatever it has.
 */
export default provider({
  id: 'sdcpp',
  title: 'stable-diffusion.cpp',
  settings: Type.Object({
    baseUrl: Type.String({ description: 'Where sd-server listens, for example http://127.0.0.1:1234.', pattern: '^https?://' }),
    authorization: Type.Optional(Type.String({ description: 'Sent as the Authorization header, for whatever guards it; sd-server itself has no keys.' })),
  }),
  limits: { concurrency: 4, perMinute: null, perProcess: null },
  repeat: 'never',
  probe: ({ baseUrl, authorization }) => ({ url: below(baseUrl, '/sdcpp/v1/capabilities').href, headers: guardedBy(authorization) }),
  connect({ baseUrl, authorization }, { fetch, now, log }) {
    const ask = asking(fetch, now)
    const headers = guardedBy(authorization)
    const post = (path: string, body: unknown, signal: AbortSignal) =>
      ask(below(baseUrl, path), { method: 'POST', headers: { ...headers, 'content-type': 'application/json' }, body: JSON.stringify(body), signal })
    const get = (path: string, signal: AbortSignal) => ask(below(baseUrl, path), { headers, signal })

    /** Everything that can be refused is, and every picture is read, before the job is handed in. */
    async function prepare(job: Job, signal: AbortSignal): Promise<WrittenJob> {
      const written = writeJob(job)
      if (job.model !== loaded) checkModel(await get('/sdcpp/v1/capabilities', signal), job.model)
      const pictures = await writePictures(job)
      signal.throwIfAborted()
      return { ...written, body: { ...written.body, ...pictures } }
    }

    return {
      async submit(job, signal) {
        const prepared = await before(signal, () => prepare(job, signal))
        if ('stopped' in prepared) return tellOperator(prepared.stopped, 'sdcpp', log)
        return tellOperator(readCreated(await post(prepared.value.path, prepared.value.body, signal), prepared.value), 'sdcpp', log)
      },
      async poll(stored, _job, signal) {
        const receipt = readReceipt(stored)
        return readLook(await get(`/sdcpp/v1/jobs/${encodeURIComponent(receipt.id)}`, signal), receipt)
      },
      async cancel(stored, _job, signal) {
        return readCancelled(await post(`/sdcpp/v1/jobs/${encodeURIComponent(readReceipt(stored).id)}/cancel`, {}, signal))
      },
    }
  },
})

async function writePictures(job: Job): Promise<Record<string, string | string[]>> {
  const { pictures, mask, first, last } = sortInputs(job)
  const text = async (input: JobInput) => (await input.read()).toString('base64')
  if (job.operation === 'video') {
    const start = first ?? pictures[0]
    return { ...(start ? { init_image: await text(start) } : {}), ...(last ? { end_image: await text(last) } : {}) }
  }
  if (pictures.length === 0) return {}
  const [over, ...beside] = isPaintedOver(job) ? pictures : [undefined, ...pictures]
  return {
    ...(over ? { init_image: await text(over) } : {}),
    ...(mask ? { mask_image: (await writeWhiteMask(await mask.read(), pictures[0]!)).toString('base64') } : {}),
    ...(beside.length > 0 ? { ref_images: await Promise.all(beside.map(input => text(input!))) } : {}),
  }
}
