/** `plantain batch`: a sheet of orders, made by the server whether or not anybody watches, and a folder of what came of it. */
import { randomUUID } from 'node:crypto'
import { readFile, stat } from 'node:fs/promises'
import { basename, extname, join, resolve } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { Exit, exitCodes, usage } from './exit.ts'
import { openRemote, showRange, type Money, type Output, type Remote } from './remote.ts'
import { extensionOf, saveBody, showPath } from './save.ts'
import { formatTable, plainLine, type Shared, type Terminal } from './terminal.ts'
import { turning, watch } from './waiting.ts'

interface RowError { row: number | null; column: string | null; value?: string; code: string; message: string }
export interface BatchView {
  id: string; name: string | null; state: string; livemode: boolean; dialect: string
  columns: { name: string; field: string | null }[]; unmapped: string[]
  rows: { total: number; checked: number; waiting: number; making: number; done: number; failed: number; cancelled: number; expired: number }
  progress: number; eta: { seconds: number } | null; price: { min: Money; max: Money } | null; cost: Money; budget_max: Money | null
  paused: { because: string; message: string } | null; errors: RowError[]; source: string | null; created_at: string; ended_at: string | null
}
interface RowView { row: number; name: string | null; state: string; outputs: Output[] }

export interface BatchOptions extends Shared {
  map?: Record<string, string | null>
  set?: Record<string, unknown>
  model?: string
  workflow?: string
  workflowVersion?: number
  sheet?: string
  delimiter?: string
  name?: string
  budget?: number
  concurrency?: number
  skipErrors?: boolean
  dryRun?: boolean
  detach?: boolean
  out?: string
}

/** `column=field`; `column=` leaves the column aside. The last equals sign counts: names of fields have none. */
export function readMapping(text: string, before: Record<string, string | null> = {}): Record<string, string | null> {
  const at = text.lastIndexOf('=')
  if (at < 1) throw usage(`--map takes column=field, not "${text}".`)
  return { ...before, [text.slice(0, at)]: text.slice(at + 1).trim() || null }
}

