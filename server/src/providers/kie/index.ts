import { Type } from 'typebox'
import { done, failed, wait } from '../../domain/outcome.ts'
import type { Problem } from '../../domain/problem.ts'
import { provider } from '../contract.ts'
import type { Job, JobInput, JobOutcome } from '../contract.ts'
import { asking, before, extensionOf, gravest, missingOnes, problemOf, tellOperator, withoutTail } from '../toolkit.ts'
import { failedAgain, failure, storeFailed } from '../toolkit/parts.ts'
import { writeInput, type Written } from './input.ts'
import { fold, readCreated, readCredit, readDirect, readLook, readReceipt, readTook, readUpload, verifyCallback, writeTask, type Looked, type Receipt } from './wire.ts'

/** Up to here a file goes as base64 in JSON, as Kie advises; larger ones as a form. */
const base64Max = 10_000_000

/**
 * Kie.ai: tasks that are handed in and looked at. One task makes one picture, so a count becomes as many tasks.
 *
 * Kie has no look-up by a name of ours, no list and no cancel: a lost answer stays lost (`repeat: 'never'`), and cancelling a task
 * leaves it running there, paid and unheard.
 */
export default provider({
  id: 'kie',
  title: 'Kie.ai',
  settings: Type.Object({
    apiKey: Type.String({ description: 'From the page kie.ai/api-key.', minLength: 1 }),
    baseUrl: Type.String({ default: 'https://api.kie.ai', description: 'Where tasks are handed in, with or without /api/v1 behind it.', pattern: '^https?://' }),
    uploadUrl: Type.String({ default: 'https://kieai.redpandaai.co', description: 'Where inputs are uploaded when PUBLIC_URL is not set; Kie keeps them for three days.', pattern: '^https?://' }),
    webhookKey: Type.Optional(Type.String({ description: 'The webhook HMAC key of your account (kie.ai/settings), if you made one; call backs without its signature are then refused.', minLength: 1 })),
  }),
  // 20 new tasks in 10 seconds and about 100 at once, says Kie.
  limits: { concurrency: 100, perMinute: 100, perProcess: null },
  repeat: 'never',
  oneEach: true,
  probe: ({ apiKey, baseUrl }) => ({ url: `${withoutTail(baseUrl, /\/api(\/v1)?$/)}/api/v1/chat/credit`, headers: { authorization: `Bearer ${apiKey}` }, tells: readCredit }),
  connect({ apiKey, baseUrl, uploadUrl, webhookKey }, { fetch, now, log }) {
    const base = withoutTail(baseUrl, /\/api(\/v1)?$/)
    const uploads = withoutTail(uploadUrl, /\/api(\/v1)?$/)
    const ask = asking(fetch, now)
    const headers = { authorization: `Bearer ${apiKey}` }
    const post = (url: string, body: unknown, signal: AbortSignal) =>
      ask(new URL(url), { method: 'POST', headers: { ...headers, 'content-type': 'application/json' }, body: JSON.stringify(body), signal })

    async function upload(input: JobInput, signal: AbortSignal): Promise<string> {
      const link = input.link()
      if (link !== null) return link
      const bytes = await input.read()
      // Named by its content: the same picture again is the same file.
      const names = { uploadPath: 'plantain/inputs', fileName: `${input.sha256}.${extensionOf(input.mime)}` }
      const reply = bytes.length <= base64Max
        ? await post(`${uploads}/api/file-base64-upload`, { base64Data: `data:${input.mime};base64,${bytes.toString('base64')}`, ...names }, signal)
        : await ask(new URL(`${uploads}/api/file-stream-upload`), { method: 'POST', headers, body: writeForm(bytes, input.mime, names), signal })
      return readUpload(reply)
    }

    /** Everything that can be refused is, and every input is where Kie can fetch it, before the first task is handed in. */
    async function prepare(job: Job, signal: AbortSignal): Promise<Written> {
      writeInput(job, job.inputs.map(() => 'https://to.come'))
      return writeInput(job, await Promise.all(job.inputs.map(input => upload(input, signal))))
    }

    const look = async (id: string, signal: AbortSignal): Promise<Looked> =>
      readLook(await ask(new URL(`${base}/api/v1/jobs/recordInfo?taskId=${encodeURIComponent(id)}`), { headers, signal }))

    /** The record names the same link for ever; a link that was refused is asked for by another of Kie's, good for 20 minutes. */
    const renew = async (url: string, signal: AbortSignal): Promise<string> => readDirect(await post(`${base}/api/v1/common/download-url`, { url }, signal)) ?? url

    return {
      async submit(job, signal) {
        const prepared = await before(signal, () => prepare(job, signal))
        if ('stopped' in prepared) return tellOperator(prepared.stopped, 'kie', log)
        const body = writeTask(prepared.value, job.callbackUrl)
        const answers = await Promise.all(Array.from({ length: job.count }, async () => readCreated(await post(`${base}/api/v1/jobs/createTask`, body, signal))))
        const tasks = answers.flatMap(one => 'id' in one ? [{ id: one.id }] : [])
        const refused = answers.flatMap(one => 'problem' in one ? [one] : [])
        if (tasks.length === 0) return tellOperator(failed(...problemOf(gravest(refused))), 'kie', log)
        return wait({
          id: tasks[0]!.id, tasks, warnings: prepared.value.warnings,
          refused: refused.map(({ problem }) => storeFailed(problem)),
        } satisfies Receipt)
      },

      async poll(stored, job, signal) {
        const kept = readReceipt(stored)
        // Links that have expired are of no use: every task is looked at anew.
        const receipt: Receipt = job.fresh ? { ...kept, tasks: kept.tasks.map(withoutUrls) } : kept
        const looks = await Promise.all(receipt.tasks.map(async task => task.urls || task.failed ? null : look(task.id, signal)))
        const tasks = receipt.tasks.map((task, index) => looks[index] ? fold(task, looks[index], now().getTime()) : task)
        if (tasks.every(task => task.urls || task.failed)) {
          const renewed = job.fresh ? await Promise.all(tasks.map(async task => task.urls ? { ...task, urls: await Promise.all(task.urls.map(url => renew(url, signal))) } : task)) : tasks
          return finish({ ...receipt, tasks: renewed }, job)
        }
        const pauses = looks.flatMap(one => one?.kind === 'pending' && one.retryAfterMs !== null ? [one.retryAfterMs] : [])
        const told = looks.flatMap(one => one?.kind === 'pending' && one.progress !== null ? [one.progress] : [])
        return wait({ ...receipt, tasks }, pauses.length > 0 ? Math.max(...pauses) : null, told.length > 0 ? Math.min(...told) : undefined)
      },

      verify: async callback => webhookKey === undefined ? { kind: 'unsigned' } : verifyCallback(callback, webhookKey, now()),
    }
  },
})

