import assert from 'node:assert/strict'
import { test } from 'node:test'
import { describe, writeModels, writeTask } from './result.ts'
import { readView, TaskView } from './views.ts'

const dollars = { micros: 40_000, usd: '0.04' }
const output = { id: 'f'.repeat(32), url: 'http://house/files/f/fox.png?signature=s', mime: 'image/png', width: 2_048, height: 1_024, size_bytes: 3_400_000 }
const task: TaskView = {
  id: 'a'.repeat(32), state: 'done', livemode: false, served_by: 'sandbox-1', model: 'nano-banana-pro', operation: 'generate', prompt: 'a fox', parameters: {},
  outputs: [output], text: null, warnings: ['w'], problem: null, price: dollars, cost: dollars, progress: null, created_at: '2026-01-01T00:00:00.000Z', ended_at: null,
}

const sizes: Record<string, number> = { full: 3_400_000, 1024: 90_000, 512: 30_000 }
/** Shows pictures of these sizes and remembers which were asked for. */
const shower = (given: Record<string, number | null> = sizes) => {
  const asked: (number | 'full')[] = []
  return { asked, picture: async (_output: unknown, side: number | 'full') => {
    asked.push(side)
    const bytes = given[side] ?? null
    return bytes === null ? null : { bytes: Buffer.alloc(bytes), mime: side === 'full' ? 'image/png' : 'image/webp' }
  } }
}
const show = async (view: TaskView, full: boolean, given?: Record<string, number | null>) => {
  const workshop = shower(given)
  const { content, isError, structuredContent } = await writeTask(view, workshop, { full, failureIsError: true })
  const [words] = content as { text: string }[]
  return { kinds: content.map(({ type }) => type), asked: workshop.asked, words: words!.text, isError: isError === true, structuredContent }
}

test('a picture is shown small and linked whole', async () => {
  const { kinds, asked, words } = await show(task, false)
  assert.deepEqual([kinds, asked], [['text', 'image', 'resource_link'], [1024]])
  assert.match(words, /^Done: one file by nano-banana-pro \(sandbox-1\)\. Charged \$0\.04 of play money\.\nTask: a{32}\n1\. http:.* \(2048 x 1024, image\/png, asset f{32}\)\nWarning: w$/)
})
test('a preview that is too heavy is made smaller', async () => assert.deepEqual((await show(task, false, { ...sizes, 1024: 1_200_000 })).asked, [1024, 512]))
test('full shows the file', async () => assert.deepEqual((await show(task, true)).asked, ['full']))
test('a file too large for an answer is a preview and says so', async () => {
  const { asked, words } = await show({ ...task, outputs: [{ ...output, size_bytes: 9_000_000 }] }, true)
  assert.deepEqual(asked, [1024])
  assert.match(words, /too large for this answer/)
})
test('the files of one answer share its room', async () => {
  const { asked, kinds } = await show({ ...task, outputs: [output, output, output] }, true)
  assert.deepEqual([asked, kinds.filter(kind => kind === 'image').length], [['full', 'full', 1024], 3])
})
test('what cannot be shown is linked', async () => {
  const { kinds, words } = await show({ ...task, outputs: [{ ...output, mime: 'video/mp4' }] }, true, {})
  assert.deepEqual(kinds, ['text', 'resource_link'])
  assert.match(words, /Output 1 is not shown here/)
})
test('a failed task is a failed call, with code, sentence and advice', async () => {
  const { isError, words, structuredContent } = await show({ ...task, state: 'failed', outputs: [], cost: { micros: 0, usd: '0.00' }, problem: { code: 'content_rejected', message: 'Refused.' } }, false)
  assert.equal(isError, true)
  assert.match(words, /^content_rejected: Refused\.\nThe same prompt will be refused again/)
  assert.equal((structuredContent as TaskView).state, 'failed')
})
test('a task in the making says how to come back', () => assert.match(describe({ ...task, state: 'waiting', progress: 40, outputs: [], cost: null }).join('\n'), /40 % done[^]*wait_for_task with task_id a{32}/))

test('the native door\'s JSON becomes our view, less what is not ours', () => {
  const native = { ...task, object: 'task', upstream_id: null, attempts: 1, metadata: {}, outputs: [{ ...output, sha256: 'x', thumbnail_url: 'y', expires_at: null }] }
  assert.deepEqual(readView(TaskView, native), task)
  assert.throws(() => readView(TaskView, { error: {} }))
})
test('a list of models is a line each', () => {
  const model = { id: 'm', title: 'M', maker: 'x', kind: 'image' as const, description: '', operations: ['edit' as const], prices: [{ when: {}, price: dollars, per: 'image' }], token_prices: null, life: { state: 'deprecated' as const, replacement: 'n', note: null } }
  assert.deepEqual(writeModels([model]).content, [{ type: 'text', text: 'm (M): edit; from $0.04 per image; deprecated, use n' }])
})