/** `field=value`: text, which the server reads as the field wants it; a list or an object where it is JSON. */
export function readSetting(text: string, before: Record<string, unknown> = {}): Record<string, unknown> {
  const at = text.indexOf('=')
  if (at < 1) throw usage(`--set takes field=value, not "${text}".`)
  let value: unknown = text.slice(at + 1)
  if (/^\s*[[{](?!\{)/.test(text.slice(at + 1))) try { value = JSON.parse(text.slice(at + 1)) } catch { /* plain text */ }
  return { ...before, [text.slice(0, at)]: value }
}

const numbers = new Set(['parallelism', 'cost_max_micros'])
const taskFields = new Set(['prompt', 'operation', 'name', 'parameters', 'metadata', 'inputs', 'variables', 'sticky_key'])
const workflowFields = new Set(['version', 'inputs', 'parallelism', 'cost_max_micros', 'metadata', 'name'])

/** What is made of every row, out of `--model` or `--workflow` and `--set`. A name that is no field is a parameter of the model, or an input of the workflow. Pure. */
export function readTarget({ model, workflow, workflowVersion: version, set = {} }: Pick<BatchOptions, 'model' | 'workflow' | 'workflowVersion' | 'set'>): Record<string, unknown> {
  if (model !== undefined && workflow !== undefined) throw usage('Give --model or --workflow, not both.')
  const [fields, rest] = workflow === undefined ? [taskFields, 'parameters'] as const : [workflowFields, 'inputs'] as const
  const target: Record<string, unknown> = workflow === undefined ? model === undefined ? {} : { model } : { workflow, ...(version === undefined ? {} : { version }) }
  for (const [name, value] of Object.entries(set)) {
    const [outer = '', ...inner] = name.split('.')
    const path = fields.has(outer) ? [outer, ...inner] : [rest, name]
    let here = target
    for (const step of path.slice(0, -1)) here = (typeof here[step] === 'object' && here[step] !== null ? here[step] : here[step] = {}) as Record<string, unknown>
    here[path.at(-1)!] = path.length === 1 && numbers.has(name) && /^\d{1,15}$/.test(String(value)) ? Number(value) : value
  }
  return target
}

export async function runBatch(file: string, options: BatchOptions, terminal: Terminal): Promise<void> {
  const target = readTarget(options)
  // A tab is hard to type.
  const delimiter = options.delimiter === '\\t' ? '\t' : options.delimiter
  const remote = await openRemote(options, terminal)
  const bytes = await readFile(resolve(terminal.folder, file)).catch((thrown: NodeJS.ErrnoException) => { throw usage(`${file} cannot be read (${thrown.code ?? 'unknown'}). Give a CSV, XLSX or JSON Lines file.`) })
  const { file: id } = await remote.upload<{ file: string }>(`/plantain/v1/sheets?${query({ sheet: options.sheet, delimiter })}`, bytes)
  const order = {
    file: id, target, ...(options.map ? { map: options.map } : {}), ...(options.sheet ? { sheet: options.sheet } : {}), ...(delimiter ? { delimiter } : {}), name: options.name ?? basename(file),
    ...(options.budget === undefined ? {} : { budget_max_micros: options.budget }), ...(options.concurrency === undefined ? {} : { concurrency: options.concurrency }), ...(options.skipErrors ? { on_errors: 'skip' } : {}), ...(options.dryRun ? { dry_run: true } : {}),
  }
  // A Ctrl-C while the order is on its way is kept until there is a batch to come back to.
  let interrupted = false
  const forget = terminal.onInterrupt(() => { interrupted = true })
  let batch: BatchView
  try {
    batch = await remote.post<BatchView>('/plantain/v1/batches?wait=5', order, { idempotencyKey: randomUUID() })
  } catch (thrown) {
    throw await explain(thrown, remote, terminal)
  } finally {
    forget()
  }
  if (!interrupted) batch = await checked(batch, remote, terminal)
  if (!options.json) for (const line of showChecked(batch)) terminal.note(line)
  if (batch.state === 'failed') throw refused(batch, terminal)
  if (options.dryRun || options.detach) {
    if (options.json) return terminal.print(JSON.stringify(batch))
    terminal.print(batch.id)
    return terminal.note(options.dryRun ? `Nothing was made. To have it made as it was checked: plantain batch resume ${batch.id}` : `It goes on without you. Come back with: plantain batch watch ${batch.id}`)
  }
  await finish(await follow(batch, remote, terminal, interrupted), { ...options, out: options.out ?? folderOf(file, batch.id) }, remote, terminal)
}

/** Waits until all rows have been looked through. */
async function checked(batch: BatchView, remote: Remote, terminal: Terminal): Promise<BatchView> {
  let now = batch
  for (; now.state === 'checking'; now = await remote.get<BatchView>(`/plantain/v1/batches/${batch.id}`)) {
    terminal.redraw(`checking ${now.rows.checked}/${now.rows.total} rows`)
    await pause(300)
  }
  terminal.redraw(null)
  return now
}

const query = (given: Record<string, string | number | undefined>): string => String(new URLSearchParams(Object.entries(given).flatMap(([name, value]): [string, string][] => value === undefined ? [] : [[name, String(value)]])))
const folderOf = (file: string, id: string): string => `${basename(file, extname(file))}-${id.slice(-8)}`
const pathOf = (id: string): string => {
  if (!/^[0-9a-f-]{32,36}$/.test(id)) throw usage(`"${id}" is no batch id: 32 hexadecimal characters, as batch run and batch list show them.`)
  return `/plantain/v1/batches/${id}`
}

/** What the check found, on a few lines. Pure. */
export function showChecked({ rows, price, columns, unmapped, livemode }: BatchView): string[] {
  const mapped = columns.flatMap(({ name, field }) => field === null ? [] : [`${plainLine(name, 40)} → ${field}`])
  return [
    ...(mapped.length > 0 ? [`columns: ${mapped.join(', ')}`] : []),
    ...(unmapped.length > 0 ? [`left aside: ${unmapped.map(name => plainLine(name, 40)).join(', ')} (use one with --map "${plainLine(unmapped[0]!, 40)}=<field>" or {{${plainLine(unmapped[0]!, 40)}}})`] : []),
    `${rows.total} rows${rows.failed > 0 ? `, ${rows.failed} of them wrong` : ''}${price ? `, ${showRange(price.min, price.max)}${livemode ? '' : ' of play money (test key)'}` : ''}`,
  ]
}

const showError = ({ row, column, value, message }: RowError): string[] => [row === null ? '' : `row ${row}`, plainLine(column ?? '', 40), plainLine(value ?? '', 40), plainLine(message, 300)]

/** Numbers of rows as people write them: 2–5, 9. Pure. */
export function showRows(rows: number[]): string {
  const runs: [number, number][] = []
  for (const row of rows) {
    const last = runs.at(-1)
    if (last && row === last[1] + 1) last[1] = row
    else runs.push([row, row])
  }
  return `${rows.length > 1 ? 'rows' : 'row'} ${runs.slice(0, 5).map(([from, to]) => from === to ? `${from}` : `${from}–${to}`).join(', ')}${runs.length > 5 ? ', …' : ''}`
}

/** What is wrong, a line for each mistake however many rows make it. Pure. */
export function showMistakes(errors: RowError[]): string[] {
  const alike = Map.groupBy(errors, ({ column, value, message }) => JSON.stringify([column, value, message]))
  return formatTable([...alike.values()].map(same => [same[0]!.row === null ? '' : showRows(same.flatMap(({ row }) => row ?? [])), ...showError(same[0]!).slice(1)]))
}

/** What to type where the sheet has no column for what a row needs. Pure. */
export function hintAt({ errors, unmapped }: Pick<BatchView, 'errors' | 'unmapped'>): string {
  const missing = errors.find(({ message }) => /^[\w.]+ is missing\b/.test(message))?.message.split(' ')[0]
  if (missing === undefined) return ''
  if (missing === 'model') return ' Say what makes them with --model (plantain models list) or --workflow.'
  const column = unmapped.length === 1 ? plainLine(unmapped[0]!, 40) : '<column>'
  const among = unmapped.length > 1 ? ` (columns left aside: ${unmapped.slice(0, 8).map(name => plainLine(name, 40)).join(', ')})` : ''
  return ` Say which column is the ${missing} with --map "${column}=${missing}", or write it with --set "${missing}=… {{${column}}}"${among}.`
}

function refused(batch: BatchView, terminal: Terminal): Exit {
  for (const line of showMistakes(batch.errors)) terminal.note(line)
  const more = batch.rows.failed > batch.errors.length ? ` (the first ${batch.errors.length} mistakes are shown)` : ''
  const leave = batch.rows.failed < batch.rows.total ? ' Leave them out with --skip-errors.' : ''
  return new Exit(exitCodes.usage, 'bad_request', `${batch.rows.failed} of ${batch.rows.total} rows cannot be made${more}, so nothing was.${hintAt(batch)} All of them, with what to do: plantain batch errors ${batch.id} --out errors.csv.${leave}`, { batch: batch.id, errors: batch.errors })
}

/** A refusal that came with what is wrong, row by row. */
async function explain(thrown: unknown, remote: Remote, terminal: Terminal): Promise<unknown> {
  const { violations, batch } = thrown instanceof Exit ? thrown.details as { violations?: RowError[]; batch?: string } : {}
  if (!(thrown instanceof Exit) || !violations || !batch) return thrown
  return refused(await remote.get<BatchView>(pathOf(batch)), terminal)
}

/** Cells of the bar, which gives way so that the line fits a screen of 80. */
const barCells = { min: 8, max: 24 }
const lineMax = 79

/** Seconds as people say them. Pure. */
export const showTime = (seconds: number): string => seconds < 90 ? `${Math.round(seconds)} s` : seconds < 5_400 ? `${Math.round(seconds / 60)} min` : `${(seconds / 3_600).toFixed(1)} h`

/** The line that moves while a batch is made. Pure. */
export function showBar({ state, rows, progress, eta, cost }: BatchView, frame: number): string {
  const ended = rows.done + rows.failed + rows.cancelled + rows.expired
  const beside = ` ${String(Math.floor(progress * 100)).padStart(3)} %  ${ended}/${rows.total} rows${rows.failed > 0 ? `, ${rows.failed} failed` : ''}  $${cost.usd}${
    state !== 'running' ? `  ${state}` : eta ? `  about ${showTime(eta.seconds)} left` : ''}`
  const cells = Math.min(barCells.max, Math.max(barCells.min, lineMax - 2 - beside.length))
  const full = Math.floor(progress * cells)
  return `${turning(frame)} ${'█'.repeat(full)}${'░'.repeat(cells - full)}${beside}`
}

/** How long a server may be gone while we watch; the batch goes on without us. */
const patienceMs = 60_000
const hasEnded = ({ state }: BatchView): boolean => ['done', 'failed', 'cancelled', 'expired'].includes(state)

/** Watches a batch to its end, or to a pause. Ctrl-C leaves the batch alone and says how to come back. */
async function follow(batch: BatchView, remote: Remote, terminal: Terminal, interrupted = false): Promise<BatchView> {
  let saidAt = 0
  const back = `plantain batch watch ${batch.id}`
  return watch<BatchView>({
    now: batch, isOver: now => hasEnded(now) || now.state === 'paused', show: (now, _seconds, frame) => showBar(now, frame), patienceMs, details: { batch: batch.id },
    comeBack: `The batch goes on; come back with: ${back}`, left: `Stopped watching. The batch goes on; come back with: ${back}, or stop it with: plantain batch pause ${batch.id}`,
    async look(_seconds, signal) {
      const now = await remote.get<BatchView>(`/plantain/v1/batches/${batch.id}`, signal)
      // Where nobody looks, a line for every tenth says that it moves.
      if (!terminal.isWatched && Math.floor(now.progress * 10) > saidAt) {
        saidAt = Math.floor(now.progress * 10)
        terminal.note(`${saidAt * 10} %  ${now.rows.done} done${now.rows.failed > 0 ? `, ${now.rows.failed} failed` : ''} of ${now.rows.total}  $${now.cost.usd}`)
      }
      return now
    },
  }, terminal, interrupted)
}

/** Says how it ended and saves what came of it. @throws {Exit} where rows failed, or where it is paused */
async function finish(batch: BatchView, { out, json }: { out?: string; json?: boolean }, remote: Remote, terminal: Terminal): Promise<void> {
  const { rows, cost, paused, id } = batch
  if (paused) throw new Exit(paused.because === 'credits' ? exitCodes.credits : exitCodes.failed, 'paused', `Paused after ${rows.done} of ${rows.total} rows, $${cost.usd}: ${paused.message} plantain batch resume ${id}${paused.because === 'budget' ? ' --budget <dollars>' : ''}`, { batch: id })
  const folder = out === undefined ? null : await saveFolder(batch, out, remote, terminal)
  if (json) terminal.print(JSON.stringify({ ...batch, folder }))
  else {
    if (folder) terminal.print(`${showPath(folder.path, terminal.folder)}  ${folder.pictures} pictures, results.csv`)
    terminal.print(`${batch.state}: ${rows.done} done${rows.failed > 0 ? `, ${rows.failed} failed` : ''}${rows.cancelled > 0 ? `, ${rows.cancelled} cancelled` : ''}${rows.expired > 0 ? `, ${rows.expired} expired` : ''} of ${rows.total}, $${cost.usd}${batch.livemode ? '' : ' of play money (test key)'}, batch ${id}`)
  }
  if (batch.state === 'failed' || rows.failed > 0) throw new Exit(exitCodes.failed, 'rows_failed', `${rows.failed} ${rows.failed === 1 ? 'row' : 'rows'} failed. Why: plantain batch errors ${id}. Again: plantain batch retry ${id}`, { batch: id })
  if (batch.state !== 'done') throw new Exit(exitCodes.failed, batch.state, `The batch was ${batch.state}. To go on where it stopped: plantain batch retry ${id}`, { batch: id })
}

/** Where a picture of a row goes, as in the archive of the server. Pure. */
export function nameFile({ row, name }: Pick<RowView, 'row' | 'name'>, nth: number, mime: string): string {
  const word = (name ?? '').normalize('NFKD').replace(/[^\p{L}\p{N}._-]+/gu, '-').replace(/^[-.]+|[-.]+$/g, '').slice(0, 80)
  return `${[String(row).padStart(5, '0'), ...word === '' ? [] : [word], nth + 1].join('-')}${extensionOf(mime)}`
}

const atOnce = 6

/** Saves pictures and the table of results. What is there already is left alone, so that a second time only fetches the rest. */
async function saveFolder({ id, rows }: BatchView, out: string, remote: Remote, terminal: Terminal): Promise<{ path: string; pictures: number }> {
  const path = resolve(terminal.folder, out)
  let pictures = 0
  for (let after: number | null = 0, seen = 0; after !== null;) {
    const page: { data: RowView[]; next: number | null } = await remote.get(`/plantain/v1/batches/${id}/rows?limit=100&after=${after}&state=done`)
    const wanted = page.data.flatMap(row => row.outputs.map((output, nth) => ({ output, to: join(path, nameFile(row, nth, output.mime)) }))).values()
    await Promise.all(Array.from({ length: atOnce }, async () => {
      for (const { output, to } of wanted) {
        if ((await stat(to).catch(() => null))?.size !== output.size_bytes) await saveAs(await remote.download(output.url), to)
        pictures++
        terminal.redraw(`saving ${pictures} pictures`)
      }
    }))
    seen += page.data.length
    terminal.redraw(`saving row ${seen}/${rows.done}`)
    after = page.next
  }
  await saveAs(await remote.open(`/plantain/v1/batches/${id}/results.csv`), join(path, 'results.csv'))
  terminal.redraw(null)
  return { path, pictures }
}

async function saveAs(response: Response, path: string): Promise<void> {
  if (!response.ok || !response.body) throw new Exit(exitCodes.failed, 'not_saved', `${basename(path)} could not be fetched (HTTP ${response.status}).`)
  await saveBody(response, path)
}

// Batches that exist already -------------------------------------------------------------------------------------------------

export async function watchBatch(id: string, options: Shared & { out?: string }, terminal: Terminal): Promise<void> {
  const path = pathOf(id)
  const remote = await openRemote(options, terminal)
  await finish(await follow(await remote.get<BatchView>(path), remote, terminal), options, remote, terminal)
}

const act = (verb: string, say: (batch: BatchView) => string) => async (id: string, options: Shared, terminal: Terminal): Promise<void> => {
  const path = pathOf(id)
  const batch = await (await openRemote(options, terminal)).post<BatchView>(`${path}/${verb}`, {})
  terminal.print(options.json ? JSON.stringify(batch) : say(batch))
}
export const pauseBatch = act('pause', ({ id, rows }) => `Paused after ${rows.done} of ${rows.total} rows; ${rows.making} are still being made. Go on with: plantain batch resume ${id}`)
export const cancelBatch = act('cancel', ({ rows, cost }) => `Stopping. ${rows.done} of ${rows.total} rows are done, $${cost.usd}; those in the making end, the others are given up.`)

export interface GoOn extends Shared { budget?: number | null; detach?: boolean; out?: string }

const goOn = (verb: 'resume' | 'retry') => async (id: string, options: GoOn, terminal: Terminal): Promise<void> => {
  const path = pathOf(id)
  const remote = await openRemote(options, terminal)
  const batch = await remote.post<BatchView>(`${path}/${verb}`, options.budget === undefined ? {} : { budget_max_micros: options.budget })
  if (!options.detach) return finish(await follow(batch, remote, terminal), options, remote, terminal)
  terminal.print(options.json ? JSON.stringify(batch) : batch.id)
}
export const resumeBatch = goOn('resume')
export const retryBatch = goOn('retry')

export async function listBatches(options: Shared & { limit: number }, terminal: Terminal): Promise<void> {
  const remote = await openRemote(options, terminal)
  const page = await remote.get<{ data: BatchView[] }>(`/plantain/v1/batches?limit=${options.limit}`)
  if (options.json) return terminal.print(JSON.stringify(page))
  if (page.data.length === 0) return terminal.note('No batches yet. Make one with: plantain batch run sheet.csv --model sandbox-1')
  const rows = page.data.map(({ id, state, rows: { done, failed, total }, cost, created_at, name, source, dialect }) =>
    [id, state, `${done}/${total}${failed > 0 ? ` (${failed} failed)` : ''}`, `$${cost.usd}`, created_at.slice(0, 19).replace('T', ' '), plainLine(name ?? source ?? dialect, 40)])
  for (const line of formatTable([['batch', 'state', 'rows', 'cost', 'made (UTC)', 'name'], ...rows])) terminal.print(line)
}

export async function getBatch(id: string, options: Shared, terminal: Terminal): Promise<void> {
  const path = pathOf(id)
  const batch = await (await openRemote(options, terminal)).get<BatchView>(path)
  if (options.json) return terminal.print(JSON.stringify(batch))
  const { rows, price, budget_max: budget, paused, eta } = batch
  const lines = [
    ['batch', batch.id], ['name', plainLine(batch.name ?? '')], ['state', batch.state], ['rows', `${rows.done} done, ${rows.failed} failed, ${rows.making} in the making, ${rows.waiting} waiting of ${rows.total}`],
    ...(paused ? [['paused', paused.message]] : []), ...(eta ? [['left', `about ${showTime(eta.seconds)}`]] : []), ...(price ? [['price', showRange(price.min, price.max)]] : []),
    ['cost', `$${batch.cost.usd}${budget ? ` of at most $${budget.usd}` : ''}`], ...batch.errors.slice(0, 5).map(error => ['error', showError(error).filter(Boolean).join('  ')]),
  ]
  for (const line of formatTable(lines)) terminal.print(line)
}

/** The rows that are wrong or failed, as the table of the server; into a file, or onto the screen. */
export async function showErrors(id: string, options: Shared & { out?: string }, terminal: Terminal): Promise<void> {
  const path = pathOf(id)
  const remote = await openRemote(options, terminal)
  if (options.out !== undefined) {
    const to = resolve(terminal.folder, options.out)
    await saveAs(await remote.open(`${path}/errors.${/\.xlsx$/i.test(to) ? 'xlsx' : 'csv'}`), to)
    return terminal.print(showPath(to, terminal.folder))
  }
  const errors: (RowError & { row: number })[] = []
  for (let after: number | null = 0; after !== null;) {
    const page: { data: { row: number; errors: RowError[]; problem: { code: string; message: string } | null }[]; next: number | null } = await remote.get(`${path}/rows?limit=100&after=${after}&state=failed`)
    for (const { row, errors: told, problem } of page.data) errors.push(...(told.length > 0 || !problem ? told : [{ column: null, ...problem }]).map(error => ({ ...error, row })))
    after = page.next
  }
  if (options.json) return terminal.print(JSON.stringify(errors))
  if (errors.length === 0) return terminal.note('No row is wrong or failed.')
  for (const line of formatTable([['row', 'column', 'value', 'what to do'], ...errors.map(error => [String(error.row), ...showError(error).slice(1)])])) terminal.print(line)
}

export async function saveResults(id: string, options: Shared & { out?: string; zip?: string }, terminal: Terminal): Promise<void> {
  const path = pathOf(id)
  const remote = await openRemote(options, terminal)
  const batch = await remote.get<BatchView>(path)
  if (options.zip !== undefined) {
    const to = resolve(terminal.folder, options.zip)
    await saveAs(await remote.open(`${path}/results.zip`), to)
    return terminal.print(options.json ? JSON.stringify({ batch: batch.id, file: to }) : showPath(to, terminal.folder))
  }
  const folder = await saveFolder(batch, options.out ?? folderOf(batch.source ?? 'batch', batch.id), remote, terminal)
  terminal.print(options.json ? JSON.stringify({ batch: batch.id, folder }) : `${showPath(folder.path, terminal.folder)}  ${folder.pictures} pictures, results.csv`)
}
