/**
 * The protocol's server over a workshop: tools, resources, progress, cancellation. The transport is somebody else's: HTTP in
 * `index.ts`, standard input and output in the command.
 *
 * Absent on purpose: state between requests, so that any process may answer any of them.
 */
import { Server } from '@modelcontextprotocol/sdk/server/index.js'
import {
  CallToolRequestSchema, ErrorCode, ListResourcesRequestSchema, ListResourceTemplatesRequestSchema, ListToolsRequestSchema, McpError, ReadResourceRequestSchema,
  type CallToolResult, type ProgressToken, type RequestId,
} from '@modelcontextprotocol/sdk/types.js'
import manifest from '../../../package.json' with { type: 'json' }
import type { Operation } from '../../domain/order.ts'
import type { Json } from '../../domain/outcome.ts'
import { asProblem } from '../../domain/problem.ts'
import { hasEnded } from '../../domain/task.ts'
import { inWordsOfTheCall, readCall, readDraft, readExecutionId, readTaskId } from './read.ts'
import { describe, writeBalance, writeEstimate, writeExecution, writeFailure, writeModels, writeTask, writeWorkflows } from './result.ts'
import { instructions, tools, waitDefaultS, type Tool } from './tools.ts'
import { shorten, type ExecutionView, type TaskView } from './views.ts'
import type { Draft, Workshop } from './workshop.ts'

export interface ServingOptions {
  /** Fires when nobody is there any more to answer. */
  gone: AbortSignal
  /** A tool call is over: answered, or cancelled and its last word said. */
  onCallEnd?: (requestId: RequestId) => void
  /** Something was thrown that nobody expected. */
  onBug?: (thrown: unknown) => void
}

/** How often somebody who asked for progress is told; each word also tells the client that we are alive. */
const progressEveryMs = 2_000
/** How long one look at a task waits for its end where nobody asked for progress. */
const lookMs = 20_000

const notFound = -32_002

interface Call {
  requestId: RequestId
  progressToken: ProgressToken | undefined
  /** Fires when the client cancelled this call, or has gone. */
  left: AbortSignal
}

