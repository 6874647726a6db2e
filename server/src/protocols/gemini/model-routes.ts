import { Problem } from '../../domain/problem.ts'
import { jsonResponse } from '../../kit/json-out.ts'
import type { Route } from '../contract.ts'
import { writeModel, writeModels } from './catalogue.ts'
import { tag, versions } from './versions.ts'

const list = (version: string): Route => ({
  method: 'GET', path: `/${version}/models`, scope: 'tasks:read',
  about: { tag, summary: 'Models, a page at a time' },
  handle: async ({ query }, desk) => jsonResponse(writeModels(desk.models.all(), query)),
})

/** A name may hold slashes; most do not, and other doors have the shorter address as well. */
const get = (version: string, rest: ':model' | '*'): Route => ({
  method: 'GET', path: `/${version}/models/${rest}`, scope: 'tasks:read',
  about: { tag, summary: 'One model' },
  async handle({ params }, desk) {
    const name = params.model ?? params['*'] ?? ''
    const found = name.length <= 200 ? await desk.models.find(name, 'gemini') : null
    if (!found) throw new Problem('unknown_model', `models/${name.slice(0, 100)} is not found. Call ListModels to see the list of available models.`, { field: 'name', value: name.slice(0, 100) })
    return jsonResponse(writeModel(found.card, name))
  },
})

export const modelRoutes: Route[] = versions.flatMap(version => [list(version), get(version, ':model'), get(version, '*')])
