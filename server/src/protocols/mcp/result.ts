/** What a tool call brings back: words, the structured thing, pictures and links. Pure, but for asking the workshop for the pictures. */
import type { CallToolResult, ContentBlock } from '@modelcontextprotocol/sdk/types.js'
import type { Problem } from '../../domain/problem.ts'
import { hasEnded } from '../../domain/task.ts'
import { writeProblem } from './refuse.ts'
import { mediaOf, type BalanceView, type EstimateView, type ExecutionView, type ModelView, type OutputView, type TaskView, type WorkflowView } from './views.ts'
import type { Workshop } from './workshop.ts'

/** What an assistant is shown of one picture: enough to judge it, small enough for its window. */
const previewSides = [1024, 512] as const
const previewBytesMax = 1_000_000
/** All pictures of one answer. It is one JSON text that is held in memory whole; what does not fit is there as a link. */
const picturesBytesMax = 8_000_000

const text = (words: string): ContentBlock => ({ type: 'text', text: words })

export const writeFailure = (problem: Problem): CallToolResult => ({ isError: true, content: [text(writeProblem(problem))], _meta: { code: problem.code } })

export interface Showing {
  full: boolean
  /** Whether a task that failed makes this call a failed one: it does where the call was to make something. */
  failureIsError: boolean
  replayed?: boolean
}

export async function writeTask(task: TaskView, workshop: Pick<Workshop, 'picture'>, { full, failureIsError, replayed = false }: Showing): Promise<CallToolResult> {
  const { pictures, notes } = await pick(task.outputs, workshop, full)
  return {
    content: [text([...describe(task, replayed), ...notes].join('\n')), ...pictures, ...task.outputs.map((output, index) => writeLink(`task ${task.id}`, output, index))],
    structuredContent: { ...task },
    ...(failureIsError && (task.state === 'failed' || task.state === 'cancelled') ? { isError: true } : {}),
    _meta: { 'x-task-id': task.id, ...(replayed ? { 'idempotent-replayed': true } : {}) },
  }
}

/** The pictures themselves, as far as they fit, and a line about each that does not. */
async function pick(outputs: OutputView[], workshop: Pick<Workshop, 'picture'>, full: boolean): Promise<{ pictures: ContentBlock[]; notes: string[] }> {
  const pictures: ContentBlock[] = []
  const notes: string[] = []
  let left = picturesBytesMax
  for (const [index, output] of outputs.entries()) {
    const fits = full && output.mime.startsWith('image/') && output.size_bytes <= left
    const picture = fits ? await workshop.picture(output, 'full') : await preview(output, workshop, left)
    if (picture === null || picture.bytes.length > left) {
      notes.push(`Output ${index + 1} is not shown here: fetch it from its link.`)
      continue
    }
    if (full && !fits) notes.push(`Output ${index + 1} is shown as a preview: the file itself is too large for this answer. Fetch it from its link.`)
    left -= picture.bytes.length
    pictures.push({ type: 'image', data: picture.bytes.toString('base64'), mimeType: picture.mime })
  }
  return { pictures, notes }
}

async function preview(output: OutputView, workshop: Pick<Workshop, 'picture'>, left: number) {
  for (const side of previewSides) {
    const picture = await workshop.picture(output, side)
    if (picture === null || picture.bytes.length <= Math.min(previewBytesMax, left)) return picture
  }
  return null
}

const size = ({ width, height }: OutputView) => width && height ? `${width} x ${height}, ` : ''
const sizeOf = (bytes: number) => bytes >= 1_000_000 ? `${(bytes / 1_000_000).toFixed(1)} MB` : `${Math.max(1, Math.round(bytes / 1_000))} kB`

function writeLink(of: string, output: OutputView, index: number): ContentBlock {
  const file = new URL(output.url, 'http://house').pathname.split('/').at(-1)!
  return {
    type: 'resource_link', uri: output.url, name: file, title: `Output ${index + 1} of ${of}`, mimeType: output.mime, ...(output.size_bytes > 0 ? { size: output.size_bytes } : {}),
    description: `The full file: ${size(output)}${output.mime}${output.size_bytes > 0 ? `, ${sizeOf(output.size_bytes)}` : ''}. Asset ${output.id}.`,
  }
}

