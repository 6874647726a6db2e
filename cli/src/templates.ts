/** Prompt templates of a server, kept as files beside the code that uses them: fetched, pushed as drafts, published, labelled. */
import { readFile, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { Exit, exitCodes, usage } from './exit.ts'
import { openRemote, type Remote } from './remote.ts'
import { formatTable, plainLine, type Shared, type Terminal } from './terminal.ts'

interface TemplateView {
  slug: string; name: string; description: string; model: string; revision: number; published: number | null; labels: Record<string, number>; updated_at: string
  draft: Record<string, unknown> & { model: string }
}
interface VersionView { number: number; note: string | null; labels: string[]; template?: Record<string, unknown> }
/** A template as a file: what the server takes, and the revision it was fetched at. */
interface TemplateFile { slug: string; name?: string; description?: string; revision?: number; template: Record<string, unknown> & { inputs?: unknown[] } }

const base = '/plantain/v1/templates'
const pathOf = (slug: string): string => {
  if (!/^[a-z0-9-]{1,80}$/.test(slug)) throw usage(`"${slug}" is no slug: small letters, digits and hyphens, as plantain templates list shows them.`)
  return `${base}/${slug}`
}

export async function listTemplates(options: Shared, terminal: Terminal): Promise<void> {
  const remote = await openRemote(options, terminal)
  const all: TemplateView[] = []
  for (let next: string | null = ''; next !== null;) {
    const page: { data: TemplateView[]; next: string | null } = await remote.get(`${base}?limit=100${next === '' ? '' : `&after=${next}`}`)
    all.push(...page.data)
    next = page.next
  }
  if (options.json) return terminal.print(JSON.stringify(all))
  if (all.length === 0) return terminal.note('No templates yet. Make one with: plantain templates push template.json')
  const labels = (one: TemplateView) => Object.entries(one.labels).map(([label, number]) => `${label}=${number}`).join(' ')
  for (const line of formatTable([['template', 'versions', 'labels', 'model', 'changed (UTC)', 'name'], ...all.map(one => [one.slug, String(one.published ?? 'draft'), labels(one), one.draft.model, one.updated_at.slice(0, 19).replace('T', ' '), plainLine(one.name, 60)])])) terminal.print(line)
}

/** Prints a template as the file that `push` takes, or writes it there. */
export async function getTemplate(slug: string, { templateVersion: version, out, ...options }: Shared & { templateVersion?: number; out?: string }, terminal: Terminal): Promise<void> {
  const remote = await openRemote(options, terminal)
  const found = await remote.get<TemplateView>(pathOf(slug))
  const template = version === undefined ? found.draft : (await remote.get<VersionView>(`${pathOf(slug)}/versions/${version}`)).template!
  const file = { slug: found.slug, name: found.name, description: found.description, revision: found.revision, template: withAssets(template) }
  const text = JSON.stringify(file, null, options.json ? undefined : 2)
  if (out === undefined) return terminal.print(text)
  await writeFile(path.resolve(terminal.folder, out), `${text}\n`)
  terminal.note(`${out}: ${version === undefined ? `the draft at revision ${found.revision}` : `version ${version}`}`)
}

/** Pictures by their ids: what else a server tells of them it knows itself. */
const withAssets = (template: Record<string, unknown>): Record<string, unknown> =>
  ({ ...template, inputs: ((template.inputs ?? []) as { asset: string; role: string }[]).map(({ asset, role }) => ({ asset, role })) })

/** Makes the draft what a file says. Pictures may be files beside it; a file that was fetched is refused where somebody has changed the draft since. */
export async function pushTemplate(name: string, { force = false, ...options }: Shared & { force?: boolean }, terminal: Terminal): Promise<void> {
  const place = path.resolve(terminal.folder, name)
  const { slug, revision, template, ...words } = await readFileOf(place, name)
  const where = pathOf(slug)
  const remote = await openRemote(options, terminal)
  const before = await remote.get<TemplateView>(where).catch(thrown => { if (thrown instanceof Exit && thrown.code === 'not_found') return null; throw thrown })
  const body = { ...template, inputs: await Promise.all((template.inputs ?? []).map(input => upload(input, path.dirname(place), remote))) }
  const after = before === null
    ? await remote.post<TemplateView>(base, { slug, name: words.name ?? slug, ...(words.description === undefined ? {} : { description: words.description }), template: body })
    : await remote.patch<TemplateView>(where, { ...words, template: body, ...(revision === undefined || force ? {} : { revision }) })
  if (options.json) return terminal.print(JSON.stringify(after))
  terminal.print(`${slug}: draft at revision ${after.revision}. Try it with a test key as template:${slug}@draft, then: plantain templates publish ${slug}`)
}

async function readFileOf(place: string, name: string): Promise<TemplateFile> {
  const text = await readFile(place, 'utf8').catch(() => { throw new Exit(exitCodes.usage, 'bad_request', `There is no file ${name}.`) })
  let file: unknown
  try { file = JSON.parse(text) } catch (thrown) { throw new Exit(exitCodes.usage, 'bad_request', `${name} is no JSON: ${plainLine((thrown as Error).message, 200)}`) }
  const { slug, template } = (file ?? {}) as Partial<TemplateFile>
  if (typeof slug !== 'string' || typeof template !== 'object' || template === null) throw new Exit(exitCodes.usage, 'bad_request', `${name} is no template: it needs a slug and a template, as plantain templates get shows one.`)
  return file as TemplateFile
}

/** `{"file": "logo.png", "role": "style"}` becomes an asset; everything else is the server's to read. */
async function upload(input: unknown, folder: string, remote: Remote): Promise<unknown> {
  const { file, role } = (typeof input === 'object' && input !== null ? input : {}) as { file?: unknown; role?: unknown }
  if (typeof file !== 'string') return input
  const bytes = await readFile(path.resolve(folder, file)).catch(() => { throw new Exit(exitCodes.usage, 'bad_request', `There is no picture ${file}.`) })
  const { id } = await remote.upload<{ id: string }>('/plantain/v1/assets', new Uint8Array(bytes))
  return { asset: id, ...(role === undefined ? {} : { role }) }
}

export async function publishTemplate(slug: string, { note, label, ...options }: Shared & { note?: string; label?: string }, terminal: Terminal): Promise<void> {
  const remote = await openRemote(options, terminal)
  const version = await remote.post<VersionView>(`${pathOf(slug)}/publish`, { ...(note === undefined ? {} : { note }), ...(label === undefined ? {} : { label }) })
  if (options.json) return terminal.print(JSON.stringify(version))
  terminal.print(`${slug}: version ${version.number}${version.labels.length > 0 ? ` (${version.labels.join(', ')})` : ''}`)
}

export async function labelTemplate(slug: string, label: string, version: number, options: Shared, terminal: Terminal): Promise<void> {
  const remote = await openRemote(options, terminal)
  const after = await remote.put<TemplateView>(`${pathOf(slug)}/labels/${encodeURIComponent(label)}`, { version })
  if (options.json) return terminal.print(JSON.stringify(after))
  terminal.print(`template:${slug}@${label} is version ${after.labels[label]} from now on.`)
}
