import { randomUUID } from 'node:crypto'
import { join } from 'node:path'
import { Type } from 'typebox'
import { done, failed, wait } from '../../domain/outcome.ts'
import { Problem } from '../../domain/problem.ts'
import { provider } from '../contract.ts'
import type { Job, JobInput, JobOutcome } from '../contract.ts'
import { asking, before, extensionOf, tellOperator } from '../toolkit.ts'
import { below, guardedBy } from '../toolkit/local.ts'
import { writeWhiteMask } from '../toolkit/mask.ts'
import { openStream } from './stream.ts'
import { findTemplate, readTemplates, type Template } from './template.ts'
import { promptIdOf, readHistory, readPosted, readQueue, readReceipt, readUpload, writePrompt, type FileRef, type Receipt, type Remembered, type WrittenPrompt } from './wire.ts'

/** The templates that come with the house. */
export const ownWorkflows = join(import.meta.dirname, 'workflows')

/** Where our pictures lie in its folder of inputs. */
const subfolder = 'plantain'
const runningMs = 1_000
const pendingMs = 3_000

/**
 * ComfyUI: an order fills in a workflow template, which is queued there under an id of ours, followed by its stream, and looked at in the
 * history.
 *
 * A route's model is the name of a template. A lost answer is looked up (`repeat: 'find'`); what neither queue nor history knows was lost in
 * a restart and is begun again.
 */