export function createMcpServer(workshop: Workshop, { gone, onCallEnd, onBug }: ServingOptions): Server {
  const server = new Server(
    { name: 'plantain', title: 'Plantain', version: manifest.version },
    { capabilities: { tools: {}, resources: {}, logging: {} }, instructions },
  )

  /** Tells how a waiting call stands. A notification that does not arrive is no reason to fail. */
  const tellProgress = (task: TaskView, seconds: number, { progressToken, requestId, left }: Call): Promise<void> => {
    if (progressToken === undefined || left.aborted) return Promise.resolve()
    // Progress has to rise, and percent do not always: seconds do. Where the model tells percent, the total is what they promise.
    const total = task.progress ? { total: Math.max(seconds, Math.round(seconds * 100 / task.progress)) } : {}
    const message = `Task ${task.id} is ${task.state}${task.progress ? `, ${task.progress} %` : ''}.`
    return server.notification({ method: 'notifications/progress', params: { progressToken, progress: seconds, ...total, message } }, { relatedRequestId: requestId }).catch(() => {})
  }

  const waitFor = async (task: TaskView, waitS: number, call: Call): Promise<TaskView> => {
    const begun = performance.now()
    const seconds = () => Math.round(performance.now() - begun) / 1_000
    let now = task
    await tellProgress(now, seconds(), call)
    while (!hasEnded(now.state) && !call.left.aborted && seconds() < waitS) {
      const leftMs = Math.max(1, Math.ceil((waitS - seconds()) * 1_000))
      now = await workshop.settled(task.id, { waitMs: Math.min(leftMs, call.progressToken === undefined ? lookMs : progressEveryMs), signal: call.left })
      await tellProgress(now, seconds(), call)
    }
    return now
  }

  const waitForExecution = async (begun: ExecutionView, waitS: number, { left, progressToken, requestId }: Call): Promise<ExecutionView> => {
    const from = performance.now()
    const seconds = () => Math.round(performance.now() - from) / 1_000
    let now = begun
    while (now.state === 'running' && !left.aborted && seconds() < waitS) {
      const leftMs = Math.max(1, Math.ceil((waitS - seconds()) * 1_000))
      now = await workshop.execution(now.id, { waitMs: Math.min(leftMs, progressToken === undefined ? lookMs : progressEveryMs), signal: left })
      if (progressToken !== undefined && !left.aborted) {
        const message = `Execution ${now.id} is ${now.state}: ${Object.entries(now.runs).map(([state, count]) => `${count} ${state}`).join(', ')}.`
        await server.notification({ method: 'notifications/progress', params: { progressToken, progress: seconds(), message } }, { relatedRequestId: requestId }).catch(() => {})
      }
    }
    return now
  }

  /** The last word to a call that was left: the task goes on, and how to come back to it. */
  const sayItGoesOn = async (task: TaskView, { requestId }: Call): Promise<void> => {
    const data = hasEnded(task.state) ? describe(task).join('\n') : `The call was left, and task ${task.id} goes on. Call wait_for_task for its result, or cancel_task to stop it.`
    await server.notification({ method: 'notifications/message', params: { level: 'notice', logger: 'plantain', data } }, { relatedRequestId: requestId }).catch(() => {})
  }

  const order = async <T>(operation: Operation, args: Record<string, unknown>, use: (draft: Draft) => Promise<T>): Promise<T> => {
    const draft = await readDraft(operation, args, workshop)
    return use(draft).catch((thrown: unknown) => { throw inWordsOfTheCall(thrown, draft) })
  }

  const make = async (tool: Tool, args: Record<string, unknown>, call: Call): Promise<CallToolResult> => {
    const { task, replayed } = await order(tool.makes!, args, draft => workshop.submit(draft))
    const now = await waitFor(task, (args.wait_s ?? waitDefaultS) as number, call)
    if (call.left.aborted) {
      await workshop.unanswered(task.id)
      await sayItGoesOn(now, call)
    }
    return writeTask(now, workshop, { full: args.full === true, failureIsError: true, replayed })
  }

  const perform = async (tool: Tool, args: Record<string, unknown>, call: Call): Promise<CallToolResult> => {
    const full = args.full === true
    switch (tool.name) {
      case 'generate_image': case 'edit_image': case 'upscale_image': case 'remove_background': case 'generate_video': case 'write_text':
        return make(tool, args, call)
      case 'get_task':
        return writeTask(await workshop.find(readTaskId(args.task_id as string)), workshop, { full, failureIsError: false })
      case 'wait_for_task': {
        const task = await waitFor(await workshop.find(readTaskId(args.task_id as string)), (args.wait_s ?? waitDefaultS) as number, call)
        if (call.left.aborted) await sayItGoesOn(task, call)
        return writeTask(task, workshop, { full, failureIsError: true })
      }
      case 'cancel_task':
        return writeTask(await workshop.cancel(readTaskId(args.task_id as string)), workshop, { full, failureIsError: false })
      case 'list_models': {
        const asked = args as { model?: string; operation?: string; kind?: string }
        if (asked.model !== undefined) return writeModels([await workshop.model(asked.model)])
        const models = (await workshop.models()).filter(({ operations, kind }) => (!asked.operation || (operations as string[]).includes(asked.operation)) && (!asked.kind || kind === asked.kind))
        return writeModels(models.map(shorten))
      }
      case 'estimate':
        return writeEstimate(await order(args.operation as Operation, args, draft => workshop.estimate(draft)))
      case 'get_balance':
        return writeBalance(await workshop.balance())
      case 'list_workflows':
        return writeWorkflows(await workshop.workflows())
      case 'run_workflow': {
        const { workflow, inputs = {}, idempotency_key: idempotencyKey } = args as { workflow: string; inputs?: Record<string, Json>; idempotency_key?: string }
        const { execution, replayed } = await workshop.run({ workflow, inputs, ...(idempotencyKey === undefined ? {} : { idempotencyKey }) })
        return writeExecution(await waitForExecution(execution, (args.wait_s ?? waitDefaultS) as number, call), workshop, { full, replayed })
      }
      case 'get_execution': {
        const id = readExecutionId(args.execution_id as string)
        return writeExecution(await waitForExecution(await workshop.execution(id, { waitMs: 0, signal: call.left }), (args.wait_s ?? 0) as number, call), workshop, { full })
      }
    }
  }

  server.setRequestHandler(ListToolsRequestSchema, () => ({ tools: tools.map(({ makes: _makes, ...tool }) => tool) as never }))

  server.setRequestHandler(CallToolRequestSchema, async ({ params }, { signal, requestId, _meta }) => {
    const call: Call = { requestId, progressToken: _meta?.progressToken, left: AbortSignal.any([signal, gone]) }
    try {
      const read = readCall(params.name, params.arguments)
      if (!read) throw new McpError(ErrorCode.InvalidParams, `There is no tool "${params.name.slice(0, 100)}". There are ${tools.map(({ name }) => name).join(', ')}.`)
      return await perform(read.tool, read.args, call)
    } catch (thrown) {
      if (thrown instanceof McpError) throw thrown
      const problem = asProblem(thrown)
      if (problem.code === 'internal') onBug?.(thrown)
      return writeFailure(problem)
    } finally {
      onCallEnd?.(requestId)
    }
  })

  // Resources -----------------------------------------------------------------------------------------------------------

  const modelsResource = { uri: 'plantain://models', name: 'models', title: 'Models', description: 'What each model accepts, costs and lives through.', mimeType: 'application/json' }

  /** Problems as the protocol's own errors, where there is no tool to say them. */
  const asked = async <T>(answer: () => Promise<T>): Promise<T> => {
    try {
      return await answer()
    } catch (thrown) {
      if (thrown instanceof McpError) throw thrown
      const { code, message } = asProblem(thrown)
      if (code === 'internal') onBug?.(thrown)
      throw new McpError(code === 'internal' ? ErrorCode.InternalError : code === 'not_found' ? notFound : ErrorCode.InvalidParams, message, { code })
    }
  }

  server.setRequestHandler(ListResourcesRequestSchema, ({ params }) => asked(async () => {
    const { tasks, next } = await workshop.list({ after: params?.cursor, limit: 20 })
    const resources = tasks.map(({ id, prompt, operation, state }) => ({
      uri: `plantain://tasks/${id}`, name: `task ${id}`, title: prompt.slice(0, 80) || operation, description: `${operation}, ${state}`, mimeType: 'application/json',
    }))
    return { resources: params?.cursor === undefined ? [modelsResource, ...resources] : resources, ...(next === null ? {} : { nextCursor: next }) }
  }))

  server.setRequestHandler(ListResourceTemplatesRequestSchema, () => ({
    resourceTemplates: [{ uriTemplate: 'plantain://tasks/{id}', name: 'task', title: 'A task', description: 'How a task stands, what it made and what it cost.', mimeType: 'application/json' }],
  }))

  server.setRequestHandler(ReadResourceRequestSchema, ({ params: { uri } }) => asked(async () => {
    const show = (value: unknown) => ({ contents: [{ uri, mimeType: 'application/json', text: JSON.stringify(value) }] })
    if (uri === modelsResource.uri) return show({ models: await workshop.models() })
    if (uri.startsWith('plantain://tasks/')) return show(await workshop.find(readTaskId(uri)))
    throw new McpError(notFound, `There is no resource "${uri.slice(0, 100)}". There are plantain://models and plantain://tasks/{id}.`)
  }))

  return server
}
