/** What can be said to `plantain`, and where it goes. */
import { Command, CommanderError, InvalidArgumentError, Option } from 'commander'
import { retiredChoices } from '@plantain/server/domain/caller.ts'
import { operations } from '@plantain/server/domain/order.ts'
import { readDollars } from '@plantain/server/domain/money.ts'
import manifest from '../package.json' with { type: 'json' }
import { cancelBatch, getBatch, listBatches, pauseBatch, readMapping, readSetting, resumeBatch, retryBatch, runBatch, saveResults, showErrors, watchBatch, type BatchOptions, type GoOn } from './batch.ts'
import { runDoctor } from './doctor.ts'
import { showCosts, showUnknown, type CostOptions, type UnknownOptions } from './costs.ts'
import { Exit, exitCodes } from './exit.ts'
import { changeProject, createKey, explainLocal, grantCredits, listKeys, listProjects, migrateHouse, revokeKey, runHouse, showCredits, type CreditOptions, type NewKeyOptions, type ProjectOptions } from './local.ts'
import { edit, generate, readPair, write, type MakeOptions, type WriteOptions } from './make.ts'
import { diffModels, listModels, validateModels, type ListOptions } from './models.ts'
import { listAliases, listRoutes, removeAlias, resetRoutes, setAlias, setRoutes, type RouteListOptions } from './routes.ts'
import { cancelTask, getTask, listTasks, waitTask } from './tasks.ts'
import { getTemplate, labelTemplate, listTemplates, publishTemplate, pushTemplate } from './templates.ts'
import type { Shared, Terminal } from './terminal.ts'
import { cancelExecution, getWorkflow, lintWorkflow, listWorkflows, publishWorkflow, readyWorkflows, resumeExecution, runWorkflow, waitExecution, type RunOptions } from './workflows.ts'

const whole = (min: number, max: number) => (text: string): number => {
  const value = Number(text)
  if (!/^\d+$/.test(text) || value < min || value > max) throw new InvalidArgumentError(`It must be a whole number from ${min} to ${max}.`)
  return value
}
/** Dollars as whole micro-dollars. */
const dollars = (text: string): number => {
  const micros = readDollars(text.replace(/^\$/, ''))
  if (micros === null || micros < 0) throw new InvalidArgumentError('It must be an amount in dollars, as 2.50.')
  return micros
}
const gather = (text: string, before: string[] | undefined) => [...before ?? [], text]

const remote = (command: Command) => command
  .option('--url <address>', 'the server (PLANTAIN_URL; http://127.0.0.1:7700)')
  .option('--key <secret>', 'the key (PLANTAIN_KEY; the first key in the data folder)')
  .option('--json', 'print one JSON document and nothing else')

const making = (command: Command) => remote(command)
  .option('--model <name>', 'the model, see: plantain models', 'sandbox-1')
  .addOption(new Option('--operation <what>', 'where the model can do several things').choices(operations))
  .option('--aspect-ratio <ratio>', 'as 16:9')
  .option('--resolution <size>', '512, 1K, 2K or 4K')
  .option('--count <n>', 'how many pictures', whole(1, 100))
  .option('--seed <n>', 'the same seed, the same picture', whole(0, Number.MAX_SAFE_INTEGER))
  .addOption(new Option('--format <type>', 'the type of the file').choices(['png', 'jpeg', 'jpg', 'webp']))
  .option('--param <name=value>', 'any parameter of the model; may be repeated', readPair)
  .option('--out <place>', 'a folder, or a file for one picture', undefined)
  .option('--no-wait', 'print the task id and leave')

const mode = (command: Command) => command
  .option('--live', 'live, not test')
  .option('--project <name>', 'where there are several projects')
  .option('--json', 'print one JSON document and nothing else')

