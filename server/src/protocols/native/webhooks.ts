import { Type } from 'typebox'
import { batchEvents } from '../../domain/batch.ts'
import { reader, queryReader } from '../../kit/schema.ts'
import type { Desk, Route } from '../contract.ts'
import { After, base, found, Limit, limitDefault, readAfter, readFilterId, readId } from './read.ts'
import { DeliveryView, EndpointView, json, ListView, PageView, viewDelivery, viewEndpoint, viewList, viewPage } from './view.ts'

const Url = Type.String({ minLength: 1, maxLength: 2_048, description: 'https (http too, where private addresses are allowed).' })
const endEvents = ['task.completed', 'task.failed', 'task.cancelled']
const events = [...endEvents, 'task.late_result', 'execution.completed', 'execution.failed', 'execution.cancelled', 'review.requested', ...batchEvents]
const Events = Type.Array(Type.Enum([...events]), { minItems: 1, maxItems: events.length, description: 'Which events to tell. Default: the three of which each ends a task. `task.late_result`: something came for a task that had ended without it.' })

const EndpointBody = Type.Object({ url: Url, events: Type.Optional(Events) }, { additionalProperties: false, title: 'NewWebhook', examples: [{ url: 'https://example.com/plantain', events: ['task.completed', 'task.failed'] }] })
const EndpointChange = Type.Object({ url: Type.Optional(Url), events: Type.Optional(Events), enabled: Type.Optional(Type.Boolean()) }, { additionalProperties: false, minProperties: 1, examples: [{ enabled: false }] })
const RotateBody = Type.Object({ overlap_hours: Type.Optional(Type.Integer({ minimum: 0, maximum: 168, description: 'How long the old secret signs as well. Default 24.' })) }, { additionalProperties: false })
const readEndpoint = reader(EndpointBody)
const readChange = reader(EndpointChange)
const readRotate = reader(RotateBody)

const create: Route = {
  method: 'POST', path: `${base}/webhooks`, scope: 'webhooks:write',
  about: { summary: 'Register a webhook', tag: 'Webhooks', body: EndpointBody, answer: EndpointView, status: 201, description: 'Called for every task of the project. Signed after Standard Webhooks; `secret` is shown here and at rotation only.' },
  async handle({ body }, desk) {
    const { url, events: wanted = endEvents } = readEndpoint(body)
    return json(viewEndpoint(await desk.webhooks.create({ url, events: [...new Set(wanted)] })), 201)
  },
}

const list: Route = {
  method: 'GET', path: `${base}/webhooks`, scope: 'webhooks:write',
  about: { summary: 'List webhooks', tag: 'Webhooks', answer: ListView(EndpointView) },
  handle: async (_request, desk) => json(viewList(await desk.webhooks.list(), viewEndpoint)),
}

const get: Route = {
  method: 'GET', path: `${base}/webhooks/:id`, scope: 'webhooks:write',
  about: { summary: 'Get a webhook', tag: 'Webhooks', answer: EndpointView },
  async handle(request, desk) {
    const id = readId(request, 'webhook')
    return json(viewEndpoint(found(await desk.webhooks.find(id), 'webhook', id)))
  },
}

const change: Route = {
  method: 'PATCH', path: `${base}/webhooks/:id`, scope: 'webhooks:write',
  about: { summary: 'Change a webhook', tag: 'Webhooks', body: EndpointChange, answer: EndpointView },
  async handle(request, desk) {
    const { url, events: wanted, enabled } = readChange(request.body)
    return json(viewEndpoint(await desk.webhooks.change(readId(request, 'webhook'), {
      ...(url === undefined ? {} : { url }), ...(wanted === undefined ? {} : { events: [...new Set(wanted)] }), ...(enabled === undefined ? {} : { enabled }),
    })))
  },
}

