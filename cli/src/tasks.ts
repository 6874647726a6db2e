/** Tasks that exist already. */
import { usage } from './exit.ts'
import { finish } from './make.ts'
import { openRemote, type TaskView } from './remote.ts'
import { saveOutputs, showFile } from './save.ts'
import { formatTable, plainLine, type Shared, type Terminal } from './terminal.ts'
import { waitFor } from './waiting.ts'

const pathOf = (id: string): string => {
  if (!/^[0-9a-f-]{32,36}$/.test(id)) throw usage(`"${id}" is no task id: 32 hexadecimal characters, as generate and task list show them.`)
  return `/plantain/v1/tasks/${id}`
}

/** A task on a few lines. Pure. */
export function showTask({ id, state, model, prompt = '', problem, cost, price, outputs, warnings = [] }: TaskView): string[] {
  const rows = [
    ['task', id], ['state', state], ['model', model], ['prompt', plainLine(prompt)],
    ...(problem ? [['problem', `${problem.code}: ${plainLine(problem.message, 500)}`]] : []),
    cost ? ['cost', `$${cost.usd}`] : ['price', `$${price?.usd ?? '0.00'}`],
    ...outputs.map(({ url, mime, width, height }) => ['output', `${url}  ${mime}${width && height ? `  ${width}x${height}` : ''}`]),
    ...warnings.map((warning) => ['warning', plainLine(warning)]),
  ]
  return formatTable(rows)
}

export async function getTask(id: string, options: Shared & { out?: string }, terminal: Terminal): Promise<void> {
  const path = pathOf(id)
  const remote = await openRemote(options, terminal)
  const task = await remote.get<TaskView>(path)
  const files = options.out === undefined ? [] : await saveOutputs(task, options.out, remote, terminal)
  if (options.json) return terminal.print(JSON.stringify(files.length > 0 ? { ...task, files: files.map((file) => file.path) } : task))
  for (const line of [...showTask(task), ...files.map((file) => showFile(file, terminal.folder))]) terminal.print(line)
}

export async function waitTask(id: string, options: Shared & { out?: string }, terminal: Terminal): Promise<void> {
  const path = pathOf(id)
  const remote = await openRemote(options, terminal)
  await finish(await waitFor(await remote.get<TaskView>(path), remote, terminal), options, remote, terminal)
}

export async function cancelTask(id: string, options: Shared, terminal: Terminal): Promise<void> {
  const path = pathOf(id)
  const remote = await openRemote(options, terminal)
  const task = await remote.post<TaskView>(`${path}/cancel`, {})
  if (options.json) return terminal.print(JSON.stringify(task))
  terminal.print(task.state === 'cancelled' ? `cancelled, charged $${task.cost?.usd ?? '0.00'}` : `It had ended before: ${task.state}, charged $${task.cost?.usd ?? '0.00'}`)
}

export async function listTasks(options: Shared & { limit: number; state?: string; model?: string }, terminal: Terminal): Promise<void> {
  const remote = await openRemote(options, terminal)
  const query = new URLSearchParams({ limit: String(options.limit), ...(options.state ? { state: options.state } : {}), ...(options.model ? { model: options.model } : {}) })
  const page = await remote.get<{ data: TaskView[] }>(`/plantain/v1/tasks?${query}`)
  if (options.json) return terminal.print(JSON.stringify(page))
  if (page.data.length === 0) return terminal.note('No tasks yet. Make one with: plantain generate "a lighthouse at dusk"')
  const rows = page.data.map(({ id, state, model, cost, created_at = '', prompt = '' }) =>
    [id, state, model, cost ? `$${cost.usd}` : '', created_at.slice(0, 19).replace('T', ' '), plainLine(prompt, 60)])
  for (const line of formatTable([['task', 'state', 'model', 'cost', 'made (UTC)', 'prompt'], ...rows])) terminal.print(line)
}
