import { Type, type Static } from 'typebox'
import { operations, roles, type InputReference } from '../../domain/order.ts'
import type { Json } from '../../domain/outcome.ts'
import { Problem } from '../../domain/problem.ts'
import { templateLimits, variableTypes, type Template, type TemplateBody, type TemplateSource, type TemplateVersion } from '../../domain/template.ts'
import { isId } from '../../kit/id.ts'
import { queryReader, reader } from '../../kit/schema.ts'
import type { Desk, Incoming, Route } from '../contract.ts'
import { After, base, found, Limit, limitDefault } from './read.ts'
import { EstimateView, Id, json, ListView, PageView, StampView, Time, viewEstimate, viewList, viewPage, viewStamp } from './view.ts'

const AnyJson = Type.Unknown()
const maybe = <S extends Parameters<typeof Type.Array>[0]>(schema: S) => Type.Union([schema, Type.Null()])
const Parameters = Type.Record(Type.String({ minLength: 1, maxLength: 100 }), AnyJson)

const VariableBody = Type.Object({
  name: Type.String({ minLength: 1, maxLength: 64, description: 'Stands in the prompt as `{{name}}`; `{{#name}}…{{/name}}` is written where it has something to say.' }),
  type: Type.Enum([...variableTypes]),
  title: Type.Optional(Type.String({ maxLength: 200 })),
  description: Type.Optional(Type.String({ maxLength: 2_000 })),
  required: Type.Optional(Type.Boolean({ description: 'Default: yes, unless there is a default.' })),
  default: Type.Optional(Type.Union([Type.String({ maxLength: templateLimits.textCharacters }), Type.Number(), Type.Boolean()])),
  min: Type.Optional(Type.Number({ description: 'Of a number its value, of text its characters.' })),
  max: Type.Optional(Type.Number()),
  choices: Type.Optional(Type.Array(Type.String({ minLength: 1, maxLength: 1_000 }), { maxItems: templateLimits.choices })),
  role: Type.Optional(Type.Enum([...roles], { description: 'What an image is for.' })),
}, { additionalProperties: false, title: 'TemplateVariable' })

const PictureBody = Type.Union([Type.String({ description: 'The id of an asset.' }), Type.Object({ asset: Type.String(), role: Type.Optional(Type.Enum([...roles])) }, { additionalProperties: false })])

const bodyFields = {
  model: Type.String({ minLength: 1, maxLength: 200, description: 'A model of the catalogue, by any of its names.' }),
  operation: Type.Optional(Type.Enum([...operations])),
  prompt: Type.String({ maxLength: templateLimits.promptCharacters, description: 'With variables as `{{name}}`. What a caller gives for them is text and nothing else.' }),
  style: Type.Optional(Type.String({ maxLength: templateLimits.noteCharacters, description: 'A note that goes with every prompt, as `Style: …`. May use variables, like the next two.' })),
  brand: Type.Optional(Type.String({ maxLength: templateLimits.noteCharacters, description: 'As `Brand: …`.' })),
  negative: Type.Optional(Type.String({ maxLength: templateLimits.noteCharacters, description: 'What shall not be there: the model\'s `negative_prompt` where it has one, else `Avoid: …`.' })),
  variables: Type.Optional(Type.Array(VariableBody, { maxItems: templateLimits.variables })),
  parameters: Type.Optional(Parameters),
  locked: Type.Optional(Type.Array(Type.String({ minLength: 1, maxLength: 100 }), { maxItems: 100, description: 'Parameters no caller may set to anything else.' })),
  inputs: Type.Optional(Type.Array(PictureBody, { maxItems: templateLimits.pictures, description: 'Pictures every order takes along. They are kept for good, for test and live keys alike.' })),
}
const slug = Type.String({ minLength: 1, maxLength: 80, description: 'Small letters, digits and hyphens. Orders name it: `template:<slug>`.' })
const words = { name: Type.String({ minLength: 1, maxLength: 200 }), description: Type.Optional(Type.String({ maxLength: 10_000 })) }
const Source = Type.Object(bodyFields, { additionalProperties: false, title: 'TemplateBody' })

