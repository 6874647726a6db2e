/**
 * Saved templates: a draft that is written with its revision, versions that never change, labels that move between them.
 *
 * Absent on purpose: writing over somebody. Whoever writes says which revision he has seen, and hears `conflict` when there is a newer one.
 */
import { isDeepStrictEqual } from 'node:util'
import { writeAct } from '../db/audit.ts'
import type { Client, Database } from '../db/pool.ts'
import { Problem } from '../domain/problem.ts'
import { labelPattern, mainLabel, readTemplateName, templateLimits, type ResolvedTemplate, type Template, type TemplateBody, type TemplateVersion } from '../domain/template.ts'
import { newId } from '../kit/id.ts'

/** Who changes it. */
export interface Changer { accountId: string; projectId: string; keyId: string }

interface TemplateRow { id: string; project_id: string; slug: string; name: string; description: string; body: TemplateBody; revision: number; published: number | null; labels: Record<string, number>; created_at: Date; updated_at: Date }

const select = `select t.id, t.project_id, t.slug, t.name, t.description, t.body, t.revision, t.created_at, t.updated_at,
  (select max(number) from template_version v where v.template_id = t.id) as published,
  coalesce((select jsonb_object_agg(l.label, l.number) from template_label l where l.template_id = t.id), '{}') as labels from template t`

const readTemplate = (row: TemplateRow): Template => ({
  id: row.id, projectId: row.project_id, slug: row.slug, name: row.name, description: row.description, draft: row.body, revision: row.revision,
  published: row.published, labels: row.labels, createdAt: row.created_at, updatedAt: row.updated_at,
})

export const missing = (slug: string) => new Problem('not_found', `There is no template ${slug.slice(0, 100).toWellFormed()}.`, { field: 'template', value: slug.slice(0, 100).toWellFormed() })

export async function findTemplate(client: Client, projectId: string, slug: string): Promise<Template | null> {
  const { rows: [row] } = await client.query<TemplateRow>(`${select} where t.project_id = $1 and t.slug = $2`, [projectId, slug])
  return row ? readTemplate(row) : null
}

/** By slug, so that a page has an end that stays where it is. */
export async function listTemplates(client: Client, projectId: string, { after, limit }: { after: string | null; limit: number }): Promise<Template[]> {
  const { rows } = await client.query<TemplateRow>(`${select} where t.project_id = $1 and ($2::text is null or t.slug > $2) order by t.slug limit $3`, [projectId, after, limit])
  return rows.map(readTemplate)
}

export async function insertTemplate(database: Database, { projectId }: Changer, { slug, name, description, body }: { slug: string; name: string; description: string; body: TemplateBody }): Promise<void> {
  const { rowCount } = await database.query(
    `insert into template (id, project_id, slug, name, description, body)
     select $1, $2, $3, $4, $5, $6 where (select count(*) from template where project_id = $2) < ${templateLimits.templates} on conflict (project_id, slug) do nothing`,
    [newId(), projectId, slug, name, description, JSON.stringify(body)])
  if (rowCount === 1) return
  if (await findTemplate(database, projectId, slug)) throw new Problem('conflict', `There is a template called ${slug} already. Choose another slug, or change that one.`, { field: 'slug', value: slug })
  throw new Problem('conflict', `A project has at most ${templateLimits.templates} templates.`)
}

/** Locks a template for a change. @throws {Problem} `not_found`, `conflict` when somebody has written since `revision` */
async function lock(client: Client, projectId: string, slug: string, revision: number | null): Promise<{ id: string; body: TemplateBody; revision: number }> {
  const { rows: [row] } = await client.query<{ id: string; body: TemplateBody; revision: number }>('select id, body, revision from template where project_id = $1 and slug = $2 for update', [projectId, slug])
  if (!row) throw missing(slug)
  if (revision !== null && row.revision !== revision) {
    throw new Problem('conflict', `This template was changed meanwhile: it is at revision ${row.revision}, and yours is ${revision}. Read it again and make your change on top.`, { field: 'revision', value: revision, allowed: row.revision })
  }
  return row
}