const remove: Route = {
  method: 'DELETE', path: `${base}/webhooks/:id`, scope: 'webhooks:write',
  about: { summary: 'Remove a webhook', tag: 'Webhooks', status: 204 },
  async handle(request, desk) {
    await desk.webhooks.remove(readId(request, 'webhook'))
    return new Response(null, { status: 204 })
  },
}

const rotate: Route = {
  method: 'POST', path: `${base}/webhooks/:id/rotate`, scope: 'webhooks:write',
  about: { summary: 'Give a webhook a new secret', tag: 'Webhooks', body: RotateBody, answer: EndpointView, description: 'Both secrets sign during the overlap, so that nothing is missed while you change it.' },
  async handle(request, desk) {
    const { overlap_hours = 24 } = readRotate(request.body ?? {})
    return json(viewEndpoint(await desk.webhooks.rotate(readId(request, 'webhook'), overlap_hours)))
  },
}

const ping: Route = {
  method: 'POST', path: `${base}/webhooks/:id/ping`, scope: 'webhooks:write',
  about: { summary: 'Send a test event', tag: 'Webhooks', answer: DeliveryView, status: 202, description: 'The delivery tells what came of it.' },
  handle: async (request, desk) => json(viewDelivery(await desk.webhooks.ping(readId(request, 'webhook'))), 202),
}

const KieKeyView = Type.Object({ object: Type.Literal('kie_key'), created_at: Type.Union([Type.String({ format: 'date-time' }), Type.Null()]), key: Type.Optional(Type.String()) })

const getKieKey: Route = {
  method: 'GET', path: `${base}/webhooks/kie-key`, scope: 'webhooks:write',
  about: { summary: 'Whether there is a key for Kie\'s webhook signature', tag: 'Webhooks', answer: KieKeyView },
  handle: async (_request, desk) => json({ object: 'kie_key', created_at: (await desk.webhooks.kieKey())?.created.toISOString() ?? null }),
}

const rotateKieKey: Route = {
  method: 'POST', path: `${base}/webhooks/kie-key`, scope: 'webhooks:write',
  about: { summary: 'Make a key for Kie\'s webhook signature', tag: 'Webhooks', answer: KieKeyView, status: 201, description: 'Signs the call backs of tasks that were ordered in Kie\'s dialect. Shown once; replaces the one before.' },
  async handle(_request, desk) {
    const key = await desk.webhooks.rotateKieKey()
    return json({ object: 'kie_key', created_at: (await desk.webhooks.kieKey())?.created.toISOString() ?? desk.now().toISOString(), key }, 201)
  },
}

const CallbackSecretView = Type.Object({ object: Type.Literal('callback_secret'), secret: Type.String({ description: 'A Standard Webhooks secret (`whsec_…`).' }), publish_secret: Type.String({ description: 'The same for pictures a workflow publishes to an address. It changes with `secret`, at once.' }) })
const viewCallbackSecret = async (secret: string, desk: Desk) => json({ object: 'callback_secret', secret, publish_secret: await desk.webhooks.publishSecret() })

const getCallbackSecret: Route = {
  method: 'GET', path: `${base}/webhooks/callback-secret`, scope: 'webhooks:write',
  about: { summary: 'The secret that verifies call backs', tag: 'Webhooks', answer: CallbackSecretView, description: 'Signs what goes to the `callback_url` of a task, after Standard Webhooks. One for the project\'s test keys, another for its live keys.' },
  handle: async (_request, desk) => viewCallbackSecret(await desk.webhooks.callbackSecret(), desk),
}

const rotateCallbackSecret: Route = {
  method: 'POST', path: `${base}/webhooks/callback-secret/rotate`, scope: 'webhooks:write',
  about: { summary: 'Replace the secret that verifies call backs', tag: 'Webhooks', body: RotateBody, answer: CallbackSecretView, description: 'Both secrets sign during the overlap, so that nothing is missed while you change it.' },
  async handle({ body }, desk) {
    const { overlap_hours = 24 } = readRotate(body ?? {})
    return viewCallbackSecret(await desk.webhooks.rotateCallbackSecret(overlap_hours), desk)
  },
}