function withoutUrls(task: Receipt['tasks'][number]): Receipt['tasks'][number] {
  const { urls: _, ...rest } = task
  return rest
}

/** What was asked for has ended, one way or the other. */
function finish({ id, tasks, refused, warnings }: Receipt, job: Job): JobOutcome {
  const failures: Problem[] = [...tasks.flatMap(({ failed: one }) => one ? [failedAgain(one)] : []), ...refused.map(failedAgain)]
  const urls = tasks.flatMap(task => task.urls ?? [])
  if (urls.length === 0) return failed(gravest(failures.map(problem => failure(problem))).problem, null, readTook(tasks))
  const credits = tasks.reduce((sum, task) => sum + (task.credits ?? 0), 0)
  return done({
    made: urls.map(url => ({ url })),
    upstreamId: id,
    details: { kie: { task_ids: tasks.map(task => task.id), ...(tasks.some(task => task.credits !== undefined) ? { credits } : {}) } },
    warnings: [...warnings, ...missingOnes(failures, job.count)],
    ...readTook(tasks),
  })
}

function writeForm(bytes: Buffer, mime: string, names: Record<string, string>): FormData {
  const form = new FormData()
  for (const [name, value] of Object.entries(names)) form.set(name, value)
  form.set('file', new Blob([new Uint8Array(bytes)], { type: mime }), names.fileName)
  return form
}
