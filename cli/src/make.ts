/** `generate` and `edit`: an order in words, a picture on disk. `write`: a text on the terminal. */
import { randomUUID } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { basename, resolve } from 'node:path'
import { Exit, exitCodes, usage } from './exit.ts'
import { openRemote, type Remote, type TaskView } from './remote.ts'
import { saveOutputs, showFile, type SavedFile } from './save.ts'
import { plainLine, type Shared, type Terminal } from './terminal.ts'
import { waitFor } from './waiting.ts'

export interface MakeOptions extends Shared {
  model: string
  operation?: string
  aspectRatio?: string
  resolution?: string
  count?: number
  seed?: number
  format?: string
  param?: Record<string, unknown>
  mask?: string
  out?: string
  wait: boolean
}

/** The model's parameters out of the options. Pure. */
export function readParameters({ aspectRatio, resolution, count, seed, format, param }: Partial<MakeOptions>): Record<string, unknown> {
  const named = { aspect_ratio: aspectRatio, resolution, count, seed, output_format: format === 'jpg' ? 'jpeg' : format }
  return { ...Object.fromEntries(Object.entries(named).filter(([, value]) => value !== undefined)), ...param }
}

/** `k=v` as it stands in JSON where it is JSON, as text otherwise: `count=2`, `watermark=true`, `style=oil`. */
export function readPair(text: string, before: Record<string, unknown> = {}): Record<string, unknown> {
  const at = text.indexOf('=')
  if (at < 1) throw usage(`This takes name=value, not "${text}".`)
  const value = text.slice(at + 1)
  let read: unknown = value
  try { read = JSON.parse(value) } catch { /* plain text */ }
  return { ...before, [text.slice(0, at)]: read }
}

interface Input { url?: string; data_url?: string; asset?: string; role?: string }
/** Base64 in the body is the one call where a refused order leaves nothing behind; larger pictures are uploaded first. */
const inlineMax = 30_000_000

async function readInputs(places: { place: string; role?: string }[], remote: Remote, { folder }: Terminal): Promise<Input[]> {
  const files = await Promise.all(places.map(async ({ place, role }) => {
    const more = role === undefined ? {} : { role }
    if (/^https?:\/\//.test(place)) return { url: place, ...more }
    try {
      return { bytes: await readFile(resolve(folder, place)), ...more }
    } catch (thrown) {
      throw usage(`${place} cannot be read (${(thrown as NodeJS.ErrnoException).code ?? 'unknown'}). Give a picture file or a link.`)
    }
  }))
  const total = files.reduce((sum, file) => sum + ('bytes' in file ? file.bytes.length : 0), 0)
  return await Promise.all(files.map(async (file) => {
    if (!('bytes' in file)) return file
    const { bytes, ...more } = file
    if (total <= inlineMax) return { data_url: `data:application/octet-stream;base64,${bytes.toString('base64')}`, ...more }
    return { asset: (await remote.upload<{ id: string }>('/plantain/v1/assets', bytes)).id, ...more }
  }))
}

/** The model, and what it is to do where it can do several things; by itself it edits what it is given. */
const nameModel = ({ model, operation }: MakeOptions) => ({ model, ...(operation === undefined ? {} : { operation }) })

export async function generate(prompt: string, options: MakeOptions, terminal: Terminal): Promise<void> {
  const remote = await openRemote(options, terminal)
  await make({ ...nameModel(options), prompt, parameters: readParameters(options) }, options, remote, terminal)
}

/** The last word is the instruction, all before it are pictures: files or links. */
export async function edit(words: string[], options: MakeOptions, terminal: Terminal): Promise<void> {
  const instruction = words.at(-1) ?? ''
  const places = words.slice(0, -1).map((place) => ({ place }))
  if (places.length === 0) throw usage('edit takes pictures and then what to do with them: plantain edit photo.jpg "make the background blue"')
  const remote = await openRemote(options, terminal)
  const inputs = await readInputs([...places, ...(options.mask === undefined ? [] : [{ place: options.mask, role: 'mask' }])], remote, terminal)
  await make({ ...nameModel(options), prompt: instruction, parameters: readParameters(options), inputs }, options, remote, terminal)
}

export interface WriteOptions extends Shared { model: string; image?: string[]; system?: string; maxTokens?: number; param?: Record<string, unknown>; wait: boolean }

export async function write(prompt: string, { image = [], system, maxTokens, param, ...options }: WriteOptions, terminal: Terminal): Promise<void> {
  const remote = await openRemote(options, terminal)
  const inputs = await readInputs(image.map((place) => ({ place })), remote, terminal)
  const parameters = { ...(system === undefined ? {} : { system }), ...(maxTokens === undefined ? {} : { max_tokens: maxTokens }), ...param }
  await make({ model: options.model, operation: 'write', prompt, parameters, inputs }, options, remote, terminal)
}

async function make(order: object, options: Pick<MakeOptions, 'wait' | 'json' | 'out'>, remote: Remote, terminal: Terminal): Promise<void> {
  // A Ctrl-C while the order is on its way is kept until there is a task to come back to.
  let interrupted = false
  const forget = terminal.onInterrupt(() => { interrupted = true })
  const task = await remote.post<TaskView>('/plantain/v1/tasks', order, { idempotencyKey: randomUUID() }).finally(forget)
  if (options.wait) return await finish(await waitFor(task, remote, terminal, interrupted), options, remote, terminal)
  if (options.json) return terminal.print(JSON.stringify(task))
  terminal.print(task.id)
  terminal.note(`The task is on its way. Fetch it with: plantain task wait ${task.id}`)
}

/** Saves and shows what became of an ended task. @throws {Exit} `failed` when it brought nothing */
export async function finish(task: TaskView, { out, json }: Pick<MakeOptions, 'out' | 'json'>, remote: Remote, terminal: Terminal): Promise<void> {
  for (const warning of task.warnings ?? []) terminal.note(`warning: ${plainLine(warning)}`)
  if (task.state !== 'done') {
    const { code, message } = task.problem ?? { code: task.state, message: `The task was ${task.state}.` }
    throw new Exit(exitCodes.failed, code, message, { task: json ? task : task.id })
  }
  if (task.operation === 'write') {
    if (json) return terminal.print(JSON.stringify(task))
    // The text is the answer and goes where a program would read it; what it cost is said beside it.
    terminal.print((task.text ?? '').split('\n').map((line) => plainLine(line, Infinity)).join('\n'))
    return terminal.note(showCost(task, []))
  }
  const files = await saveOutputs(task, out, remote, terminal)
  if (json) return terminal.print(JSON.stringify({ ...task, files: files.map(({ path }) => path) }))
  for (const file of files) terminal.print(showFile(file, terminal.folder))
  terminal.print(showCost(task, files))
  if (task.text) terminal.note(plainLine(task.text, 500))
}

/** What it cost, in dollars, and under which task it is kept. Pure. */
export function showCost({ id, cost, livemode, operation }: TaskView, files: SavedFile[]): string {
  const what = operation === 'write' ? 'the text' : files.length === 1 ? basename(files[0]!.path) : `${files.length} pictures`
  return `${what} cost $${cost?.usd ?? '0.00'}${livemode === false ? ' of play money (test key)' : ''}, task ${id}`
}
