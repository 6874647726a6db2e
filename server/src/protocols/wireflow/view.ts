/**
 * Executions as Wireflow shows them: every shape its clients read, at the root and again under `data`.
 *
 * A queued execution is `RUNNING`, since none of its clients knows another word before the end. What is charged is shown in whole credits,
 * rounded up; `costMicros` beside it is exact.
 */
import type { Execution, NodeRun } from '../../domain/graph/execution.ts'
import type { Graph, GraphNode, Media } from '../../domain/graph/graph.ts'
import { isMedia, mediaIn, type Values } from '../../domain/graph/values.ts'
import type { Json } from '../../domain/outcome.ts'
import type { State, Task } from '../../domain/task.ts'
import type { Asset } from '../../domain/asset.ts'
import type { Desk } from '../contract.ts'
import { isHidden } from './graph.ts'
import { creditsOf } from './words.ts'

/** How long links to results are good. Whoever polls again gets new ones. */
const linkSeconds = 7 * 86_400
/** Runs that are looked at; an execution of more shows how these stand. */
const runsMax = 5_000
/** Tasks that are asked how far they are. */
const progressMax = 20

export const json = (body: unknown, status = 200, headers: Record<string, string> = {}): Response => Response.json(body, { status, headers })
/** Members at the root and again under `data`. */
export const both = <T extends object>(members: T): T & { data: T } => ({ ...members, data: members })

export const executionPath = (id: string): string => `/api/v1/workflows/executions/${id}/poll`

const stateOf = ({ state }: Pick<Execution, 'state'>): string => state === 'done' ? 'COMPLETED' : state === 'failed' ? 'FAILED' : state === 'cancelled' ? 'CANCELLED' : 'RUNNING'
const stamp = (date: Date | null): string | null => date?.toISOString() ?? null
export const uuidOf = (id: string): string => id.replaceAll('-', '').replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5')

/** One node of an execution, whatever number of times it ran. */
interface NodeState {
  node: GraphNode; status: 'PENDING' | 'RUNNING' | 'COMPLETED' | 'FAILED'; error: string | null; reason: string | null; outputs: Values[]; reused: boolean
  taskId: string | null; progress: number | null; startedAt: Date | null; endedAt: Date | null; micros: number; reviewId: string | null
}

function stateOfNode(node: GraphNode, runs: NodeRun[], cancelled: boolean): NodeState {
  const has = (...states: NodeRun['state'][]) => runs.some(({ state }) => states.includes(state))
  const failure = runs.find(({ problem }) => problem !== null)
  const ended = runs.length > 0 && !has('ready', 'running', 'waiting', 'asking')
  const first = runs.map(({ startedAt }) => startedAt?.getTime()).filter(time => time !== undefined)
  const last = runs.map(({ endedAt }) => endedAt?.getTime()).filter(time => time !== undefined)
  const status = has('running', 'waiting', 'asking') ? 'RUNNING' : has('ready') && !has('done') ? 'PENDING' : has('ready') ? 'RUNNING' : has('failed', 'cancelled') && !has('done') ? 'FAILED' : has('done') ? 'COMPLETED' : 'PENDING'
  return {
    node, status, error: failure?.problem?.message ?? (has('cancelled') || cancelled && status === 'FAILED' ? 'Cancelled.' : null), reason: runs.find(({ state }) => state === 'skipped')?.because ?? null,
    outputs: runs.flatMap(({ outputs }) => outputs === null ? [] : [outputs]), reused: runs.length > 0 && runs.every(({ reused }) => reused), taskId: runs.findLast(({ taskId }) => taskId !== null)?.taskId ?? null, progress: null,
    startedAt: first.length > 0 ? new Date(Math.min(...first)) : null, endedAt: ended && last.length > 0 ? new Date(Math.max(...last)) : null, micros: runs.reduce((sum, run) => sum + run.chargedMicros, 0),
    reviewId: runs.find(({ state }) => state === 'asking')?.reviewId ?? null,
  }
}

interface Shown { url: string; mime: string; width: number | null; height: number | null }

/** Links to whatever lies in some values, each once, in order. */
async function linksIn(outputs: Values[], desk: Desk): Promise<Map<string, Shown>> {
  const media = new Map<string, Media>()
  for (const values of outputs) for (const value of Object.values(values)) for (const one of mediaIn(value)) media.set(one.asset, one)
  const shown = new Map<string, Shown>()
  for (const asset of await Promise.all([...media.keys()].map(id => desk.assets.find(id)))) {
    if (asset) shown.set(asset.id, showAsset(asset, desk))
  }
  return shown
}

const showAsset = (asset: Asset, desk: Desk): Shown => ({ url: desk.assets.link(asset, { seconds: linkSeconds }), mime: asset.mime, width: asset.width, height: asset.height })