const HouseSignatureView = Type.Object({ object: Type.Literal('house_signature'), enabled: Type.Boolean(), algorithm: Type.Literal('Ed25519'), jwks_url: Type.String({ format: 'uri' }) })
const HouseSignatureBody = Type.Object({ enabled: Type.Boolean() }, { additionalProperties: false, examples: [{ enabled: true }] })
const readHouseSignature = reader(HouseSignatureBody)
const viewHouseSignature = (enabled: boolean, { publicUrl }: { publicUrl: string }) => ({ object: 'house_signature', enabled, algorithm: 'Ed25519', jwks_url: `${publicUrl}/.well-known/jwks.json` })

const getHouseSignature: Route = {
  method: 'GET', path: `${base}/webhooks/house-signature`, scope: 'webhooks:write',
  about: { summary: 'Whether messages carry a public-key signature', tag: 'Webhooks', answer: HouseSignatureView },
  handle: async (_request, desk) => json(viewHouseSignature(await desk.webhooks.houseSignature(), desk)),
}

const changeHouseSignature: Route = {
  method: 'PATCH', path: `${base}/webhooks/house-signature`, scope: 'webhooks:write',
  about: {
    summary: 'Ask for a public-key signature on every message', tag: 'Webhooks', body: HouseSignatureBody, answer: HouseSignatureView,
    description: 'Adds `v1a,<Ed25519>` to `webhook-signature`, beside the `v1` of your secret and over the same `id.timestamp.body`. The keys that verify it are public, at `/.well-known/jwks.json`, so a receiver needs no secret of its own.',
  },
  handle: async ({ body }, desk) => json(viewHouseSignature(await desk.webhooks.changeHouseSignature(readHouseSignature(body).enabled), desk)),
}

const DeliveryQuery = Type.Object({
  after: After, limit: Limit,
  webhook: Type.Optional(Type.String()), task: Type.Optional(Type.String()),
  state: Type.Optional(Type.Enum(['pending', 'delivered', 'parked'])),
}, { additionalProperties: false })
const readDeliveryQuery = queryReader(DeliveryQuery)

const listDeliveries: Route = {
  method: 'GET', path: `${base}/deliveries`, scope: 'webhooks:write',
  about: { summary: 'List deliveries, newest first', tag: 'Webhooks', query: DeliveryQuery, answer: PageView(DeliveryView) },
  async handle({ query }, desk) {
    const { after, limit, webhook, task, state } = readDeliveryQuery(query)
    const page = await desk.webhooks.deliveries({
      after: readAfter(after), limit: limit ?? limitDefault, endpointId: readFilterId(webhook, 'webhook'), taskId: readFilterId(task, 'task'), state,
    })
    return json(viewPage(page, viewDelivery))
  },
}

const getDelivery: Route = {
  method: 'GET', path: `${base}/deliveries/:id`, scope: 'webhooks:write',
  about: { summary: 'Get a delivery with its log', tag: 'Webhooks', answer: DeliveryView },
  async handle(request, desk) {
    const id = readId(request, 'delivery')
    return json(viewDelivery(found(await desk.webhooks.delivery(id), 'delivery', id)))
  },
}

const redeliver: Route = {
  method: 'POST', path: `${base}/deliveries/:id/redeliver`, scope: 'webhooks:write',
  about: { summary: 'Deliver once more', tag: 'Webhooks', answer: DeliveryView, status: 202 },
  handle: async (request, desk) => json(viewDelivery(await desk.webhooks.redeliver(readId(request, 'delivery'))), 202),
}

export const webhooks: Route[] = [create, list, getCallbackSecret, rotateCallbackSecret, getHouseSignature, changeHouseSignature, getKieKey, rotateKieKey, get, change, remove, rotate, ping, listDeliveries, getDelivery, redeliver]