const NewBody = Type.Object({ slug, ...words, template: Source }, {
  additionalProperties: false, title: 'NewTemplate',
  examples: [{ slug: 'product-shot', name: 'Product shot', template: { model: 'nano-banana-2', prompt: 'A studio photo of {{product}} on {{surface}}.', variables: [{ name: 'product', type: 'text' }, { name: 'surface', type: 'choice', choices: ['oak', 'linen'], default: 'oak' }], parameters: { aspect_ratio: '1:1' }, locked: ['aspect_ratio'] } }],
})
const Revision = Type.Optional(Type.Integer({ minimum: 1, description: 'The revision you have seen; refused with 409 when there is a newer one.' }))
const ChangeBody = Type.Object({ name: Type.Optional(words.name), description: words.description, template: Type.Optional(Source), revision: Revision }, { additionalProperties: false, minProperties: 1, title: 'TemplateChange' })
const PublishBody = Type.Object({
  note: Type.Optional(Type.String({ maxLength: 2_000, description: 'What is new.' })),
  label: Type.Optional(Type.String({ minLength: 1, maxLength: 60, description: 'Moves this label to it in the same act.' })), revision: Revision,
}, { additionalProperties: false, title: 'TemplatePublication' })
const LabelBody = Type.Object({ version: Type.Integer({ minimum: 1 }) }, { additionalProperties: false, title: 'TemplateLabel' })
const RenderBody = Type.Object({
  at: Type.Optional(Type.String({ minLength: 1, maxLength: 60, description: 'A label, a version, or `draft`. Default: as `template:<slug>` means it.' })),
  variables: Type.Optional(Parameters), prompt: Type.Optional(Type.String()), parameters: Type.Optional(Parameters),
  inputs: Type.Optional(Type.Array(PictureBody, { maxItems: 32 })),
}, { additionalProperties: false, title: 'TemplateRendering' })
const read = { create: reader(NewBody), change: reader(ChangeBody), publish: reader(PublishBody), label: reader(LabelBody), render: reader(RenderBody) }

const BodyView = Type.Object({
  ...bodyFields, variables: Type.Array(VariableBody), parameters: Parameters, locked: Type.Array(Type.String()),
  inputs: Type.Array(Type.Object({ asset: Id, role: Type.Enum([...roles]), mime: Type.String(), width: maybe(Type.Integer()), height: maybe(Type.Integer()), sha256: Type.String() }, { description: 'Of the mode of this key.' })),
})
const TemplateView = Type.Object({
  id: Id, object: Type.Literal('template'), slug: Type.String(), model: Type.String({ description: 'What an order says as its model.' }), name: Type.String(), description: Type.String(),
  revision: Type.Integer(), published: maybe(Type.Integer({ description: 'The newest version.' })), labels: Type.Record(Type.String(), Type.Integer()),
  draft: BodyView, created_at: Time, updated_at: Time,
}, { title: 'Template' })
const VersionView = Type.Object({ number: Type.Integer(), note: maybe(Type.String()), labels: Type.Array(Type.String()), created_at: Time, template: Type.Optional(BodyView) }, { title: 'TemplateVersion' })
const RenderView = Type.Object({
  object: Type.Literal('rendering'), template: StampView, prompt: Type.String(), variables: Parameters,
  inputs: Type.Array(Type.Object({ asset: Id, role: Type.Enum([...roles]) })), estimate: EstimateView,
}, { title: 'TemplateRendered' })

const readPictures = (inputs: (string | { asset: string; role?: InputReference['role'] })[] = []): InputReference[] => inputs.map((input, index) => {
  const { asset, role = 'reference' as const } = typeof input === 'string' ? { asset: input } : input
  if (!isId(asset)) throw new Problem('bad_input_image', `inputs[${index}]: there is no asset ${asset.slice(0, 100)}.`, { field: `inputs[${index}]`, value: asset.slice(0, 100) })
  return { assetId: asset.replaceAll('-', ''), role }
})
const readSource = ({ variables = [], parameters = {}, locked = [], inputs, ...rest }: Static<typeof Source>): TemplateSource =>
  ({ ...rest, variables, parameters: parameters as Record<string, Json>, locked, inputs: readPictures(inputs) }) as TemplateSource

const viewBody = ({ pictures, ...body }: TemplateBody, { caller }: Desk) =>
  ({ ...body, inputs: pictures.map(({ test, live, role, mime, width, height, sha256 }) => ({ asset: caller.livemode ? live : test, role, mime, width, height, sha256 })) })
const view = (template: Template, desk: Desk) => ({
  id: template.id, object: 'template' as const, slug: template.slug, model: `template:${template.slug}`, name: template.name, description: template.description, revision: template.revision,
  published: template.published, labels: template.labels, draft: viewBody(template.draft, desk), created_at: template.createdAt.toISOString(), updated_at: template.updatedAt.toISOString(),
})
const viewVersion = ({ number, note, labels, createdAt, body }: TemplateVersion, desk: Desk) =>
  ({ number, note, labels, created_at: createdAt.toISOString(), ...(body ? { template: viewBody(body, desk) } : {}) })

const slugIn = ({ params }: Pick<Incoming, 'params'>): string => params.slug ?? ''
const tag = 'Templates'

const create: Route = {
  method: 'POST', path: `${base}/templates`, scope: 'tasks:write',
  about: { tag, summary: 'Save a template as a draft', body: NewBody, answer: TemplateView, status: 201, description: 'It is sound before it is saved: its text, its parameters, and an order with values its variables may have.' },
  async handle({ body }, desk) {
    const { template, ...words } = read.create(body)
    return json(view(await desk.templates.create({ ...words, source: readSource(template) }), desk), 201)
  },
}

