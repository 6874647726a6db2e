/**
 * The room of prompt templates: saved, published, labelled, and found for an order that names one.
 *
 * A body is sound before it is saved: its text parses, and an order filled with what its variables may be passes the check every order passes.
 * Absent on purpose: making anything, money, dialects. What a template means for an order is `domain/template.ts`; the desk applies it.
 */
import type { Database } from '../db/pool.ts'
import type { Asset } from '../domain/asset.ts'
import type { Card, CheckedOrder } from '../domain/card.ts'
import type { InputReference, Operation, Order } from '../domain/order.ts'
import type { Json } from '../domain/outcome.ts'
import { Problem } from '../domain/problem.ts'
import { checkBody, fillTemplate, slugPattern, templateLimits, type ResolvedTemplate, type Template, type TemplateBody, type TemplatePicture, type TemplateSource, type TemplateVariable, type TemplateVersion } from '../domain/template.ts'
import type { Page } from '../protocols/contract.ts'
import { bodiesOf, changeTemplate, findTemplate, insertTemplate, listTemplates, listVersions, missing, publishTemplate, removeLabel, removeTemplate, resolveTemplate, setLabel, type Changer } from './saved.ts'

export interface Owner { projectId: string; livemode: boolean }

export interface TemplatesOptions {
  database: Database
  /** The card a name stands for, and the operation where the name fixes it; `alias` where an operator gave the name. */
  cardOf(name: string): { card: Card; operation?: Operation; alias: boolean } | null
  /** Checks and prices an order with these pictures as the catalogue does. @throws {Problem} */
  check(order: Order, pictures: Asset[], livemode: boolean): CheckedOrder
  pictures: {
    find(owner: Owner, ids: string[]): Promise<Asset[]>
    /** The same picture under a new id, for good, for this owner. */
    copy(owner: Owner, asset: Asset): Promise<Asset>
    /** Lets go of one; what a task still uses stays. */
    drop(owner: Owner, id: string): Promise<void>
  }
  now(): Date
}

export interface TemplateDraft { slug: string; name: string; description?: string; source: TemplateSource }
export interface TemplateChange { name?: string; description?: string; source?: TemplateSource }

export interface Templates {
  resolve(owner: Owner, model: string): Promise<ResolvedTemplate>
  /** Checks and prices an order of a template before its pictures are there: `pictures` says what they will be. With `isOpen` its words are to come too. */
  foresee(owner: Owner, order: Order, pictures: Asset[], options?: { isOpen?: boolean }): Promise<CheckedOrder>
  find(owner: Owner, slug: string): Promise<Template | null>
  list(owner: Owner, filter: { after?: string | undefined; limit: number }): Promise<Page<Template>>
  create(owner: Owner & Changer, draft: TemplateDraft): Promise<Template>
  change(owner: Owner & Changer, slug: string, change: TemplateChange, revision: number | null): Promise<Template>
  remove(owner: Owner & Changer, slug: string): Promise<void>
  publish(owner: Owner & Changer, slug: string, options: { note: string | null; label: string | null; revision: number | null }): Promise<TemplateVersion>
  versions(owner: Owner, slug: string): Promise<TemplateVersion[]>
  version(owner: Owner, slug: string, number: number): Promise<TemplateVersion | null>
  setLabel(owner: Owner & Changer, slug: string, label: string, number: number): Promise<Template>
  removeLabel(owner: Owner & Changer, slug: string, label: string): Promise<Template>
}