/** A task in lines. Pure. */
export function describe(task: TaskView, replayed = false): string[] {
  const { id, state, outputs, cost, livemode, served_by, model, problem, progress, warnings } = task
  const paid = cost ? `Charged $${cost.usd}${livemode ? '' : ' of play money'}.` : ''
  const head = {
    done: task.operation === 'write' ? `Done: a text by ${model}${served_by === model ? '' : ` (${served_by})`}. ${paid}` : `Done: ${outputs.length === 1 ? 'one file' : `${outputs.length} files`} by ${model}${served_by === model ? '' : ` (${served_by})`}. ${paid}`,
    failed: `${problem ? writeProblem({ code: problem.code, message: problem.message, details: { field: problem.field, retryAfterS: problem.retry_after_s } }) : 'It failed.'}\n${paid}`,
    cancelled: `cancelled: The task was cancelled. ${paid}`,
    queued: 'The task is queued.', running: 'The task is being made.', waiting: `The task is being made${progress ? `, ${progress} % done` : ''}.`,
  }[state]
  return [
    head.trim(),
    `Task: ${id}`,
    ...(hasEnded(state) ? [] : [`It goes on by itself. Call wait_for_task with task_id ${id} for the result.`]),
    ...outputs.map((output, index) => `${index + 1}. ${output.url} (${size(output)}${output.mime}, asset ${output.id})`),
    ...(task.text ? [`Text: ${task.text}`] : []),
    ...warnings.map(warning => `Warning: ${warning}`),
    ...(replayed ? ['This repeats an earlier call and was given its task: nothing was bought twice.'] : []),
  ]
}

export function writeModels(models: ModelView[]): CallToolResult {
  const lines = models.map(({ id, title, operations, prices: [first], token_prices: tokens, life, parameters }) => [
    `${id} (${title}): ${operations.join(', ')}; ${!first ? 'free' : first.per === 'tokens' && tokens ? `$${tokens.text_in.usd} in and $${tokens.text_out.usd} out per million tokens` : `from $${first.price.usd} per ${first.per}`}${life.state === 'active' ? '' : `; ${life.state}${life.replacement ? `, use ${life.replacement}` : ''}`}`,
    ...(parameters === undefined ? [] : [`parameters: ${JSON.stringify(parameters.properties ?? {})}`]),
  ].join('\n'))
  return { content: [text(lines.length > 0 ? lines.join('\n') : 'No model does that.')], structuredContent: { models } }
}

export const writeEstimate = (estimate: EstimateView): CallToolResult => ({
  content: [text([
    `$${estimate.price.usd} for ${estimate.count} by ${estimate.model} (${estimate.operation})${estimate.width && estimate.height ? `, ${estimate.width} x ${estimate.height}` : ''}.`,
    ...estimate.warnings.map(warning => `Warning: ${warning}`),
  ].join('\n'))],
  structuredContent: { ...estimate },
})

export const writeBalance = (balance: BalanceView): CallToolResult => ({
  content: [text(`$${balance.available.usd} available, $${balance.held.usd} held for tasks in the making, $${balance.spent.usd} spent${balance.livemode ? '' : ' (play money: this is a test key)'}.`)],
  structuredContent: { ...balance },
})

export const writeWorkflows = (workflows: WorkflowView[]): CallToolResult => ({
  content: [text(workflows.length === 0 ? 'No workflow was saved yet.' : workflows.map(({ slug, name, description, inputs, active }) =>
    `${slug} (${name})${active ? '' : ', not active'}${description === '' ? '' : `: ${description}`}\n  takes ${inputs.map(input => `${input.name}${input.required ? ' (required)' : ''}`).join(', ') || 'nothing'}`).join('\n'))],
  structuredContent: { workflows },
})

/** A run of a workflow: how it stands, the pictures it put out and a link to each. */
export async function writeExecution(execution: ExecutionView, workshop: Pick<Workshop, 'picture'>, { full, replayed = false }: Omit<Showing, 'failureIsError'>): Promise<CallToolResult> {
  const media = [...mediaOf(execution.outputs)]
  const { pictures, notes } = await pick(media, workshop, full)
  const { id, state, problem, cost, livemode } = execution
  const words = {
    running: `The workflow is running. Call get_execution with execution_id ${id} and wait_s for the result.`, waiting_for_review: 'It waits for a person to answer a review.', done: 'Done.', cancelled: 'It was cancelled.',
    failed: problem ? writeProblem({ code: problem.code as never, message: problem.message, details: {} }) : 'It failed.',
  }[state]
  const values = Object.entries(execution.outputs ?? {}).filter(([, value]) => [...mediaOf(value)].length === 0).map(([name, value]) => `${name}: ${JSON.stringify(value).slice(0, 2_000)}`)
  return {
    content: [text([`${words} Charged $${cost.usd}${livemode ? '' : ' of play money'}.`, `Execution: ${id}`, ...media.map((output, index) => `${index + 1}. ${output.url} (${size(output)}${output.mime}, asset ${output.id})`), ...values, ...notes, ...(replayed ? ['This repeats an earlier call and was given its execution: nothing was bought twice.'] : [])].join('\n')),
      ...pictures, ...media.map((output, index) => writeLink(`execution ${id}`, output, index))],
    structuredContent: { ...execution },
    ...(state === 'failed' || state === 'cancelled' ? { isError: true } : {}),
    _meta: replayed ? { 'idempotent-replayed': true } : {},
  }
}