export function createProgram(terminal: Terminal): Command {
  const program = new Command('plantain')
    .description('Make and edit pictures, durably.')
    .version(manifest.version)
    .configureOutput({ writeOut: (text) => terminal.print(text.trimEnd()), writeErr: (text) => terminal.note(text.trimEnd()) })
    .showHelpAfterError('Add --help for what can be said.')
    .exitOverride()

  making(program.command('generate').argument('<prompt>', 'what to draw').description('make a picture'))
    .action((prompt: string, options: MakeOptions) => generate(prompt, options, terminal))
  making(program.command('edit').argument('<pictures-then-instruction...>', 'files or links, and last what to do with them').description('change pictures')
    .usage('[options] <file|url...> "<instruction>"').option('--mask <file|url>', 'where to change: black is changed, white is kept (where the mask has alpha: clear is changed)'))
    .action((words: string[], options: MakeOptions) => edit(words, options, terminal))

  remote(program.command('write').argument('<prompt>', 'what to write, or to say about the pictures').description('have a text written, or pictures described'))
    .option('--model <name>', 'a model that writes, see: plantain models list --operation write', 'gemini-3.5-flash-lite').option('--image <file|url>', 'a picture it is about; may be repeated', gather)
    .option('--system <text>', 'what holds for the answer whatever the prompt says').option('--max-tokens <n>', 'how long it may become', whole(1, 32_768))
    .option('--param <name=value>', 'any parameter of the model; may be repeated', readPair).option('--no-wait', 'print the task id and leave')
    .action((prompt: string, options: WriteOptions) => write(prompt, options, terminal))

  const task = program.command('task').description('tasks that exist already')
  remote(task.command('get').argument('<id>').description('show a task')).option('--out <place>', 'save its pictures there')
    .action((id: string, options: Shared & { out?: string }) => getTask(id, options, terminal))
  remote(task.command('wait').argument('<id>').description('wait for a task and save its pictures')).option('--out <place>', 'a folder, or a file for one picture')
    .action((id: string, options: Shared & { out?: string }) => waitTask(id, options, terminal))
  remote(task.command('cancel').argument('<id>').description('stop a task'))
    .action((id: string, options: Shared) => cancelTask(id, options, terminal))
  remote(task.command('list').description('newest tasks')).option('--limit <n>', 'how many', whole(1, 100), 20).option('--state <state>', 'queued, running, waiting, done, failed or cancelled').option('--model <name>')
    .action((options: Shared & { limit: number; state?: string; model?: string }) => listTasks(options, terminal))
  const workflow = program.command('workflow').description('workflows: graphs of steps, in files or saved on a server')
  remote(workflow.command('list').description('saved workflows')).option('--limit <n>', 'how many', whole(1, 100), 50)
    .action((options: Shared & { limit: number }) => listWorkflows(options, terminal))
  remote(workflow.command('ready').argument('[slug]').description('workflows that come with the house; with a slug, save a copy of one'))
    .action((slug: string | undefined, options: Shared) => readyWorkflows(slug, options, terminal))
  remote(workflow.command('lint').argument('<file>').description('check a graph: every mistake, and what to do about it'))
    .action((file: string, options: Shared) => lintWorkflow(file, options, terminal))
  remote(workflow.command('get').argument('<name>').description('a saved workflow as a file')).option('--workflow-version <n|name>', 'a published version; the draft by default').option('--out <file>', 'where to write it')
    .action((name: string, options: Shared & { workflowVersion?: string; out?: string }) => getWorkflow(name, options, terminal))
  remote(workflow.command('publish').argument('<name|file>').description('make the draft a version; a file is saved first')).option('--name <label>', 'a name that moves to this version, as production')
    .action((word: string, options: Shared & { name?: string }) => publishWorkflow(word, options, terminal))
  remote(workflow.command('run').argument('<name|file>').description('run a workflow and save what comes out'))
    .option('--input <name=value>', 'a value for an input, JSON where it is JSON; @photo.jpg for a picture; may be repeated', readPair).option('--inputs <file>', 'a JSON file of inputs by name')
    .option('--workflow-version <n|name>', 'a published version, or draft').option('--target <node>', 'only this step and what it needs').option('--force', 'take no earlier results')
    .option('--cost-max <dollars>', 'what it may cost at most', dollars).option('--parallelism <n>', 'steps at once', whole(1, 500)).option('--estimate', 'say what would run and cost, and leave')
    .option('--out <folder>', 'where to save').option('--no-wait', 'print the execution id and leave')
    .action((word: string, options: RunOptions) => runWorkflow(word, options, terminal))
  remote(workflow.command('wait').argument('<execution>').description('wait for an execution and save what comes out')).option('--out <folder>', 'where to save')
    .action((id: string, options: Shared & { out?: string }) => waitExecution(id, options, terminal))
  remote(workflow.command('resume').argument('<execution>').description('try again what failed; nothing is paid twice')).option('--node <id>', 'only this step').option('--item <n>', 'only this item, counted from 1 as errors show it: 3, or 3.1 inside two lists').option('--cost-max <dollars>', 'what the whole execution may cost at most', dollars)
    .option('--out <folder>', 'where to save').option('--no-wait', 'leave at once')
    .action((id: string, options: Shared & { node?: string; item?: string; costMax?: number; out?: string; wait: boolean }) => resumeExecution(id, options, terminal))
  remote(workflow.command('cancel').argument('<execution>').description('stop an execution; what was made is kept'))
    .action((id: string, options: Shared) => cancelExecution(id, options, terminal))

  const templates = program.command('templates').description('prompts with variables, used as a model: template:<slug>@<label>')
  remote(templates.command('list', { isDefault: true }).description('all of them, with their versions and labels')).action((options: Shared) => listTemplates(options, terminal))
  remote(templates.command('get').argument('<slug>').description('a template as a file')).option('--template-version <n>', 'a published version; the draft by default', whole(1, 999_999_999)).option('--out <file>', 'where to write it')
    .action((slug: string, options: Shared & { templateVersion?: number; out?: string }) => getTemplate(slug, options, terminal))
  remote(templates.command('push').argument('<file>').description('make the draft what a file says; its pictures may be files beside it')).option('--force', 'also where somebody has changed the draft since the file was fetched')
    .action((file: string, options: Shared & { force?: boolean }) => pushTemplate(file, options, terminal))
  remote(templates.command('publish').argument('<slug>').description('make the draft a version')).option('--label <label>', 'a label that moves to it, as production').option('--note <text>', 'what is new')
    .action((slug: string, options: Shared & { label?: string; note?: string }) => publishTemplate(slug, options, terminal))
  remote(templates.command('label').argument('<slug>').argument('<label>').argument('<version>', 'its number', whole(1, 999_999_999)).description('let a label stand for a version'))
    .action((slug: string, label: string, version: number, options: Shared) => labelTemplate(slug, label, version, options, terminal))

  batchCommands(program, terminal)
  const models = program.command('models').description('what can be asked, and what it costs; cards of your own')
  remote(models.command('list', { isDefault: true }).description('what a server offers')).option('--family <name>', 'as flux-2, seedream, gpt-image')
    .addOption(new Option('--operation <what>').choices(operations)).addOption(new Option('--life <state>').choices(['active', 'deprecated', 'retired']))
    .option('--configured', 'only what a live key can have made there').option('--prices', 'every price')
    .action((options: ListOptions) => listModels(options, terminal))
  models.command('validate').argument('[place]', 'a folder or a file; PLANTAIN_CARDS by default').description('check cards of your own, without a server').option('--json', 'print one JSON document and nothing else')
    .action((place: string | undefined, options: { json?: boolean }) => validateModels(place, options, terminal))
  models.command('diff').argument('[place]', 'a folder or a file; PLANTAIN_CARDS by default').description('what cards of your own change about ours, field by field').option('--json', 'print one JSON document and nothing else')
    .action((place: string | undefined, options: { json?: boolean }) => diffModels(place, options, terminal))

  program.command('mcp').description('offer the tools to an assistant, over standard input and output (Model Context Protocol)')
    .option('--url <address>', 'the server (PLANTAIN_URL; http://127.0.0.1:7700)').option('--key <secret>', 'the key (PLANTAIN_KEY; the first key in the data folder)')
    // Loaded when it is wanted: what speaks the protocol would slow every other command down.
    .action(async (options: Shared) => { await (await import('./mcp.ts')).serveMcp(options, terminal) })

  program.command('serve').description('run the server here').option('--no-work', 'only answer requests; plantain work does the making')
    .action(({ work }: { work: boolean }) => runHouse(work ? ['serve', 'work'] : ['serve'], terminal))
  program.command('work').description('run a worker here, without HTTP').action(() => runHouse(['work'], terminal))
  program.command('migrate').description('bring the database up to date').option('--json', 'print one JSON document and nothing else')
    .action((options: Shared) => migrateHouse(options, terminal))

  const keys = program.command('keys').description('keys of this house')
  mode(keys.command('create').description('make a key; its secret is shown once')).requiredOption('--name <text>', 'what it is for')
    .option('--scope <scope>', 'may be repeated; everyday ones by default', gather)
    .option('--expires-days <n>', 'days until it ends', whole(1, 36_500))
    .option('--requests-per-minute <n>', 'a limit', whole(1, 1_000_000)).option('--executions-per-day <n>', 'a limit', whole(1, 1_000_000_000)).option('--concurrent <n>', 'tasks at once', whole(1, 1_000_000))
    .action((options: NewKeyOptions) => createKey(options, terminal))
  mode(keys.command('list').description('all keys, without their secrets')).action((options: Shared & { project?: string }) => listKeys(options, terminal))
  mode(keys.command('revoke').argument('<id>').description('end a key, at once')).action((id: string, options: Shared & { project?: string }) => revokeKey(id, options, terminal))

  const projects = program.command('projects').description('projects of this house')
  projects.command('list').description('all projects and what they have chosen').option('--json', 'print one JSON document and nothing else').action((options: Shared) => listProjects(options, terminal))
  projects.command('set').description('change what a project has chosen').option('--project <name>', 'where there are several projects').option('--json', 'print one JSON document and nothing else')
    .addOption(new Option('--retired-models <what>', 'refuse them, or let their replacement make the order').choices(retiredChoices))
    .addOption(new Option('--templates-only <yes|no>', 'whether an order has to name a template').choices(['yes', 'no']))
    .action((options: ProjectOptions) => changeProject(options, terminal))

  const credits = program.command('credits').description('money of this house')
  mode(credits.command('grant').argument('<dollars>').description('add credit')).option('--note <text>', 'why')
    .action((dollars: string, options: CreditOptions) => grantCredits(dollars, options, terminal))
  mode(credits.command('balance').description('what is there, test and live')).action((options: CreditOptions) => showCredits(options, terminal))

  const json = (command: Command) => command.option('--json', 'print one JSON document and nothing else')
  json(program.command('costs').description('what upstreams took and what was charged, by day, provider and model')).option('--from <day>', 'first day, UTC (thirty days in all by default)').option('--to <day>', 'last day, UTC (today by default)')
    .action((options: CostOptions) => showCosts(options, terminal))
  json(program.command('unknown').description('what may have been bought and nobody knows the end of')).option('--days <n>', 'how far back', whole(1, 36_500), 7).option('--limit <n>', 'how many', whole(1, 10_000), 200)
    .action((options: UnknownOptions) => showUnknown(options, terminal))
  const routes = program.command('routes').description('who makes what, for live keys')
  json(routes.command('list').argument('[model]').description('routes of every model, or of one')).option('--costs', 'every price of each, since when and by which source')
    .action((model: string | undefined, options: RouteListOptions) => listRoutes(model, options, terminal))
  json(routes.command('set').argument('<model>').argument('<routes...>', 'provider, or provider=name-there, with ,order=2 ,weight=3 ,off as wanted').description('set the routes of a model, in place of all it has; the first is asked first')
    .usage('[options] <model> gemini=gemini-3-pro-image kie=nano-banana-pro,weight=3'))
    .action((model: string, words: string[], options: Shared) => setRoutes(model, words, options, terminal))
  json(routes.command('reset').argument('<model>').description('give a model the routes of its card again'))
    .action((model: string, options: Shared) => resetRoutes(model, options, terminal))
  const aliases = program.command('aliases').description('names of your own for models')
  json(aliases.command('list').description('all of them')).action((options: Shared) => listAliases(options, terminal))
  json(aliases.command('set').argument('<name>').argument('<model>').description('what a name stands for, from now on')).action((name: string, model: string, options: Shared) => setAlias(name, model, options, terminal))
  json(aliases.command('remove').argument('<name>').description('forget a name')).action((name: string, options: Shared) => removeAlias(name, options, terminal))

  program.command('doctor').description('look at everything this house needs').option('--url <address>', 'the server (PLANTAIN_URL; http://127.0.0.1:7700)').option('--json', 'print one JSON document and nothing else')
    .action((options: Shared) => runDoctor(options, terminal))
  return program
}