/** A value as its clients read it: a picture is its link. */
const writeValue = (value: Json, links: Map<string, Shown>): Json => {
  if (isMedia(value)) return links.get((value as Media).asset)?.url ?? null
  if (Array.isArray(value)) return value.map(one => writeValue(one, links))
  return value !== null && typeof value === 'object' ? Object.fromEntries(Object.entries(value).map(([name, one]) => [name, writeValue(one, links)])) : value
}

/** What a node gave, in every shape its clients look for: `url`, `images`, `video.url`, `text`. */
function writeOutput({ node, outputs }: Pick<NodeState, 'node' | 'outputs'>, links: Map<string, Shown>): Record<string, Json> | null {
  if (outputs.length === 0) return null
  const all = [...links.values()]
  // By the port and not by the type: a film may be an animated picture.
  const at = (port: string) => outputs.flatMap(values => [...mediaIn(values[port])].flatMap(({ asset }) => links.get(asset) ?? []))
  const [[video], [audio]] = [at('video'), at('audio')]
  const images = all.filter(one => one !== video && one !== audio && one.mime.startsWith('image/')).map(({ url, width, height }) => ({ url, width, height }))
  const plain = Object.fromEntries(Object.entries(outputs[0]!).map(([port, value]) => [port, outputs.length === 1 ? writeValue(value, links) : outputs.map(one => writeValue(one[port] ?? null, links))]))
  return {
    ...plain, ...(typeof plain.text === 'string' && node.kind === 'text' ? { prompt: plain.text } : {}),
    ...(all[0] ? { url: all[0].url } : {}), ...(images.length > 0 ? { images } : {}), ...(video ? { video: { url: video.url } } : {}), ...(audio ? { audio: { url: audio.url } } : {}),
  }
}

const textOf = (outputs: Values[]): string | null => {
  const texts = outputs.flatMap(values => Object.values(values)).filter(value => typeof value === 'string')
  return texts.length > 0 ? texts.join('\n\n') : null
}

/** The whole body of a poll; `more` is what the details say beside it. */
export async function viewExecution(execution: Execution, desk: Desk) {
  const [graph, runs] = await Promise.all([desk.workflows.graphOf(execution.id), desk.workflows.runs(execution.id, { limit: runsMax, offset: 0 })])
  const byNode = Map.groupBy(runs, run => run.node)
  const states = (graph?.nodes ?? []).filter(({ id }) => !isHidden(id)).map(node => stateOfNode(node, byNode.get(node.id) ?? [], execution.state === 'cancelled'))
  const asked = states.filter(({ status, taskId }) => status === 'RUNNING' && taskId !== null).slice(0, progressMax)
  const tasks = new Map((await Promise.all(asked.map(({ taskId }) => desk.find(taskId!)))).flatMap(task => task ? [[task.id, task] as const] : []))
  const shown = await Promise.all(states.map(async state => ({ state: { ...state, progress: progressOf(state, tasks) }, links: await linksIn(state.outputs, desk) })))
  const final = finalOf(shown, graph)
  const done = states.filter(({ status }) => status === 'COMPLETED' || status === 'FAILED').length
  const wire = execution.wire as { inputIndex?: number } | null
  return {
    executionId: execution.id, id: execution.id, workflowId: execution.workflowId, batchId: uuidOf(execution.batchId ?? execution.id), runIndexInBatch: execution.position, inputIndex: wire?.inputIndex ?? execution.position,
    status: stateOf(execution), progress: execution.state === 'running' ? states.length === 0 ? 0 : Math.round(states.reduce((sum, { status, taskId }) => sum + (status === 'COMPLETED' || status === 'FAILED' ? 1 : (tasks.get(taskId ?? '')?.progress ?? 0) / 100), 0) / states.length * 100) / 100 : 1,
    error: execution.problem?.message ?? null, startTime: stamp(execution.createdAt), endTime: stamp(execution.endedAt), durationMs: execution.endedAt ? execution.endedAt.getTime() - execution.createdAt.getTime() : null,
    creditsUsed: creditsOf(execution.costMicros), costMicros: execution.costMicros, livemode: execution.livemode, waitingForReview: execution.waitingForReview, nodesDone: done, nodesTotal: states.length,
    nodeResults: { nodeRuns: shown.map(({ state, links }) => ({
      nodeId: state.node.id, status: state.status, startTime: stamp(state.startedAt), endTime: stamp(state.endedAt), credits: creditsOf(state.micros), reused: state.reused, ...(state.reason === null ? {} : { skippedBecause: state.reason }), error: state.error,
      output: writeOutput(state, links),
    })) },
    nodeStates: shown.map(({ state, links }) => {
      const urls = [...links.values()].map(({ url }) => url)
      return {
        nodeId: state.node.id, label: state.node.title ?? state.node.id, status: state.status, error: state.error, outputUrl: urls[0] ?? null, outputUrls: urls, text: textOf(state.outputs), progress: state.progress, requestId: state.taskId,
        ...(state.reviewId === null ? {} : { reviewId: state.reviewId }),
      }
    }),
    finalOutput: final,
  }
}

