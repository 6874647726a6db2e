import { Type } from 'typebox'
import { failed } from '../../domain/outcome.ts'
import { Problem } from '../../domain/problem.ts'
import { provider } from '../contract.ts'
import type { Job } from '../contract.ts'
import { asking, before, tellOperator } from '../toolkit.ts'
import { below, sortInputs } from '../toolkit/local.ts'
import { writeWhiteMask } from '../toolkit/mask.ts'
import { isAtIt, readCall, readOwn, readProgress, writeCall, type WrittenCall } from './wire.ts'

const basic = (user: string | undefined, password: string | undefined): Record<string, string> =>
  user === undefined ? {} : { authorization: `Basic ${Buffer.from(`${user}:${password ?? ''}`).toString('base64')}` }

/**
 * AUTOMATIC1111's Stable Diffusion web UI and Forge, by their API (`--api`): the call brings the picture, one at a time.
 *
 * A route's model is a checkpoint by its name there, an upscaler for upscales, or `loaded` for whatever is loaded. A picture whose answer
 * was lost is lost; once the server is no longer at it, it is made again, which costs time and no money.
 */
export default provider({
  id: 'a1111',
  title: 'AUTOMATIC1111 / Forge',
  settings: Type.Object({
    baseUrl: Type.String({ description: 'Where the web UI listens, for example http://127.0.0.1:7860; it must be started with --api.', pattern: '^https?://' }),
    user: Type.Optional(Type.String({ description: 'The name in its --api-auth, if it has one.' })),
    password: Type.Optional(Type.String({ description: 'The password in its --api-auth.' })),
    remake: Type.Boolean({ default: true, description: 'Whether a picture whose answer was lost is made again once the server is no longer at it; otherwise the task ends as outcome_unknown.' }),
  }),
  limits: { concurrency: 1, perMinute: null, perProcess: null },
  answerWithinS: 3_600,
  repeat: 'find',
  probe: ({ baseUrl, user, password }) => ({ url: below(baseUrl, '/sdapi/v1/options').href, headers: basic(user, password) }),
  connect({ baseUrl, user, password, remake }, { fetch, now, log }) {
    const ask = asking(fetch, now)
    const headers = basic(user, password)
    const get = (path: string, signal: AbortSignal) => ask(below(baseUrl, path), { headers, signal })
    const post = (path: string, body: unknown, signal: AbortSignal) => ask(below(baseUrl, path), { method: 'POST', headers: { ...headers, 'content-type': 'application/json' }, body: JSON.stringify(body), signal })
    const progress = async (signal: AbortSignal) => readProgress(await get('/sdapi/v1/progress?skip_current_image=true', signal))
    const own = async ({ key }: Job, preview: boolean, signal: AbortSignal) => readOwn(await post('/internal/progress', { id_task: key, live_preview: preview }, signal))
    /** In-between pictures shown so far, by the key of the job in the making. */
    const shown = new Map<string, number>()

    async function prepare(job: Job, signal: AbortSignal): Promise<WrittenCall> {
      const written = writeCall(job)
      const pictures = await writePictures(job)
      signal.throwIfAborted()
      return { ...written, body: { ...written.body, ...pictures } }
    }

    /** Nobody waits for it any more: what is being made is stopped, if it is ours. Best effort, with a signal of its own. */
    async function stop(job: Job): Promise<void> {
      const signal = AbortSignal.timeout(5_000)
      const mine = await own(job, false, signal)
      if (mine === null || mine.at === 'active') await post('/sdapi/v1/interrupt', {}, signal)
    }

    return {
      async submit(job, signal) {
        const prepared = await before(signal, () => prepare(job, signal))
        if ('stopped' in prepared) return tellOperator(prepared.stopped, 'a1111', log)
        const { path, body, warnings } = prepared.value
        shown.set(job.key, 0)
        try {
          const outcome = readCall(await post(path, body, signal), warnings)
          if (signal.aborted) await stop(job)
          // Somebody pressed "Interrupt": what came is a picture half done, and only the state says so.
          if (outcome.kind === 'done' && path !== '/sdapi/v1/extra-single-image' && (await progress(signal))?.interrupted) return failed(new Problem('provider_failed', 'This was interrupted at the web UI, not by us.', { upstreamCode: 'interrupted' }))
          return tellOperator(outcome, 'a1111', log)
        } finally { shown.delete(job.key) }
      },

      async glance(job, signal, partial) {
        const wanted = job.partials ?? 0
        const count = shown.get(job.key) ?? 0
        const mine = await own(job, partial !== undefined && count < wanted, signal)
        if (mine === null) return (await progress(signal))?.percent ?? null
        // Spread over the making: the first of two after a third of it.
        if (mine.preview && mine.percent !== null && count < wanted && mine.percent >= 100 * (count + 1) / (wanted + 2)) {
          shown.set(job.key, count + 1)
          partial!(count, mine.preview)
        }
        return mine.percent
      },

      ...(remake ? {
        async find(job: Job, signal: AbortSignal) {
          const atIt = isAtIt(await progress(signal), await own(job, false, signal))
          if (atIt === false) return null
          throw new Problem('provider_down', atIt ? 'The web UI is still at it.' : 'The web UI could not say what it is at.')
        },
      } : {}),
    }
  },
})

async function writePictures(job: Job): Promise<Record<string, string | string[]>> {
  const { pictures: [first], mask } = sortInputs(job)
  if (!first) return {}
  const picture = (await first.read()).toString('base64')
  if (job.operation === 'upscale') return { image: picture }
  return { init_images: [picture], ...(mask ? { mask: (await writeWhiteMask(await mask.read(), first)).toString('base64') } : {}) }
}
