/** Running a workflow from outside, without a key: whoever knows the address of its webhook runs it at the expense of its account. */
import { createHash } from 'node:crypto'
import { Type } from 'typebox'
import { isIdempotencyKey } from '../../domain/order.ts'
import { Problem } from '../../domain/problem.ts'
import { isId } from '../../kit/id.ts'
import { parseJson, readBytes } from '../../kit/json.ts'
import type { Desk, Incoming, Route } from '../contract.ts'
import { fieldsOf, namesOfInputs, pickInputs, withoutEmpty, type WireNode } from './graph.ts'
import { executionPath, json } from './view.ts'
import { no, noWorkflow } from './words.ts'

const tag = 'Wireflow'
/** Largest body a webhook takes. */
const hookBytesMax = 1_000_000

/** The workflow behind an address; a workflow's id is one only where its owner has said so (`webhookId`). */
async function theHook(hook: string, desk: Desk) {
  try {
    return await desk.workflows.hook(isId(hook) ? hook.replaceAll('-', '') : hook.slice(0, 200))
  } catch (thrown) {
    if (thrown instanceof Problem && thrown.code === 'not_found') throw noWorkflow()
    throw thrown
  }
}

async function fire(request: Incoming, desk: Desk): Promise<Response> {
  const name = request.params.workflow ?? ''
  const body = await readBytes(request.stream!, hookBytesMax)
  const values = parseJson(body) ?? {}
  const fields = fieldsOf(values)
  if (!fields) throw no('bad_request', 'The request body must be a JSON object', { code: 'invalid_request' })
  const { workflow } = await theHook(name, desk)
  const saved = fieldsOf(workflow.wire)
  const drawn = Array.isArray(saved?.nodes) ? saved.nodes as unknown as WireNode[] : []
  const key = request.headers['idempotency-key']
  if (key !== undefined && !isIdempotencyKey(key)) throw no('bad_request', 'Idempotency-Key must be 1 to 255 printable characters without spaces', { code: 'invalid_request' }, { field: 'Idempotency-Key' })
  const given = pickInputs(fields, namesOfInputs(workflow.graph, drawn), { isStrict: false })
  const graph = withoutEmpty(workflow.graph, given)
  const { execution, replayed } = await desk.workflows.fire(isId(name) ? name.replaceAll('-', '') : name, {
    body, signature: request.headers['x-signature-256'], values: given,
    ...(key === undefined ? {} : { idempotencyKey: `wireflow-${createHash('sha256').update(JSON.stringify([workflow.id, name, key])).digest('hex')}` }),
    more: { force: true, ...(graph === workflow.graph ? {} : { graph }), wire: { protocol: 'wireflow', triggerData: fields }, idempotencyBody: createHash('sha256').update(body).digest('hex'), ...(typeof saved?.webhookUrl === 'string' ? { callbackUrl: saved.webhookUrl } : {}) },
  })
  return json({ executionId: execution.id, status: 'queued', message: 'Workflow execution queued successfully' }, 202, { location: executionPath(execution.id), ...(replayed ? { 'idempotency-replayed': 'true' } : {}) })
}

const status = async (request: Incoming, desk: Desk): Promise<Response> => {
  const { workflow } = await theHook(request.params.workflow ?? '', desk)
  return json({ workflowId: workflow.id, name: workflow.name, isActive: workflow.active, message: 'Webhook is configured. Use POST to trigger execution.' })
}

const TriggerBody = Type.Record(Type.String(), Type.Unknown(), { description: 'Values by the ids of input nodes, their labels or the names on them; what fits nothing is left aside.' })

const at = (path: string): Route[] => [
  { method: 'POST', path, scope: null, body: 'stream', about: { tag, summary: 'Run a workflow by its webhook', description: 'Needs no key: `workflow` is the workflow’s `webhookId`. Takes an `Idempotency-Key`.', body: TriggerBody, status: 202 }, handle: fire },
  { method: 'GET', path, scope: null, about: { tag, summary: 'Ask whether a webhook is there' }, handle: status },
]

export const triggers: Route[] = [...at('/api/v1/workflow/:workflow/trigger'), ...at('/api/v1/workflows/:workflow/trigger')]