export function createTemplates({ database, cardOf, check, pictures, now }: TemplatesOptions): Templates {
  const changer = ({ accountId, projectId, keyId }: Changer): Changer => ({ accountId, projectId, keyId })

  /** Everything about a body that can be wrong, before anything is written or copied. */
  async function readSource(owner: Owner, { inputs, ...source }: TemplateSource, before: TemplatePicture[]): Promise<TemplateBody> {
    checkBody(source)
    const found = cardOf(source.model)
    if (!found) throw new Problem('unknown_model', `There is no model called ${source.model.slice(0, 100).toWellFormed()}. A template names a model, not another template.`, { field: 'model', value: source.model.slice(0, 100).toWellFormed() })
    if (inputs.length > templateLimits.pictures) throw new Problem('bad_request', `A template has at most ${templateLimits.pictures} pictures.`, { field: 'inputs' })
    const operation = source.operation ?? found.operation
    const body = { ...source, model: found.alias ? source.model : found.card.id, ...(operation === undefined ? {} : { operation }) }
    checkLocked(body, found.card)

    const known = new Map(before.flatMap(one => [[one.test, one], [one.live, one]] as const))
    const assets = new Map((await pictures.find(owner, inputs.map(({ assetId }) => assetId).filter(id => !known.has(id)))).map(asset => [asset.id, asset]))
    const seen = inputs.map(({ assetId, role }, index): TemplatePicture => {
      const old = known.get(assetId)
      if (old) return { ...old, role }
      const asset = assets.get(assetId)
      if (!asset) throw new Problem('bad_input_image', `inputs[${index}] names an asset that is not there. Upload it first (POST /plantain/v1/assets).`, { field: `inputs[${index}]`, value: assetId.slice(0, 100) })
      return { role, sha256: asset.sha256, mime: asset.mime, width: asset.width, height: asset.height, sizeBytes: asset.sizeBytes, test: assetId, live: assetId }
    })
    tryOut({ ...body, pictures: seen }, found.card)
    const kept: TemplatePicture[] = []
    for (const one of seen) {
      const asset = assets.get(one.test)
      kept.push(!asset || known.has(one.test) ? one : { ...one, test: (await pictures.copy({ ...owner, livemode: false }, asset)).id, live: (await pictures.copy({ ...owner, livemode: true }, asset)).id })
    }
    return { ...body, pictures: kept }
  }

  /** Orders it with values its variables may have, as a test key would, and looks at what the catalogue says. */
  function tryOut(body: TemplateBody, card: Card): void {
    const wanted = body.variables.filter(({ type, required = true }) => type === 'image' && required)
    const order: Order = { model: body.model, prompt: '', variables: samplesOf(body), parameters: {}, inputs: wanted.map((_one, index): InputReference => ({ assetId: `sample-${index}`, role: 'reference' })) }
    const samples = order.inputs.map(({ assetId }) => shown({ test: assetId, sha256: '0'.repeat(64), mime: card.inputs.mimes[0] ?? 'image/png', width: 1_024, height: 1_024, sizeBytes: 1 }))
    checkFilled({ stamp: { id: '', slug: 'draft', version: null }, body }, order, card, samples, false)
  }

  /** A picture as the catalogue looks at one. */
  const shown = ({ test, sha256, mime, width, height, sizeBytes }: Omit<TemplatePicture, 'role' | 'live'>): Asset =>
    ({ id: test, projectId: '', livemode: false, kind: 'input', sha256, mime, width, height, sizeBytes, name: null, taskId: null, createdAt: now(), expiresAt: null })

  function checkFilled(template: ResolvedTemplate, order: Order, card: Card, given: Asset[], livemode: boolean): CheckedOrder {
    const { variables: _variables, operation: _operation, ...rest } = order
    const filled = fillTemplate(template, order, card, livemode).order
    const known = new Map([...given, ...template.body.pictures.flatMap(picture => [shown(picture), { ...shown(picture), id: picture.live }])].map(asset => [asset.id, asset]))
    const seen = filled.inputs.map(({ assetId }, index) => {
      const asset = known.get(assetId)
      if (!asset) throw new Problem('bad_input_image', `Picture ${index + 1} names an asset that is not there.`, { field: `inputs[${index}]`, value: assetId.slice(0, 100) })
      return asset
    })
    return { ...check({ ...rest, ...filled, model: template.body.model }, seen, livemode), template: template.stamp }
  }

  /** Pictures that no version and no draft names any more. */
  async function dropUnused(owner: Owner, gone: TemplateBody[], left: TemplateBody[]): Promise<void> {
    const kept = new Set(left.flatMap(body => body.pictures.map(({ test }) => test)))
    const loose = new Map(gone.flatMap(body => body.pictures).filter(({ test }) => !kept.has(test)).map(one => [one.test, one]))
    for (const { test, live } of loose.values()) {
      await pictures.drop({ ...owner, livemode: false }, test)
      await pictures.drop({ ...owner, livemode: true }, live)
    }
  }

  const the = async (owner: Owner, slug: string): Promise<Template> => {
    const template = await findTemplate(database, owner.projectId, slug)
    if (template === null) throw missing(slug)
    return template
  }

  return {
    resolve: (owner, model) => resolveTemplate(database, owner.projectId, model, owner),
    async foresee(owner, order, given, { isOpen = false } = {}) {
      const template = await resolveTemplate(database, owner.projectId, order.model, owner)
      const found = cardOf(template.body.model)
      if (!found) throw new Problem('unknown_model', `The model ${template.body.model} of this template is not there any more.`, { field: 'model', value: template.body.model })
      return checkFilled(template, isOpen ? { ...order, prompt: '', variables: samplesOf(template.body) } : order, found.card, given, owner.livemode)
    },
    find: (owner, slug) => findTemplate(database, owner.projectId, slug),
    async list(owner, { after, limit }) {
      const all = await listTemplates(database, owner.projectId, { after: after ?? null, limit: limit + 1 })
      const items = all.slice(0, limit)
      return { items, next: all.length > limit ? items.at(-1)!.slug : null }
    },
    async create(owner, { slug, name, description = '', source }) {
      if (!slugPattern.test(slug)) throw new Problem('bad_request', 'slug is 1 to 80 small letters, digits and hyphens, with no hyphen at either end.', { field: 'slug', value: slug.slice(0, 100).toWellFormed() })
      const body = await readSource(owner, source, [])
      try {
        await insertTemplate(database, changer(owner), { slug, name, description, body })
      } catch (thrown) {
        await dropUnused(owner, [body], [])
        throw thrown
      }
      return the(owner, slug)
    },
    async change(owner, slug, { source, ...words }, revision) {
      const before = await the(owner, slug)
      const versions = await bodiesOf(database, before.id)
      const body = source === undefined ? undefined : await readSource(owner, source, [before.draft, ...versions].flatMap(one => one.pictures))
      try {
        // Pictures of the draft that was seen are let go of: two who write at once must not let go of each other's.
        await changeTemplate(database, changer(owner), slug, { ...words, ...(body === undefined ? {} : { body }) }, revision ?? (body === undefined ? null : before.revision))
      } catch (thrown) {
        if (body) await dropUnused(owner, [body], [before.draft, ...versions])
        throw thrown
      }
      const after = await the(owner, slug)
      // A version may have been published meanwhile: what is looked at is what there is now.
      await dropUnused(owner, [before.draft], [after.draft, ...await bodiesOf(database, after.id)])
      return after
    },
    async remove(owner, slug) { await dropUnused(owner, await removeTemplate(database, changer(owner), slug), []) },
    publish: (owner, slug, options) => publishTemplate(database, changer(owner), slug, options),
    versions: async (owner, slug) => listVersions(database, (await the(owner, slug)).id),
    version: async (owner, slug, number) => (await listVersions(database, (await the(owner, slug)).id, number))[0] ?? null,
    async setLabel(owner, slug, label, number) { await setLabel(database, changer(owner), slug, label, number); return the(owner, slug) },
    async removeLabel(owner, slug, label) { await removeLabel(database, changer(owner), slug, label); return the(owner, slug) },
  }
}

function checkLocked({ locked }: Pick<TemplateBody, 'locked'>, card: Card): void {
  const names = Object.keys((card.parameters.properties ?? {}) as Record<string, Json>)
  const index = locked.findIndex(name => !names.includes(name))
  if (index >= 0) throw new Problem('unsupported_parameter', `${card.id} has no parameter ${locked[index]!.slice(0, 100).toWellFormed()} that could be locked.`, { field: `locked[${index}]`, value: locked[index]!.slice(0, 100).toWellFormed(), allowed: names })
}

/** Values for everything but pictures. */
const samplesOf = ({ variables }: Pick<TemplateBody, 'variables'>): Record<string, Json> => Object.fromEntries(variables.filter(({ type }) => type !== 'image').map(variable => [variable.name, sample(variable)]))

/** A value a variable may have. */
function sample({ type, min, max, choices, default: usual }: TemplateVariable): Json {
  if (usual !== undefined) return usual
  switch (type) {
    case 'text': return 'x'.repeat(Math.max(min ?? 1, Math.min(1, max ?? 1)))
    case 'number': case 'integer': return min ?? Math.min(1, max ?? 1)
    case 'boolean': return true
    case 'choice': return choices![0]!
    case 'image': return null
  }
}
