/**
 * The description of all doors (OpenAPI 3.1), made from their routes: what the schema checks is what the page says.
 *
 * Pure. Our own door is described in full; another's routes are listed with their summaries, because its dialect is described by
 * the one who speaks it. Where several doors share an address, the first is described and the others are named.
 */
import type { TSchema } from 'typebox'
import { problems } from '../domain/problem.ts'
import type { Protocol, Route } from '../protocols/contract.ts'

type Json = null | boolean | number | string | Json[] | { [key: string]: Json }
type Node = { [key: string]: Json }

export function describe(protocols: Protocol[], { version }: { version: string }): Node {
  const schemas: Record<string, Json> = {}
  const paths: Record<string, Node> = {}
  const written = new Map<string, string>()
  const named = (schema: TSchema) => hoist(JSON.parse(JSON.stringify(schema)) as Json, schemas)
  const doors = [...protocols].sort((a, b) => rank(a) - rank(b) || (a.id < b.id ? -1 : 1))
  for (const door of doors) {
    for (const route of door.routes) {
      // Two paths that differ only in what they call their parts may not both stand in a description.
      const shape = writePath(route.path).replace(/\{[^}]+\}/g, '{}')
      const path = written.get(shape) ?? writePath(route.path)
      written.set(shape, path)
      const place = paths[path] ??= {}
      const method = route.method.toLowerCase()
      const there = place[method] as Node | undefined
      if (there) there.description = [there.description, alsoHere(door, route)].filter(part => part !== undefined).join('\n\n')
      else place[method] = operation(door, route, path, named)
    }
  }
  const tags = [...new Set(doors.flatMap(door => door.routes.map(route => tagOf(door, route))))]
  return {
    openapi: '3.1.0',
    info: {
      title: 'Plantain', version,
      description: 'Making and editing pictures, durably. Send `Authorization: Bearer <key>`. A `sk-test-…` key makes everything for free on the built-in sandbox model; a `sk-live-…` key reaches the real providers. Every answer carries `X-Request-Id`.',
    },
    servers: [{ url: '/' }],
    security: [{ key: [] }],
    tags: tags.map(name => ({ name })),
    paths,
    components: {
      securitySchemes: { key: { type: 'http', scheme: 'bearer', description: 'A key of this server.' } },
      schemas: Object.fromEntries(Object.entries(schemas).sort(([a], [b]) => a < b ? -1 : 1)),
      responses: { Problem: { description: 'What went wrong, in one sentence, with the field that is wrong where there is one.', content: { 'application/json': { schema: errorSchema() } } } },
    },
    'x-problems': Object.entries(problems).map(([code, { status, again, charge }]) => ({ code, status, again, charge })),
  }
}

const rank = ({ id }: Protocol) => id === 'native' ? 0 : 1

const tagOf = (door: Protocol, route: Route) => door.id === 'native' ? route.about?.tag ?? 'More' : door.title

const alsoHere = (door: Protocol, { about }: Route): string =>
  `Also an address of ${door.title}${about ? ` (${about.summary})` : ''}: the dialect is told by the headers of the request.`

function operation(door: Protocol, route: Route, path: string, named: (schema: TSchema) => Json): Node {
  const { about } = route
  const names = [...path.matchAll(/\{([^}]+)\}/g)].map(match => match[1]!)
  const query = about?.query as { properties?: Record<string, TSchema & { description?: string }>; required?: string[] } | undefined
  const parameters: Json[] = [
    ...names.map(name => ({ name, in: 'path', required: true, schema: { type: 'string' } })),
    ...Object.entries(query?.properties ?? {}).map(([name, schema]) => {
      const { description, ...rest } = JSON.parse(JSON.stringify(schema)) as Node
      return {
        name, in: 'query', ...(description === undefined ? {} : { description }), ...(query?.required?.includes(name) ? { required: true } : {}),
        ...((rest as { type?: Json }).type === 'object' ? { style: 'deepObject', explode: true } : {}), schema: rest,
      }
    }),
  ]
  const status = String(about?.status ?? 200)
  return {
    operationId: writeOperationId(door, route),
    summary: about?.summary ?? `${route.method} ${route.path}`,
    ...(about?.description === undefined ? {} : { description: about.description }),
    tags: [tagOf(door, route)],
    ...(parameters.length > 0 ? { parameters } : {}),
    ...(about?.body === undefined ? {} : { requestBody: { content: { 'application/json': { schema: named(about.body) } } } }),
    responses: {
      [status]: { description: 'As asked.', ...(about?.answer === undefined ? {} : { content: { 'application/json': { schema: named(about.answer) } } }) },
      ...(door.id === 'native' ? { default: { $ref: '#/components/responses/Problem' } } : {}),
    },
    ...(route.scope === null ? { security: [] } : { 'x-scope': route.scope }),
  }
}

/** `/tasks/:id` as `/tasks/{id}`; the rest of a path (`*`) is called `path`. */
const writePath = (path: string): string =>
  path.replace(/::|:([A-Za-z0-9_]+)|\*/g, (part, name: string | undefined) => part === '::' ? ':' : part === '*' ? '{path}' : `{${name}}`)

function writeOperationId(door: Protocol, route: Route): string {
  const words = writePath(route.path).replace(/^\/plantain\/v1/, '').split(/[^A-Za-z0-9]+/).filter(word => word !== '')
  const id = route.method.toLowerCase() + words.map(word => word[0]!.toUpperCase() + word.slice(1)).join('')
  return door.id === 'native' ? id : `${door.id}.${id}`
}

/** Moves schemas that have a title of one word under `components`, so that each is told once. */
function hoist(value: Json, schemas: Record<string, Json>): Json {
  if (Array.isArray(value)) return value.map(item => hoist(item, schemas))
  if (typeof value !== 'object' || value === null) return value
  const { title, ...rest } = value
  const inner = Object.fromEntries(Object.entries(rest).map(([key, item]) => [key, hoist(item, schemas)]))
  if (typeof title !== 'string' || !('type' in value || 'anyOf' in value || 'allOf' in value) || !/^[A-Z][A-Za-z]+$/.test(title)) {
    return title === undefined ? inner : { title: hoist(title, schemas), ...inner }
  }
  const known = schemas[title]
  if (known !== undefined && JSON.stringify(known) !== JSON.stringify(inner)) throw new Error(`Two schemas are called ${title}. Give one another title.`)
  schemas[title] = inner
  return { $ref: `#/components/schemas/${title}` }
}

const errorSchema = (): Json => ({
  type: 'object', required: ['error'],
  properties: { error: {
    allOf: [{ $ref: '#/components/schemas/Problem' }, { type: 'object', required: ['request_id'], properties: { request_id: { type: 'string', description: 'Also in X-Request-Id; name it when you ask for help.' }, doc: { type: 'string' } } }],
  } },
})