const progressOf = ({ status, taskId }: NodeState, tasks: Map<string, Task>): number => status === 'COMPLETED' || status === 'FAILED' ? 1 : (tasks.get(taskId ?? '')?.progress ?? 0) / 100

/** What the whole came to: what its output nodes show, or else the last node with a file that nothing reads. */
function finalOf(shown: { state: NodeState; links: Map<string, Shown> }[], graph: Graph | null): { url: string; urls: string[] } | { text: string } | null {
  const read = new Set(graph?.edges.map(({ from }) => from.node))
  const ends = shown.filter(({ state }) => state.status === 'COMPLETED' && !read.has(state.node.id))
  const files = [...ends.filter(({ state }) => state.node.kind === 'output'), ...ends.filter(({ state }) => state.node.kind !== 'output').reverse()].find(({ links }) => links.size > 0)
  if (files) {
    const urls = [...files.links.values()].map(({ url }) => url)
    return { url: urls[0]!, urls }
  }
  const text = ends.map(({ state }) => textOf(state.outputs)).findLast(one => one !== null) ?? null
  return text === null ? null : { text }
}

/** A task of any door, as the execution of one node it would have been here. */
export function viewTask(task: Task, desk: Desk) {
  const states: Record<State, 'RUNNING' | 'COMPLETED' | 'FAILED' | 'CANCELLED'> = { queued: 'RUNNING', running: 'RUNNING', waiting: 'RUNNING', done: 'COMPLETED', failed: 'FAILED', cancelled: 'CANCELLED' }
  const status = states[task.state]
  const node = { id: 'task', kind: 'generate', title: task.model, settings: {} }
  const links = new Map(task.outputs.map(asset => [asset.id, showAsset(asset, desk)]))
  const urls = [...links.values()].map(({ url }) => url)
  const nodeStatus = status === 'CANCELLED' ? 'FAILED' : status
  const common = { nodeId: node.id, status: nodeStatus, error: task.problem?.message ?? null }
  return {
    executionId: task.id, id: task.id, workflowId: null, batchId: uuidOf(task.id), runIndexInBatch: 0, inputIndex: 0, status, progress: task.endedAt ? 1 : (task.progress ?? 0) / 100, error: task.problem?.message ?? null,
    startTime: stamp(task.createdAt), endTime: stamp(task.endedAt), durationMs: task.endedAt ? task.endedAt.getTime() - task.createdAt.getTime() : null, creditsUsed: creditsOf(task.chargedMicros ?? 0), costMicros: task.chargedMicros ?? 0, livemode: task.livemode,
    waitingForReview: false, nodesDone: task.endedAt ? 1 : 0, nodesTotal: 1,
    nodeResults: { nodeRuns: [{ ...common, startTime: stamp(task.startedAt), endTime: stamp(task.endedAt), credits: creditsOf(task.chargedMicros ?? 0), reused: false, output: links.size > 0 || task.text !== null ? writeOutput({ node, outputs: [task.text === null ? {} : { text: task.text }] }, links) : null }] },
    nodeStates: [{ ...common, label: task.model, outputUrl: urls[0] ?? null, outputUrls: urls, text: task.text, progress: task.endedAt ? 1 : (task.progress ?? 0) / 100, requestId: task.id }],
    finalOutput: urls[0] === undefined ? task.text === null ? null : { text: task.text } : { url: urls[0], urls },
  }
}

/** An execution in a list. */
export const viewListed = (execution: Execution) => ({
  id: execution.id, executionId: execution.id, workflowId: execution.workflowId, batchId: uuidOf(execution.batchId ?? execution.id), runIndexInBatch: execution.position, status: stateOf(execution), error: execution.problem?.message ?? null,
  startTime: stamp(execution.createdAt), endTime: stamp(execution.endedAt), creditsUsed: creditsOf(execution.costMicros), trigger: execution.trigger, livemode: execution.livemode,
})

/** The answer to an execute: the same for every repetition, since it says how an execution begins and not how it stands. */
export function viewBegun(executions: Execution[], graphs: Graph[], workflowId: string) {
  const [first] = executions
  return {
    workflowId, batchId: uuidOf(first!.batchId ?? first!.id), executionId: first!.id, status: 'RUNNING',
    executionRuns: executions.map((execution, index) => ({
      id: execution.id, startTime: stamp(execution.createdAt), endTime: null, status: 'RUNNING', error: null, batchId: uuidOf(first!.batchId ?? first!.id), runIndexInBatch: index, inputIndex: index,
      nodeRuns: graphs[index]!.nodes.filter(({ id }) => !isHidden(id)).map(({ id }) => ({ nodeId: id, status: 'PENDING', output: null })),
    })),
    staleDependencies: [],
  }
}

/** The body of a result webhook: the poll's, under a name and a time. */
export async function writeExecutionCallback(execution: Execution, desk: Desk): Promise<string> {
  return JSON.stringify({ type: `execution.${stateOf(execution).toLowerCase()}`, timestamp: (execution.endedAt ?? execution.createdAt).toISOString(), ...both(await viewExecution(execution, desk)) })
}
