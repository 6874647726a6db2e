import { Type } from 'typebox'
import { scopes } from '../../domain/caller.ts'
import { Problem } from '../../domain/problem.ts'
import { reader, readInstant } from '../../kit/schema.ts'
import type { Route } from '../contract.ts'
import { base, readId } from './read.ts'
import { json, KeyView, ListView, viewKey, viewList } from './view.ts'

const Cap = Type.Optional(Type.Integer({ minimum: 1, maximum: 2_147_483_647 }))

const KeyBody = Type.Object({
  name: Type.String({ minLength: 1, maxLength: 100 }),
  livemode: Type.Optional(Type.Boolean({ description: 'Default: as the key that asks. A test key makes test keys only.' })),
  scopes: Type.Optional(Type.Array(Type.Enum([...scopes]), { minItems: 1, maxItems: scopes.length, description: 'Default: making tasks and assets, and reading everything they need.' })),
  expires_at: Type.Optional(Type.String({ description: 'A time in the future. Default: never.' })),
  requests_per_minute: Cap, executions_per_day: Cap, concurrent: Cap,
}, { additionalProperties: false, title: 'NewKey', examples: [{ name: 'Web shop', scopes: ['tasks:read', 'tasks:write'], requests_per_minute: 600 }] })

const readBody = reader(KeyBody)

const create: Route = {
  method: 'POST', path: `${base}/keys`, scope: 'admin',
  about: { summary: 'Make a key', tag: 'Keys', body: KeyBody, answer: KeyView, status: 201, description: 'The secret is in this answer and nowhere else: we keep its hash.' },
  async handle({ body }, desk) {
    const { name, livemode = desk.caller.livemode, expires_at, requests_per_minute, executions_per_day, concurrent, ...wire } = readBody(body)
    if (livemode && !desk.caller.livemode) throw new Problem('forbidden', 'A test key can make test keys only. Ask with a live key.', { field: 'livemode', value: true, allowed: [false] })
    const expiresAt = expires_at === undefined ? null : readInstant(expires_at, 'expires_at')
    if (expiresAt && expiresAt <= desk.now()) throw new Problem('bad_request', 'expires_at must be in the future.', { field: 'expires_at', value: expires_at })
    const { key, secret } = await desk.keys.create({
      name, livemode, expiresAt,
      scopes: wire.scopes ?? ['tasks:read', 'tasks:write', 'assets:read', 'assets:write', 'usage:read'],
      limits: { requestsPerMinute: requests_per_minute ?? null, executionsPerDay: executions_per_day ?? null, concurrent: concurrent ?? null },
    })
    return json(viewKey(key, secret), 201)
  },
}

const list: Route = {
  method: 'GET', path: `${base}/keys`, scope: 'admin',
  about: { summary: 'List keys', tag: 'Keys', answer: ListView(KeyView) },
  handle: async (_request, desk) => json(viewList(await desk.keys.list(), key => viewKey(key))),
}

const revoke: Route = {
  method: 'POST', path: `${base}/keys/:id/revoke`, scope: 'admin',
  about: { summary: 'Revoke a key', tag: 'Keys', answer: KeyView, description: 'At once and for good.' },
  handle: async (request, desk) => json(viewKey(await desk.keys.revoke(readId(request, 'key')))),
}

export const keys: Route[] = [create, list, revoke]
