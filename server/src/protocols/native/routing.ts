import { Type } from 'typebox'
import type { Static } from 'typebox'
import type { Alias, ProviderStanding, SetRoute } from '../../domain/routing.ts'
import { reader } from '../../kit/schema.ts'
import type { RoutedModel, Route } from '../contract.ts'
import { base } from './read.ts'
import { json, ListView, viewList } from './view.ts'

const Name = Type.String({ minLength: 1, maxLength: 200 })
const Whole = Type.Integer({ minimum: 0, maximum: 1_000 })
const Time = Type.String({ format: 'date-time' })
const maybe = <S extends Parameters<typeof Type.Union>[0][number]>(schema: S) => Type.Union([schema, Type.Null()])

const RoutesBody = Type.Object({
  routes: Type.Array(Type.Object({
    provider: Type.String({ minLength: 1, maxLength: 100, description: 'The id of a provider.' }),
    model: Type.String({ minLength: 1, maxLength: 200, description: 'What the model is called there.' }),
    order: Type.Optional(Type.Integer({ minimum: 0, maximum: 1_000, description: 'Lower ones come first. Default: the place in this list.' })),
    weight: Type.Optional(Type.Integer({ minimum: 0, maximum: 1_000, description: 'Share of the traffic among routes of the same order; 0 is a last resort. Default 1.' })),
    enabled: Type.Optional(Type.Boolean({ description: 'Default true.' })),
  }, { additionalProperties: false }), { minItems: 1, maxItems: 16 }),
}, {
  additionalProperties: false, title: 'NewRoutes',
  examples: [{ routes: [{ provider: 'gemini', model: 'gemini-3-pro-image', order: 1, weight: 9 }, { provider: 'kie', model: 'nano-banana-pro', order: 1, weight: 1 }] }],
})
const readRoutes = reader(RoutesBody)

const RoutesView = Type.Object({
  object: Type.Literal('model_routes'), model: Type.String(),
  source: Type.Enum(['card', 'operator'], { description: 'Whose word these routes are.' }), changed_at: maybe(Time),
  routes: Type.Array(Type.Object({
    provider: Type.String(), model: Type.String(), order: Whole, weight: Whole, enabled: Type.Boolean(),
    configured: Type.Boolean({ description: 'Whether the provider is set up on this server.' }),
    standing: Type.Enum(['ready', 'busy', 'down'], { description: '`busy`: it asked to be left alone. `down`: it failed again and again.' }), until: maybe(Time),
  })),
}, { title: 'ModelRoutes' })

const viewRoutes = ({ model, source, changedAt, routes }: RoutedModel): Static<typeof RoutesView> => ({
  object: 'model_routes', model, source, changed_at: changedAt?.toISOString() ?? null,
  routes: routes.map(({ until, ...route }) => ({ ...route, until: until?.toISOString() ?? null })),
})

const AliasView = Type.Object({ object: Type.Literal('alias'), name: Type.String(), model: Type.String(), changed_at: Time }, { title: 'Alias' })
const viewAlias = ({ name, model, changedAt }: Alias): Static<typeof AliasView> => ({ object: 'alias', name, model, changed_at: changedAt.toISOString() })

const ProviderView = Type.Object({
  object: Type.Literal('provider'), id: Type.String(), configured: Type.Boolean(), missing: Type.Array(Type.String(), { description: 'Settings that would set it up.' }),
  state: Type.Enum(['closed', 'open', 'half_open'], { description: 'Its circuit breaker: `open` is left alone until `open_until`, `half_open` is being asked once.' }),
  failures: Type.Integer({ description: 'In a row.' }), open_until: maybe(Time), paused_until: maybe(Time),
}, { title: 'Provider' })
const viewProvider = ({ provider, configured, missing, state, failures, openUntil, pausedUntil }: ProviderStanding): Static<typeof ProviderView> =>
  ({ object: 'provider', id: provider, configured, missing, state, failures, open_until: openUntil?.toISOString() ?? null, paused_until: pausedUntil?.toISOString() ?? null })

const tag = 'Routing'
const description = 'For keys with the scope `operator`.'
const changing = 'For live keys with the scope `operator`. Takes effect here at once, in other processes within a second; queued work follows, work in the making stays where it is.'

const list: Route = {
  method: 'GET', path: `${base}/routing/models`, scope: 'operator',
  about: { summary: 'List the routes of every model', tag, answer: ListView(RoutesView), description },
  handle: async (_request, desk) => json(viewList(desk.routing.models(), viewRoutes)),
}

const get: Route = {
  method: 'GET', path: `${base}/routing/models/:model`, scope: 'operator',
  about: { summary: 'Get the routes of a model', tag, answer: RoutesView, description },
  handle: async ({ params }, desk) => json(viewRoutes(desk.routing.model(params.model!))),
}

const set: Route = {
  method: 'PUT', path: `${base}/routing/models/:model`, scope: 'operator',
  about: { summary: 'Set the routes of a model', tag, body: RoutesBody, answer: RoutesView, description: `Takes the place of every route it has. ${changing}` },
  async handle({ params, body }, desk) {
    const routes = readRoutes(body).routes.map(({ provider, model, order, weight, enabled }, index): SetRoute => ({ provider, model, order: order ?? index + 1, weight: weight ?? 1, enabled: enabled ?? true }))
    return json(viewRoutes(await desk.routing.setRoutes(params.model!, routes)))
  },
}

const reset: Route = {
  method: 'DELETE', path: `${base}/routing/models/:model`, scope: 'operator',
  about: { summary: 'Give a model the routes of its card again', tag, answer: RoutesView, description: changing },
  handle: async ({ params }, desk) => json(viewRoutes(await desk.routing.resetRoutes(params.model!))),
}

const listAliases: Route = {
  method: 'GET', path: `${base}/routing/aliases`, scope: 'operator',
  about: { summary: 'List aliases', tag, answer: ListView(AliasView), description },
  handle: async (_request, desk) => json(viewList(await desk.routing.aliases(), viewAlias)),
}

const AliasBody = Type.Object({ model: Name }, { additionalProperties: false, title: 'NewAlias', examples: [{ model: 'nano-banana-pro' }] })
const readAlias = reader(AliasBody)

const setAlias: Route = {
  method: 'PUT', path: `${base}/routing/aliases/:name`, scope: 'operator',
  about: { summary: 'Set an alias', tag, body: AliasBody, answer: AliasView, description: `A name of yours for a model, taken at every door. It never hides a name that a model has itself. ${changing}` },
  handle: async ({ params, body }, desk) => json(viewAlias(await desk.routing.setAlias(params.name!, readAlias(body).model))),
}

const removeAlias: Route = {
  method: 'DELETE', path: `${base}/routing/aliases/:name`, scope: 'operator',
  about: { summary: 'Remove an alias', tag, status: 204, description: changing },
  async handle({ params }, desk) {
    await desk.routing.removeAlias(params.name!)
    return new Response(null, { status: 204 })
  },
}

const providers: Route = {
  method: 'GET', path: `${base}/routing/providers`, scope: 'operator',
  about: { summary: 'List providers and how they stand', tag, answer: ListView(ProviderView), description },
  handle: async (_request, desk) => json(viewList(desk.routing.providers(), viewProvider)),
}

export const routing: Route[] = [list, get, set, reset, listAliases, setAlias, removeAlias, providers]