function batchCommands(program: Command, terminal: Terminal): void {
  const batch = program.command('batch').description('sheets of orders: a row, a picture')
  remote(batch.command('run').argument('<sheet>', 'CSV, XLSX or JSON Lines; names in its first row').description('make every row of a sheet'))
    .option('--model <name>', 'what makes the rows, where no column says').option('--workflow <name>', 'or the workflow that is run for each').option('--workflow-version <n>', 'the published one by default', whole(1, 1_000_000))
    .option('--map <column=field>', 'which field a column fills, as "Text=prompt" or "Photo=inputs.reference"; may be repeated', readMapping)
    .option('--set <field=value>', 'a field of every row, as "prompt=a picture of {{product}}" or resolution=2K; may be repeated', readSetting)
    .option('--budget <dollars>', 'pause before it costs more', dollars).option('--concurrency <n>', 'rows at once', whole(1, 128)).option('--name <text>', 'what the batch is called')
    .option('--sheet <name>', 'of a workbook').addOption(new Option('--delimiter <sign>', 'of CSV, where it is not found out').choices([',', ';', '|', '\t']))
    .option('--skip-errors', 'leave rows out that are wrong, and make the others').option('--dry-run', 'only look through the rows').option('--detach', 'print the batch id and leave').option('--out <folder>', 'where results go; a folder beside you by default')
    .action((sheet: string, options: BatchOptions) => runBatch(sheet, options, terminal))
  remote(batch.command('watch').argument('<id>').description('watch a batch to its end')).option('--out <folder>', 'save its results there')
    .action((id: string, options: Shared & { out?: string }) => watchBatch(id, options, terminal))
  const onward = (command: Command) => remote(command).option('--budget <dollars>', 'another cap', dollars).option('--no-budget', 'no cap any more').option('--detach', 'do not watch').option('--out <folder>', 'save its results there')
  const budgetOf = ({ budget, ...options }: Omit<GoOn, 'budget'> & { budget?: number | boolean }): GoOn => ({ ...options, ...(typeof budget === 'number' ? { budget } : budget === false ? { budget: null } : {}) })
  onward(batch.command('resume').argument('<id>').description('let a paused batch go on, or one that was only checked')).action((id: string, options: Parameters<typeof budgetOf>[0]) => resumeBatch(id, budgetOf(options), terminal))
  onward(batch.command('retry').argument('<id>').description('try the rows again that failed')).action((id: string, options: Parameters<typeof budgetOf>[0]) => retryBatch(id, budgetOf(options), terminal))
  remote(batch.command('pause').argument('<id>').description('begin no more rows')).action((id: string, options: Shared) => pauseBatch(id, options, terminal))
  remote(batch.command('cancel').argument('<id>').description('give up the rows that wait')).action((id: string, options: Shared) => cancelBatch(id, options, terminal))
  remote(batch.command('list').description('newest batches, of every door')).option('--limit <n>', 'how many', whole(1, 100), 20).action((options: Shared & { limit: number }) => listBatches(options, terminal))
  remote(batch.command('get').argument('<id>').description('how a batch stands')).action((id: string, options: Shared) => getBatch(id, options, terminal))
  remote(batch.command('errors').argument('<id>').description('rows that are wrong or failed, and what to do')).option('--out <file>', 'as CSV with the rows as they were sent, or as a workbook to mend, where its name ends in .xlsx').action((id: string, options: Shared & { out?: string }) => showErrors(id, options, terminal))
  remote(batch.command('results').argument('<id>').description('save pictures and results.csv')).option('--out <folder>', 'a folder beside you by default').option('--zip <file>', 'as one archive').action((id: string, options: Shared & { out?: string; zip?: string }) => saveResults(id, options, terminal))
}

/** Runs one command and says how it ended. */
export async function run(words: string[], terminal: Terminal): Promise<number> {
  const wantsJson = words.includes('--json')
  try {
    await createProgram(terminal).parseAsync(words, { from: 'user' })
    return exitCodes.ok
  } catch (thrown) {
    if (thrown instanceof CommanderError) return thrown.exitCode === 0 ? exitCodes.ok : exitCodes.usage
    const exit = thrown instanceof Exit ? thrown : explainLocal(thrown)
    if (!exit) throw thrown
    if (exit.message === '') return exit.exitCode
    if (wantsJson) terminal.print(JSON.stringify({ error: { ...exit.details, code: exit.code, message: exit.message } }))
    else terminal.note(`${exit.code}: ${exit.message}`)
    return exit.exitCode
  }
}