export default provider({
  id: 'comfyui',
  title: 'ComfyUI',
  settings: Type.Object({
    baseUrl: Type.String({ description: 'Where ComfyUI listens, for example http://127.0.0.1:8188.', pattern: '^https?://' }),
    workflows: Type.Optional(Type.String({ description: 'A folder of workflow templates of your own, one JSON file each; one with a known name takes its place.' })),
    authorization: Type.Optional(Type.String({ description: 'Sent as the Authorization header, for whatever guards it; ComfyUI itself has no keys.' })),
  }),
  // It makes one at a time and queues the rest; what waits there can be cancelled there.
  limits: { concurrency: 8, perMinute: null, perProcess: null },
  repeat: 'find',
  probe: ({ baseUrl, authorization }) => ({ url: below(baseUrl, '/system_stats').href, headers: guardedBy(authorization) }),
  connect({ baseUrl, workflows, authorization }, { fetch, now, log, nudge = () => {} }) {
    const templates = readTemplates([ownWorkflows, ...workflows ? [workflows] : []])
    const ask = asking(fetch, now)
    const headers = guardedBy(authorization)
    const get = (path: string, signal: AbortSignal) => ask(below(baseUrl, path), { headers, signal })
    const post = (path: string, body: unknown, signal: AbortSignal) => ask(below(baseUrl, path), { method: 'POST', headers: { ...headers, 'content-type': 'application/json' }, body: JSON.stringify(body), signal })
    const clientId = randomUUID()
    const streamUrl = below(baseUrl, `/ws?clientId=${clientId}`)
    streamUrl.protocol = streamUrl.protocol === 'https:' ? 'wss:' : 'ws:'
    const stream = openStream({ url: streamUrl, headers, now, nudge })

    function templateFor(job: Pick<Job, 'model' | 'operation' | 'inputs'>): Template {
      const template = findTemplate(templates, job)
      if (!template) throw new Problem('provider_not_configured', `There is no workflow template ${job.model}. Put ${job.model}.json into the folder COMFYUI_WORKFLOWS names; there are ${[...templates.keys()].join(', ')}.`, { model: job.model })
      return template
    }

    async function upload(input: JobInput, job: Job, signal: AbortSignal): Promise<string> {
      const isMask = input.role === 'mask'
      const bytes = isMask ? await writeWhiteMask(await input.read(), job.inputs.find(({ role }) => role !== 'mask') ?? input) : await input.read()
      const form = new FormData()
      // Named by its content: the same picture again is the same file.
      form.set('image', new Blob([new Uint8Array(bytes)], { type: isMask ? 'image/png' : input.mime }), `${input.sha256}${isMask ? '-mask.png' : `.${extensionOf(input.mime)}`}`)
      form.set('type', 'input')
      form.set('subfolder', subfolder)
      form.set('overwrite', 'true')
      return readUpload(await ask(below(baseUrl, '/upload/image'), { method: 'POST', headers, body: form, signal }))
    }

    /** Everything that can be refused is, and every picture lies there, before the prompt is handed in. */
    async function prepare(job: Job, signal: AbortSignal): Promise<{ template: Template; written: WrittenPrompt }> {
      const template = templateFor(job)
      writePrompt(template, job, job.inputs.map(() => 'to-come.png'))
      const files = await Promise.all(job.inputs.map(input => upload(input, job, signal)))
      // So that its first event is not missed. A stream that does not come costs the hints only.
      await stream.watch(promptIdOf(job.key), { taskId: job.taskId, partials: job.partials ?? 0 })
      signal.throwIfAborted()
      return { template, written: writePrompt(template, job, files) }
    }

    const remember = async (id: string, template: Template, signal: AbortSignal) => readHistory(await get(`/history/${encodeURIComponent(id)}`, signal), id, template)

    /** What became of a prompt. It leaves the queue before it is in the history, so the history is asked once more after an empty queue. */
    async function look(id: string, template: Template, signal: AbortSignal): Promise<Remembered | { kind: 'queued'; at: 'running' | 'pending' }> {
      const first = await remember(id, template, signal)
      if (first.kind !== 'absent') return first
      const at = readQueue(await get('/queue', signal), id)
      if (at === null) return { kind: 'unreadable' }
      return at === 'absent' ? remember(id, template, signal) : { kind: 'queued', at }
    }

    async function fetchFile({ filename, subfolder: folder, type }: FileRef, signal: AbortSignal): Promise<Buffer> {
      const answer = await fetch(below(baseUrl, `/view?${new URLSearchParams({ filename, subfolder: folder, type })}`), { headers, signal })
      if (answer.status === 404) throw new Problem('output_expired', 'ComfyUI no longer has the file it made.', { upstreamCode: '404' })
      if (!answer.ok) throw new Problem('provider_down', `ComfyUI did not hand out what it made (HTTP ${answer.status}).`, { upstreamCode: String(answer.status) })
      return Buffer.from(await answer.arrayBuffer())
    }

    async function finish(files: FileRef[], { id, seed, warnings, note }: Receipt, { template, signal }: { template: Template; signal: AbortSignal }): Promise<JobOutcome> {
      if (files.length === 0) return failed(new Problem('bad_output', note ?? `ComfyUI ran the workflow ${template.name} and it saved no picture. It needs a SaveImage node, or outputs that name one.`, { upstreamCode: 'success' }))
      const made = await Promise.all(files.map(async file => ({ bytes: await fetchFile(file, signal), ...(seed === null ? {} : { seed }) })))
      return done({ made, upstreamId: id, costMicros: 0, details: { comfyui: { prompt_id: id, workflow: template.name } }, ...(warnings.length > 0 ? { warnings } : {}) })
    }

    return {
      async submit(job, signal) {
        const prepared = await before(signal, () => prepare(job, signal))
        if ('stopped' in prepared) return tellOperator(prepared.stopped, 'comfyui', log)
        const { template, written } = prepared.value
        const outcome = readPosted(await post('/prompt', { prompt: written.prompt, prompt_id: promptIdOf(job.key), client_id: clientId }, signal), template, written)
        if (outcome.kind === 'failed') stream.forget(promptIdOf(job.key))
        return tellOperator(outcome, 'comfyui', log)
      },

      async poll(stored, job, signal, partial) {
        const receipt = readReceipt(stored)
        const template = templateFor(job)
        void stream.watch(receipt.id, { taskId: job.taskId, partials: job.partials ?? 0 })
        const looked = await look(receipt.id, template, signal)
        const { percent, partial: picture } = stream.take(receipt.id)
        if (picture) partial?.(picture.index, picture.bytes)
        const going = (afterMs: number | null) => wait(receipt, afterMs, percent === null ? undefined : Math.round(percent))
        if (looked.kind === 'unreadable') return going(null)
        if (looked.kind === 'queued') return going(looked.at === 'running' ? runningMs : pendingMs)
        const outcome = looked.kind === 'made' ? await finish(looked.files, receipt, { template, signal })
          : failed(looked.kind === 'failed' ? looked.problem : new Problem('provider_down', 'ComfyUI no longer knows this prompt; it was restarted, or somebody took it out of its queue.', { upstreamCode: 'unknown' }))
        stream.forget(receipt.id)
        return outcome
      },

      async find(job, signal) {
        const template = templateFor(job)
        const id = promptIdOf(job.key)
        const looked = await look(id, template, signal)
        if (looked.kind === 'absent') return null
        if (looked.kind === 'unreadable') throw new Problem('provider_down', 'ComfyUI could not say what became of this.')
        const { seed, warnings } = writePrompt(template, job, job.inputs.map(() => 'was-there.png'))
        return wait({ id, seed, warnings } satisfies Receipt, 0)
      },

      async cancel(stored, _job, signal) {
        const { id } = readReceipt(stored)
        stream.forget(id)
        const at = readQueue(await get('/queue', signal), id)
        if (at === 'pending') return isTaken(await post('/queue', { delete: [id] }, signal))
        // Only what runs now is interrupted: older builds take no id and stop whatever runs.
        return at === 'running' && isTaken(await post('/interrupt', { prompt_id: id }, signal))
      },

      async close() { stream.close() },
    }
  },
})

const isTaken = (reply: { kind: string; status?: number }): boolean => reply.kind === 'answered' && reply.status === 200
