import { Type, type Static } from 'typebox'
import { retiredChoices } from '../../domain/caller.ts'
import { reader } from '../../kit/schema.ts'
import type { Project, Route } from '../contract.ts'
import { base } from './read.ts'
import { Id, json, Time } from './view.ts'

const Choice = Type.Enum([...retiredChoices], { description: '`refuse`: an order for a retired model is refused. `replace`: its replacement makes it, and the task says so (`model`, `model_asked`, a warning, the header `x-model-replaced`).' })

const TemplatesOnly = Type.Boolean({ description: 'Whether an order has to name a template (`template:<slug>@<label>`) as its model. Others are refused with `forbidden`.' })

const ProjectView = Type.Object({ id: Id, object: Type.Literal('project'), name: Type.String(), retired_models: Choice, templates_only: TemplatesOnly, created_at: Time }, { title: 'Project' })

const viewProject = ({ id, name, retiredModels, templatesOnly, createdAt }: Project): Static<typeof ProjectView> => ({ id, object: 'project', name, retired_models: retiredModels, templates_only: templatesOnly, created_at: createdAt.toISOString() })

const ProjectBody = Type.Object({ retired_models: Type.Optional(Choice), templates_only: Type.Optional(TemplatesOnly) }, { additionalProperties: false, minProperties: 1, title: 'ProjectChange', examples: [{ retired_models: 'replace' }] })
const readBody = reader(ProjectBody)

const get: Route = {
  method: 'GET', path: `${base}/project`, scope: 'tasks:read',
  about: { summary: 'The project of this key', tag: 'Project', answer: ProjectView },
  handle: async (_request, desk) => json(viewProject(await desk.project.read())),
}

const change: Route = {
  method: 'PATCH', path: `${base}/project`, scope: 'admin',
  about: { summary: 'Change what the project has chosen', tag: 'Project', body: ProjectBody, answer: ProjectView, description: 'Takes effect with the next request. Who changed it is kept in the audit log.' },
  async handle({ body }, desk) {
    const { retired_models: retiredModels, templates_only: templatesOnly } = readBody(body)
    return json(viewProject(await desk.project.change({ ...retiredModels === undefined ? {} : { retiredModels }, ...templatesOnly === undefined ? {} : { templatesOnly } })))
  },
}

export const project: Route[] = [get, change]