/** Writes the draft; `change` makes the new one out of the one that is there, under its lock. */
export const changeTemplate = (database: Database, { projectId }: Changer, slug: string, { name, description, body }: { name?: string; description?: string; body?: TemplateBody }, revision: number | null): Promise<void> => database.transaction(async client => {
  const { id } = await lock(client, projectId, slug, revision)
  await client.query(`update template set name = coalesce($2, name), description = coalesce($3, description), body = coalesce($4, body), revision = revision + 1, updated_at = now() where id = $1`,
    [id, name ?? null, description ?? null, body === undefined ? null : JSON.stringify(body)])
})

/** Versions and labels go with it; tasks keep what they say of it. What is returned are the bodies that are gone. */
export const removeTemplate = (database: Database, changer: Changer, slug: string): Promise<TemplateBody[]> => database.transaction(async client => {
  const { id, body } = await lock(client, changer.projectId, slug, null)
  const bodies = await bodiesOf(client, id)
  await client.query('delete from template where id = $1', [id])
  await writeAct(client, { ...changer, act: 'template.removed', subject: id, details: { slug } })
  return [body, ...bodies]
})

export const bodiesOf = async (client: Client, id: string): Promise<TemplateBody[]> =>
  (await client.query<{ body: TemplateBody }>('select body from template_version where template_id = $1', [id])).rows.map(row => row.body)

/** Makes the draft a version, or finds that the newest one says the same; a label goes to it in the same act. */
export const publishTemplate = (database: Database, changer: Changer, slug: string, { note, label, revision }: { note: string | null; label: string | null; revision: number | null }): Promise<TemplateVersion> => database.transaction(async client => {
  const { id, body } = await lock(client, changer.projectId, slug, revision)
  const { rows: [last] } = await client.query<{ number: number; body: TemplateBody }>('select number, body from template_version where template_id = $1 order by number desc limit 1', [id])
  let number = last?.number ?? 0
  if (!last || !isDeepStrictEqual(last.body, body)) {
    if (number >= templateLimits.versions) throw new Problem('conflict', `A template has at most ${templateLimits.versions} versions.`)
    number += 1
    await client.query('insert into template_version (template_id, number, body, note, key_id) values ($1, $2, $3, $4, $5)', [id, number, JSON.stringify(body), note, changer.keyId])
    await client.query('update template set updated_at = now() where id = $1', [id])
    await writeAct(client, { ...changer, act: 'template.published', subject: id, details: { slug, version: number } })
  }
  if (label !== null) await moveLabel(client, changer, { id, slug, label, number })
  return (await listVersions(client, id, number))[0]!
})

/** Lets a label stand for a version from now on. @throws {Problem} `not_found` */
export const setLabel = (database: Database, changer: Changer, slug: string, label: string, number: number): Promise<void> => database.transaction(async client => {
  const { id } = await lock(client, changer.projectId, slug, null)
  await moveLabel(client, changer, { id, slug, label, number })
})

async function moveLabel(client: Client, changer: Changer, { id, slug, label, number }: { id: string; slug: string; label: string; number: number }): Promise<void> {
  if (!labelPattern.test(label) || label === 'draft') throw new Problem('bad_request', 'A label is 1 to 60 small letters, digits, dots, hyphens and underscores, begins with a letter, and is not draft.', { field: 'label', value: label.slice(0, 100).toWellFormed() })
  const { rows: labels } = await client.query<{ label: string; number: number }>('select label, number from template_label where template_id = $1', [id])
  const before = labels.find(one => one.label === label)?.number ?? null
  if (before === number) return
  if (before === null && labels.length >= templateLimits.labels) throw new Problem('conflict', `A template has at most ${templateLimits.labels} labels.`)
  const { rowCount } = await client.query(`insert into template_label (template_id, label, number, key_id) select template_id, $2, number, $4 from template_version where template_id = $1 and number = $3
    on conflict (template_id, label) do update set number = excluded.number, key_id = excluded.key_id, moved_at = now()`, [id, label, number, changer.keyId])
  if (rowCount === 0) throw new Problem('not_found', `The template ${slug} has no version ${number}.`, { field: 'version', value: number })
  await writeAct(client, { ...changer, act: 'template.labelled', subject: id, details: { slug, label, from: before, to: number } })
}

