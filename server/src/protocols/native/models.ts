import { Type } from 'typebox'
import { kinds } from '../../domain/card.ts'
import { operations } from '../../domain/order.ts'
import { Problem } from '../../domain/problem.ts'
import { queryReader } from '../../kit/schema.ts'
import type { Route } from '../contract.ts'
import { base } from './read.ts'
import { json, ListView, ModelView, viewList, viewModel } from './view.ts'

const ModelQuery = Type.Object({
  operation: Type.Optional(Type.Enum([...operations])),
  kind: Type.Optional(Type.Enum([...kinds])),
  family: Type.Optional(Type.String({ maxLength: 100 })),
  life: Type.Optional(Type.Enum(['active', 'deprecated', 'retired'])),
  configured: Type.Optional(Type.Enum(['true', 'false'], { description: '`true`: only models a live key can have made here.' })),
}, { additionalProperties: false })
const readQuery = queryReader(ModelQuery)

const list: Route = {
  method: 'GET', path: `${base}/models`, scope: 'tasks:read',
  about: { summary: 'List models', tag: 'Models', query: ModelQuery, answer: ListView(ModelView), description: 'What each accepts, costs and lives through.' },
  async handle({ query }, desk) {
    const { operation, kind, family, life, configured } = readQuery(query)
    const cards = desk.models.all().filter(card => (!operation || card.operations.includes(operation)) && (!kind || card.kind === kind) && (!family || card.family === family)
      && (!life || card.life.state === life) && (!configured || desk.models.isConfigured(card) === (configured === 'true')))
    return json(viewList(cards, card => viewModel(card, desk)))
  },
}

const get: Route = {
  // A name may hold slashes (`google/nano-banana`).
  method: 'GET', path: `${base}/models/*`, scope: 'tasks:read',
  about: { summary: 'Get a model, by any of its names', tag: 'Models', answer: ModelView },
  async handle({ params }, desk) {
    const name = params['*'] ?? ''
    const model = await desk.models.find(name)
    if (!model) throw new Problem('unknown_model', `There is no model "${name.slice(0, 100)}". GET ${base}/models lists them.`, { field: 'model', value: name.slice(0, 100) })
    return json(viewModel(model.card, desk))
  },
}

export const models: Route[] = [list, get]