const TemplateQuery = Type.Object({ after: After, limit: Limit }, { additionalProperties: false })
const readQuery = queryReader(TemplateQuery)
const list: Route = {
  method: 'GET', path: `${base}/templates`, scope: 'tasks:read',
  about: { tag, summary: 'List templates, by slug', query: TemplateQuery, answer: PageView(TemplateView) },
  async handle({ query }, desk) {
    const { after, limit = limitDefault } = readQuery(query)
    return json(viewPage(await desk.templates.list({ after, limit }), template => view(template, desk)))
  },
}

const get: Route = {
  method: 'GET', path: `${base}/templates/:slug`, scope: 'tasks:read',
  about: { tag, summary: 'Get a template', answer: TemplateView },
  handle: async (request, desk) => json(view(found(await desk.templates.find(slugIn(request)), 'template', slugIn(request)), desk)),
}

const change: Route = {
  method: 'PATCH', path: `${base}/templates/:slug`, scope: 'tasks:write',
  about: { tag, summary: 'Change the draft', body: ChangeBody, answer: TemplateView, description: '`template` replaces the whole draft. What is published stays as it is.' },
  async handle(request, desk) {
    const { template, revision, ...words } = read.change(request.body)
    if (template === undefined && Object.keys(words).length === 0) throw new Problem('bad_request', 'Say what to change: name, description or template.', { field: 'template' })
    return json(view(await desk.templates.change(slugIn(request), { ...words, ...(template === undefined ? {} : { source: readSource(template) }) }, revision ?? null), desk))
  },
}

const remove: Route = {
  method: 'DELETE', path: `${base}/templates/:slug`, scope: 'admin',
  about: { tag, summary: 'Remove a template with all its versions', status: 204, description: 'Tasks keep what they say of it.' },
  async handle(request, desk) {
    await desk.templates.remove(slugIn(request))
    return new Response(null, { status: 204 })
  },
}

const publish: Route = {
  method: 'POST', path: `${base}/templates/:slug/publish`, scope: 'admin',
  about: { tag, summary: 'Publish the draft as the next version', body: PublishBody, answer: VersionView, description: 'A draft that says what the newest version says makes no new one.' },
  async handle(request, desk) {
    const { note = null, label = null, revision = null } = read.publish(request.body ?? {})
    return json(viewVersion(await desk.templates.publish(slugIn(request), { note, label, revision }), desk))
  },
}

const versions: Route = {
  method: 'GET', path: `${base}/templates/:slug/versions`, scope: 'tasks:read',
  about: { tag, summary: 'Versions, newest first', answer: ListView(VersionView) },
  handle: async (request, desk) => json(viewList(await desk.templates.versions(slugIn(request)), one => viewVersion(one, desk))),
}

const version: Route = {
  method: 'GET', path: `${base}/templates/:slug/versions/:number`, scope: 'tasks:read',
  about: { tag, summary: 'One version, with what it fixes', answer: VersionView },
  async handle(request, desk) {
    const number = request.params.number ?? ''
    return json(viewVersion(found(/^[1-9]\d{0,8}$/.test(number) ? await desk.templates.version(slugIn(request), Number(number)) : null, 'version', number), desk))
  },
}

const setLabel: Route = {
  method: 'PUT', path: `${base}/templates/:slug/labels/:label`, scope: 'admin',
  about: { tag, summary: 'Let a label stand for a version', body: LabelBody, answer: TemplateView, description: 'Counts for the next order that is read; `production` is what a bare `template:<slug>` means.' },
  async handle(request, desk) {
    return json(view(await desk.templates.setLabel(slugIn(request), request.params.label ?? '', read.label(request.body).version), desk))
  },
}

const removeLabel: Route = {
  method: 'DELETE', path: `${base}/templates/:slug/labels/:label`, scope: 'admin',
  about: { tag, summary: 'Take a label away', answer: TemplateView },
  handle: async (request, desk) => json(view(await desk.templates.removeLabel(slugIn(request), request.params.label ?? ''), desk)),
}

const render: Route = {
  method: 'POST', path: `${base}/templates/:slug/render`, scope: 'tasks:read',
  about: { tag, summary: 'See what an order of it would be', body: RenderBody, answer: RenderView, description: 'The prompt, parameters and pictures as they would be used, and the price. Buys nothing.' },
  async handle(request, desk) {
    const { at, variables, prompt = '', parameters = {}, inputs } = read.render(request.body ?? {})
    const name = slugIn(request)
    found(await desk.templates.find(name), 'template', name)
    const rendered = await desk.templates.render({
      model: `template:${name}${at === undefined ? '' : `@${at}`}`, prompt, parameters: parameters as Record<string, Json>, inputs: readPictures(inputs),
      ...(variables === undefined ? {} : { variables: variables as Record<string, Json> }),
    })
    return json({
      object: 'rendering', template: viewStamp(rendered.checked.template!), prompt: rendered.order.prompt, variables: rendered.values,
      inputs: rendered.order.inputs.map(({ assetId, role }) => ({ asset: assetId, role })), estimate: viewEstimate(rendered.checked),
    })
  },
}

export const templates: Route[] = [create, list, get, change, remove, publish, versions, version, setLabel, removeLabel, render]