export const removeLabel = (database: Database, changer: Changer, slug: string, label: string): Promise<void> => database.transaction(async client => {
  const { id } = await lock(client, changer.projectId, slug, null)
  const { rows: [gone] } = await client.query<{ number: number }>('delete from template_label where template_id = $1 and label = $2 returning number', [id, label])
  if (!gone) throw new Problem('not_found', `The template ${slug} has no label ${label.slice(0, 60).toWellFormed()}.`, { field: 'label', value: label.slice(0, 60).toWellFormed() })
  await writeAct(client, { ...changer, act: 'template.labelled', subject: id, details: { slug, label, from: gone.number, to: null } })
})

/** Newest first; with a number, that one, and with its body. */
export async function listVersions(client: Client, templateId: string, number: number | null = null): Promise<TemplateVersion[]> {
  const { rows } = await client.query<{ number: number; note: string | null; created_at: Date; labels: string[]; body: TemplateBody | null }>(
    `select v.number, v.note, v.created_at, array(select l.label from template_label l where l.template_id = v.template_id and l.number = v.number order by l.label) as labels, case when $2::int is not null then v.body end as body
     from template_version v where v.template_id = $1 and ($2::int is null or v.number = $2) order by v.number desc limit 1000`, [templateId, number])
  return rows.map(row => ({ number: row.number, note: row.note, labels: row.labels, createdAt: row.created_at, ...(row.body === null ? {} : { body: row.body }) }))
}

/**
 * What an order means by `template:<slug>@…`, at this moment. A label that moves meanwhile moves for the next order.
 *
 * @throws {Problem} `unknown_model`, with what there is
 */
export async function resolveTemplate(client: Client, projectId: string, model: string, { livemode }: { livemode: boolean }): Promise<ResolvedTemplate> {
  const { slug, wanted } = readTemplateName(model)
  const no = (message: string, allowed?: unknown) => new Problem('unknown_model', message, { field: 'model', value: model.slice(0, 200), ...(allowed === undefined ? {} : { allowed }) })
  if (wanted.kind === 'draft' && livemode) throw no(`${model} is for test keys: a live key takes what is published. Publish it, or name a version.`)
  const { rows: [row] } = await client.query<{ id: string; revision: number; draft: TemplateBody; number: number | null; body: TemplateBody | null; label: string | null }>({ name: 'template resolve', text: `
    select t.id, t.revision, case when $3 = 'draft' then t.body end as draft, v.number, v.body, l.label from template t
    left join template_label l on l.template_id = t.id and $3 in ('main', 'label') and l.label = $4
    left join template_version v on v.template_id = t.id and v.number = case $3 when 'version' then $5 when 'label' then l.number when 'main' then coalesce(l.number, (select max(number) from template_version where template_id = t.id)) end
    where t.project_id = $1 and t.slug = $2` },
  [projectId, slug, wanted.kind, wanted.kind === 'label' ? wanted.label : mainLabel, wanted.kind === 'version' ? wanted.number : null])
  if (!row) throw no(`There is no template ${slug}. GET /plantain/v1/templates lists them.`)
  if (wanted.kind === 'draft') return { stamp: { id: row.id, slug, version: null, revision: row.revision }, body: row.draft }
  if (row.body !== null) return { stamp: { id: row.id, slug, version: row.number, ...(row.label === null ? {} : { label: row.label }) }, body: row.body }

  const { labels, published } = (await findTemplate(client, projectId, slug))!
  if (published === null) throw no(`The template ${slug} has no published version. Publish its draft${livemode ? '' : `, or use template:${slug}@draft with this test key`}.`)
  const names = Object.keys(labels)
  throw no(`The template ${slug} has no ${wanted.kind === 'version' ? `version ${wanted.number}` : `label ${(wanted as { label: string }).label}`}. It has versions up to ${published}${names.length > 0 ? ` and the labels ${names.join(', ')}` : ' and no labels'}.`, names)
}
