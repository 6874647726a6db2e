import type { Rendering, RenderRequest } from '@plantain/sandbox'
import { done, failed } from '../../domain/outcome.ts'
import type { Json } from '../../domain/outcome.ts'
import { Problem } from '../../domain/problem.ts'
import { withoutHistory } from '../../domain/session.ts'
import type { Connection, Job, JobOutcome, Workshop } from '../contract.ts'
import { writeText } from './text.ts'
import { countMade, failJob, pauseMs, readTriggers, refuseJob, waitUntil } from './triggers.ts'
import type { Triggers } from './triggers.ts'
import { readRenderings, warnOf, writeInput, writeRender } from './wire.ts'

/** Worker threads that render, as `@plantain/sandbox/pool` starts them. */
export interface Pool {
  render(request: RenderRequest, options: { signal?: AbortSignal; onPartial?: (rendering: Rendering) => void }): Promise<Rendering>
  close(): Promise<void>
}

/** Triggers are for test keys; under a live key the prompt is only a prompt. */
const readJob = ({ livemode, prompt }: Job): { triggers: Triggers; prompt: string } =>
  livemode ? { triggers: readTriggers('').triggers, prompt: withoutHistory(prompt) } : readTriggers(withoutHistory(prompt))

const isReceipt = (receipt: Json): receipt is { readyAt: number } =>
  typeof receipt === 'object' && receipt !== null && 'readyAt' in receipt && typeof receipt.readyAt === 'number'

/**
 * Asks the renderer. The pool is started with the first picture: a process that only serves never pays for its threads.
 */
export function connectRenderer(startPool: () => Promise<Pool>, { now, log }: Pick<Workshop, 'now' | 'log'>): Connection {
  let pool: Promise<Pool> | null = null
  const open = () => pool ??= startPool().catch((thrown: unknown) => { pool = null; throw thrown })
  const render = async (request: RenderRequest, signal: AbortSignal, onPartial: (rendering: Rendering) => void) => (await open()).render(request, { signal, onPartial })

  async function make(job: Job, { triggers, prompt }: ReturnType<typeof readJob>, signal: AbortSignal, partial?: Parameters<Connection['submit']>[2]): Promise<JobOutcome> {
    const bad = failJob(triggers)
    if (bad) return bad
    // For a text, bytes that are no picture are no text either.
    if (triggers.bad_image && job.operation === 'write') return done({ made: [], text: '' })
    if (triggers.bad_image) return done({ made: [{ bytes: Buffer.from('The sandbox was told to send bytes that are no picture.'), mime: 'image/png' }] })
    const count = countMade(triggers, job.count)
    const warnings = [
      ...warnOf(job),
      ...(triggers.partial ? [count < job.count ? `The sandbox was told to make ${count} of ${job.count} pictures.` : 'sandbox:partial needs a count of at least 2.'] : []),
    ]
    // One that fails lets go of its siblings: nobody wants the rest.
    const siblings = new AbortController()
    const either = AbortSignal.any([signal, siblings.signal])
    try {
      if (job.operation === 'write') return await writeText(job, prompt, warnings)
      const drawing = { ...job, operation: job.operation }
      const inputs = await Promise.all(job.inputs.map(async (input) => writeInput(input, await input.read())))
      const words = prompt === '' && (job.operation === 'generate' || job.operation === 'video') ? 'abstract colours' : prompt
      const requests = Array.from({ length: count }, (_, variation) => writeRender(drawing, words, inputs, variation))
      // In-between pictures are of the first one only: whoever streams looks at one.
      let shown = 0
      return done(readRenderings(await Promise.all(requests.map((request, index) => render(index === 0 ? { ...request, ...(job.partials ? { partials: job.partials } : {}) } : request, either, ({ bytes }) => partial?.(shown++, bytes)))), warnings))
    } catch (thrown) {
      signal.throwIfAborted()
      if (thrown instanceof Problem) return failed(thrown)
      // The class is another one on this side of a worker thread; its name comes across.
      if (thrown instanceof Error && thrown.name === 'RenderError') return failed(new Problem('bad_request', thrown.message, { cause: thrown }))
      log.warn({ taskId: job.taskId, err: thrown }, 'the renderer broke')
      return failed(new Problem('provider_down', 'The renderer broke while it was at work.', { cause: thrown }))
    } finally {
      siblings.abort()
    }
  }

  return {
    async submit(job, signal, partial) {
      const asked = readJob(job)
      const refused = refuseJob(asked.triggers, job.attempt)
      if (refused) return refused
      const pause = pauseMs(asked.triggers)
      if (pause === null) return await make(job, asked, signal, partial)
      return waitUntil(now().getTime() + pause, now().getTime())
    },
    async poll(receipt, job, signal) {
      if (isReceipt(receipt) && now().getTime() < receipt.readyAt) return waitUntil(receipt.readyAt, now().getTime())
      return await make(job, readJob(job), signal)
    },
    // A picture that waits is only a receipt; forgetting it is enough.
    cancel: async () => true,
    async close() { await (await pool)?.close() },
  }
}
