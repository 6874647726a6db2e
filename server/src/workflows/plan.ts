/**
 * What a run would do, without doing it: which nodes run how often, what is taken from before and why, what it costs and how long it takes.
 *
 * It walks the graph with the functions the run itself uses (`resolve`, `keyOf`, `check`), computes what needs no pictures, and looks results up
 * by their keys. What only the run can tell is said to be unknown, never guessed: a price range then has no upper end.
 */
import { followsWords, isByTokens } from '../domain/card.ts'
import type { Caller } from '../domain/caller.ts'
import { collected, judge, needed, project, tooMany, unequal, type Known } from '../domain/graph/advance.ts'
import { boundsOf } from '../domain/graph/bounds.ts'
import type { Pins, Plan, PlanStep } from '../domain/graph/execution.ts'
import { graphLimits, inPlace, itemKey, type Instance, type Item, type Media, type NodeFace } from '../domain/graph/graph.ts'
import { groupOf, type Layout } from '../domain/graph/layout.ts'
import { isKnown, mediaIn, refuseLarge, resolve, sizeOf, unknown, type Arrived, type Given, type Resolved, type Values } from '../domain/graph/values.ts'
import type { Order } from '../domain/order.ts'
import type { Json } from '../domain/outcome.ts'
import { isTemplateName } from '../domain/template.ts'
import { asProblem, Problem } from '../domain/problem.ts'
import type { Bench, Node, NodeOrder } from '../nodes/contract.ts'
import type { Client } from '../db/pool.ts'
import { isCheap, keyOf, picturesOf, writeOrder, type StepTools } from './step.ts'

export interface Planning {
  layout: Layout
  caller: Caller
  /** Calls around it, and how many more of those inside it are looked into. */
  depth: number
  calls: { left: number }
  pins: Pins
  given: Given
  projectId: string
  livemode: boolean
  force: boolean
  /** Nodes that take no earlier results. */
  anew: string[]
  target: string | null
  parallelism: number
  availableMicros: number
}

type PlanTools = Pick<StepTools, 'database' | 'kinds' | 'check' | 'foresee'>

/** One run as far as it can be foreseen. */
interface Foreseen {
  outputs: Values | null; reused: boolean; skipped: boolean; key: Buffer | null; because: string
  /** Whether it surely takes place: nothing before it may turn out to give nothing. */
  certain: boolean
  /** Whether it is known that nothing is taken from before. */
  fresh: boolean
  priceMicros: number
  /** The least that is charged: nothing is certain of what is sold by tokens. */
  leastMicros: number
  /** The price follows words that are not there yet, or a workflow that could not be looked into. */
  open: boolean
  /** How long what it calls takes. */
  seconds: number | null
}
const unforeseen = { outputs: null, reused: false, skipped: false, key: null, certain: true, fresh: false, priceMicros: 0, leastMicros: 0, open: false, seconds: null }

/** A picture nobody has seen yet, for prices: they depend on how many there are, and on their size where a model follows it. */
const unseen: Media = { asset: '0'.repeat(32), sha256: '0'.repeat(64), mime: 'image/png', width: 1024, height: 1024 }

const isUnseen = ({ asset }: Media): boolean => asset === unseen.asset

/** Characters of values that are at hand while planning; what comes beyond is left to the run. */
const keptMax = 64_000_000

/** What a node hears that asks for something of the world while it is planned. */
class NotYet extends Error {}
const noBench = new Proxy({}, { get(_target, name) { throw new NotYet(String(name)) } }) as Bench

/** What a node gives, where that follows from what goes in; null where it reads something first. */
async function foresee(node: Extract<Node, { run: unknown }>, values: Values): Promise<Values | null> {
  try {
    return await node.run(values as never, noBench) as Values
  } catch (thrown) {
    if (thrown instanceof NotYet) return null
    throw thrown
  }
}

export async function plan(planning: Planning, tools: PlanTools): Promise<{ plan: Plan; refused: Problem | null }> {
  const { layout } = planning
  const wanted = needed(layout, planning.target)
  const foreseen = new Map<string, Map<string, Foreseen>>()
  const lengths = new Map<string, Map<string, number>>()
  const certainty = new Map<string, boolean>()
  const steps: PlanStep[] = []
  const warnings: string[] = []
  let refused: Problem | null = null
  const refuse = (problem: Problem) => { refused ??= problem; warnings.push(problem.message) }
  const prices = createPrices(planning, tools)
  let kept = 0

  for (const id of layout.order) {
    if (!wanted.has(id)) continue
    const face = layout.faceOf(id)
    const node = tools.kinds.node(face.id)
    const isForced = planning.force || planning.anew.includes(id)
    const all = itemsOf(layout, id, lengths)
    if (all === 'many') refuse(new Problem('bad_request', tooMany))
    const items = all === 'many' ? null : all
    const runs = new Map<string, Foreseen>()
    foreseen.set(id, runs)
    const pending: { item: Item; values: Values; foreseen: Foreseen }[] = []
    const step: PlanStep = { node: id, title: layout.nodes.get(id)!.title ?? face.title, kind: face.id, does: 'unknown', because: '', times: items?.length ?? null, model: null, unitMicros: null, priceMinMicros: 0, priceMaxMicros: items === null && (face.makes === 'order' || face.makes === 'call') ? null : 0, secondsTypical: null }
    for (const item of items ?? [undefined]) {
      const skipped = item === undefined || face.role === 'collect' ? null : judge(layout, { node: id, item }, foreseenAs(layout, foreseen))
      if (skipped?.state === 'skipped') {
        runs.set(itemKey(item!), { ...unforeseen, skipped: true, because: skipped.because! })
        continue
      }
      const arrived = item === undefined ? blindly(layout, id) : arrive(layout, id, item, foreseen, lengths)
      const resolved = resolve(layout.nodes.get(id)!, face, arrived, planning.given)
      const one: Foreseen = { ...unforeseen, certain: isCertain(layout, id, item, foreseen, lengths, certainty), because: !face.reusable || isCheap(face) ? 'it runs every time' : isKnown(resolved) ? 'nothing was made of this before' : 'what goes in is made by the run' }
      try {
        // Before it is priced: an order is written from values that fit.
        if (face.role !== 'collect' || item !== undefined) tools.kinds.checkInputs(id, face, resolved)
        node.sound?.(resolved)
        if ('order' in node) {
          const checked = await prices(id, face, node, resolved)
          step.model ??= checked.card.id
          step.unitMicros ??= checked.priceMicros
          one.priceMicros = checked.priceMicros
          one.leastMicros = isByTokens(checked.card) ? 0 : checked.priceMicros
          one.open = followsWords(checked.card) && face.inputs.some(({ id, type }) => type === 'text' && resolved[id] === unknown)
          if (isKnown(resolved)) one.key = keyOf(face, resolved, checked)
          one.fresh = isForced || one.key !== null
        } else if ('call' in node) {
          // What is inside is planned like this one, as long as it is known what is called and with what.
          if (!isKnown(resolved) || planning.calls.left === 0) one.open = true
          else {
            planning.calls.left--
            const { plan: inside, refused: problem } = await tools.foresee(planning, node.call(resolved as never), isForced, planning.calls)
            if (problem) throw problem
            Object.assign(one, { fresh: true, priceMicros: inside.priceMaxMicros ?? 0, leastMicros: inside.priceMinMicros, open: inside.priceMaxMicros === null, seconds: inside.secondsTypical } satisfies Partial<Foreseen>)
          }
        } else if (isKnown(resolved)) {
          if (isCheap(face) && 'run' in node) {
            one.outputs = await foresee(node, resolved)
            if (one.outputs !== null) {
              refuseLarge(id, one.outputs, 'out')
              kept += sizeOf(one.outputs as Json)
              if (kept > keptMax && face.role !== 'iterate') one.outputs = null
            }
          } else if (face.reusable && face.makes === 'nothing') one.key = keyOf(face, resolved, null)
        }
      } catch (thrown) {
        const problem = asProblem(thrown)
        if (problem.code === 'internal') throw thrown
        refuse(new Problem(problem.code, inPlace({ node: id, item: item ?? [] }, problem.message), problem.details))
      }
      if (item === undefined) { step.because = one.because; certainty.set(id, one.certain); continue }
      if (one.key !== null && isKnown(resolved)) pending.push({ item, values: resolved, foreseen: one })
      runs.set(itemKey(item), one)
      if (face.role === 'iterate' && one.outputs !== null) {
        const list = Object.values(one.outputs)[0] as Json[]
        const other = noteLength(layout, id, item, list.length, lengths)
        if (other !== null) refuse(new Problem('bad_request', `${id}: ${unequal(groupOf(layout.nodes.get(id)!), other, list.length)}`))
      }
    }
    if (items !== null) certainty.set(id, [...runs.values()].every(run => run.certain))
    if (!isForced && pending.length > 0) await lookUp(planning, tools.database, pending.map(one => one.foreseen))
    summarise(step, [...runs.values()], isForced && face.reusable && !isCheap(face))
    steps.push(step)
    if (warnings.length > 20) break
  }

  await readHistory(tools.database, planning, steps)
  const priceMaxMicros = steps.some(step => step.priceMaxMicros === null) ? null : steps.reduce((sum, step) => sum + step.priceMaxMicros!, 0)
  const priceMinMicros = steps.reduce((sum, step) => sum + step.priceMinMicros, 0)
  return {
    refused,
    plan: {
      steps, priceMinMicros, priceMaxMicros, complete: priceMaxMicros !== null && priceMinMicros === priceMaxMicros, availableMicros: planning.availableMicros,
      sufficient: planning.availableMicros >= (priceMaxMicros ?? priceMinMicros), secondsTypical: longest(layout, steps, planning), warnings: [...new Set(warnings)],
    },
  }
}

/** Every item a node runs for, or that there are too many; null where lists are still to come. */
function itemsOf(layout: Layout, node: string, lengths: Map<string, Map<string, number>>): Item[] | 'many' | null {
  const scope = layout.scopeOf.get(node)!
  let items: number[][] = [[]]
  for (const [depth, group] of scope.entries()) {
    const { parent } = layout.groups.get(group)!
    const next: number[][] = []
    for (const item of items) {
      const length = lengths.get(group)?.get(itemKey(project(item, scope.slice(0, depth), parent)))
      if (length === undefined) return null
      if (next.length + length > graphLimits.items) return 'many'
      for (let index = 0; index < length; index++) next.push([...item, index])
    }
    items = next
  }
  return items
}

/** Writes down how long a list is; says where another one of its group is of another length. */
function noteLength(layout: Layout, node: string, item: Item, length: number, lengths: Map<string, Map<string, number>>): number | null {
  const group = groupOf(layout.nodes.get(node)!)
  const known = lengths.get(group) ?? new Map<string, number>()
  lengths.set(group, known)
  const earlier = known.get(itemKey(item))
  known.set(itemKey(item), length)
  return earlier !== undefined && earlier !== length ? earlier : null
}

/** Whether a run surely takes place, as far as can be said beforehand: ports that may give nothing leave it open. Without an item, for all there will be. */
function isCertain(layout: Layout, id: string, item: Item | undefined, foreseen: Map<string, Map<string, Foreseen>>, lengths: Map<string, Map<string, number>>, certainty: Map<string, boolean>): boolean {
  const scope = layout.scopeOf.get(id)!
  const face = layout.faceOf(id)
  const edges = layout.into.get(id) ?? []
  if (face.role === 'collect') {
    const { source, group } = collected(layout, id)
    const length = item && lengths.get(group)?.get(itemKey(project(item, scope, layout.groups.get(group)!.parent)))
    if (length === undefined) return certainty.get(source) ?? true
    return length === 0 || Array.from({ length }, (_, index) => foreseen.get(source)?.get(itemKey([...item!, index]))).some(run => run?.certain && !run.skipped)
  }
  const comes = edges.map(({ from, to }) => {
    const run = item && foreseen.get(from.node)?.get(itemKey(project(item, scope, layout.scopeOf.get(from.node)!)))
    const isRun = run ? run.certain && !run.skipped : certainty.get(from.node) ?? true
    const isGiven = run?.outputs ? run.outputs[from.port] !== undefined : layout.faceOf(from.node).outputs.find(port => port.id === from.port)!.required
    return { port: to.port, isRun, isSure: isRun && isGiven }
  })
  if (face.role === 'tolerant') return comes.length === 0 || comes.some(one => one.isSure)
  return comes.every(one => one.isRun) && face.inputs.every(({ id: port, required }) => !required || comes.every(one => one.port !== port) || comes.some(one => one.port === port && one.isSure))
}

/** Runs as they will stand: what is not known yet is taken to come. */
const foreseenAs = (layout: Layout, foreseen: Map<string, Map<string, Foreseen>>) => ({ node, item }: Instance): Known | undefined => {
  const run = foreseen.get(node)?.get(itemKey(item))
  if (!run) return undefined
  return { state: run.skipped ? 'skipped' : 'done', ports: run.outputs ? Object.keys(run.outputs) : layout.faceOf(node).outputs.map(({ id }) => id), length: null }
}

/** What comes along the edges of a run, as far as it is known. */
function arrive(layout: Layout, id: string, item: Item, foreseen: Map<string, Map<string, Foreseen>>, lengths: Map<string, Map<string, number>>): Arrived[] {
  const scope = layout.scopeOf.get(id)!
  const edges = layout.into.get(id) ?? []
  if (layout.faceOf(id).role === 'collect') {
    const { source, group } = collected(layout, id)
    const edge = edges[0]!
    const length = lengths.get(group)?.get(itemKey(project(item, scope, layout.groups.get(group)!.parent)))
    if (length === undefined) return [{ edge, unknown: true }]
    const runs = Array.from({ length }, (_, index) => foreseen.get(source)?.get(itemKey([...item, index])))
    if (runs.some(run => !run?.skipped && run?.outputs?.[edge.from.port] === undefined)) return [{ edge, unknown: true }]
    return [{ edge, value: runs.flatMap(run => run?.outputs ? [run.outputs[edge.from.port]!] : []), list: true }]
  }
  return edges.flatMap((edge): Arrived[] => {
    const around = layout.scopeOf.get(edge.from.node)!
    const run = foreseen.get(edge.from.node)?.get(itemKey(project(item, scope, around)))
    if (run?.skipped) return []
    if (!run?.outputs) return [{ edge, unknown: true }]
    const given = run.outputs[edge.from.port]
    if (given === undefined) return []
    if (layout.faceOf(edge.from.node).role !== 'iterate') return [{ edge, value: given, list: layout.faceOf(edge.from.node).outputs.find(port => port.id === edge.from.port)!.list }]
    return [{ edge, value: (given as Json[])[item[scope.indexOf(groupOf(layout.nodes.get(edge.from.node)!))]!]!, list: false }]
  })
}

const blindly = (layout: Layout, id: string): Arrived[] => (layout.into.get(id) ?? []).map(edge => ({ edge, unknown: true as const }))

/** Prices of orders, remembered by what decides them. */
function createPrices({ projectId, livemode }: Planning, tools: PlanTools) {
  const known = new Map<string, ReturnType<StepTools['check']>>()
  return (id: string, face: NodeFace, node: Extract<Node, { order: unknown }>, resolved: Resolved) => {
    const values = Object.fromEntries(Object.entries(resolved).map(([port, value]) => [port, value === unknown ? guess(face, port) : value])) as Values
    const wanted: NodeOrder = node.order(values as never)
    const order: Order = writeOrder({ id, metadata: {} }, { node: id, item: [], attempt: 1 }, wanted)
    // Whether a mask fits a picture that nobody has seen only the run can tell; its own size changes no price.
    const pictures = picturesOf(order, values)
    const isGuessed = pictures.some(isUnseen)
    const media = pictures.map((one, index) => isGuessed && order.inputs[index]!.role === 'mask' ? { ...one, width: null, height: null } : one)
    // A guess would be the wrong words for a template that reads them.
    const isOpen = isTemplateName(order.model) && resolved.prompt === unknown
    const name = JSON.stringify([isOpen, order.model, order.operation, order.parameters, isTemplateName(order.model) ? order.prompt : order.prompt.length, media.map(({ width, height, mime }, index) => [order.inputs[index]!.role, width, height, mime])])
    let checked = known.get(name)
    if (!checked) known.set(name, checked = tools.check(order, media, { projectId, livemode }, { isOpen }))
    return checked
  }
}

const guess = (face: NodeFace, port: string): Json => {
  const { type, list, schema } = face.inputs.find(({ id }) => id === port)!
  const one: Json = type === 'number' ? (schema.minimum as number | undefined) ?? 1 : type === 'boolean' ? false : type === 'image' || type === 'video' || type === 'audio' ? unseen as unknown as Json : type === 'json' ? {} : 'something'
  return list ? [one] : one
}

/** Results of these keys that are kept; what is found is taken as the outputs. */
async function lookUp({ projectId, livemode }: Planning, client: Client, all: Foreseen[]): Promise<void> {
  const { rows } = await client.query<{ key: Buffer; outputs: Values; execution_id: string }>({ name: 'plan results', text: `
    select distinct on (key) key, outputs, execution_id from node_result where project_id = $1 and livemode = $2 and key = any($3::bytea[]) order by key, created_at desc` }, [projectId, livemode, all.map(one => one.key)])
  const ids = new Set(rows.flatMap(row => [...mediaIn(row.outputs)].map(media => media.asset)))
  const { rows: kept } = await client.query<{ id: string }>({ name: 'plan assets', text: `select id from asset where project_id = $1 and livemode = $2 and id = any($3::uuid[]) and (expires_at is null or expires_at > now())` }, [projectId, livemode, [...ids]])
  const there = new Set(kept.map(row => row.id))
  const found = new Map(rows.map(row => [row.key.toString('hex'), row]))
  for (const one of all) {
    const row = found.get(one.key!.toString('hex'))
    if (!row) continue
    if ([...mediaIn(row.outputs)].some(media => !there.has(media.asset))) { one.because = 'an earlier result is no longer kept'; continue }
    Object.assign(one, { outputs: row.outputs, reused: true, because: `made by execution ${row.execution_id}` })
  }
}

function summarise(step: PlanStep, runs: Foreseen[], force: boolean): void {
  if (step.times === null) return
  const reused = runs.filter(run => run.reused).length
  const made = runs.filter(run => !run.reused && !run.skipped)
  const isOpen = made.some(run => !run.certain)
  step.times = isOpen ? null : runs.filter(run => !run.skipped).length
  step.does = isOpen ? 'unknown' : runs.length > 0 && runs.every(run => run.skipped) ? 'skip' : runs.length === 0 ? 'run' : reused === runs.length ? 'reuse' : reused > 0 ? 'some' : 'run'
  step.because = isOpen ? 'whether anything comes this way only the run can tell' : force ? 'earlier results were not wanted' : (runs.find(run => !run.reused) ?? runs[0])?.because ?? 'there are no items'
  step.priceMaxMicros = made.some(run => run.open) ? null : made.reduce((sum, run) => sum + run.priceMicros, 0)
  // What goes in is not known for some: they may turn out to be there already, or not to run at all.
  step.priceMinMicros = made.filter(run => run.certain && run.fresh).reduce((sum, run) => sum + run.leastMicros, 0)
  const seconds = made.map(run => run.seconds)
  if (seconds.length > 0 && seconds.every(one => one !== null)) step.secondsTypical = Math.max(...seconds)
}

/** How long tasks of a model took lately. */
async function readHistory(client: Client, { projectId, livemode }: Planning, steps: PlanStep[]): Promise<void> {
  const models = [...new Set(steps.flatMap(step => step.model === null ? [] : [step.model]))]
  if (models.length === 0) return
  const { rows } = await client.query<{ model: string; seconds: number | null }>({ name: 'plan history', text: `
    select m.model, (select percentile_cont(0.5) within group (order by extract(epoch from t.ended_at - t.started_at)) from (
      select started_at, ended_at from task where project_id = $1 and livemode = $2 and model = m.model and state = 'done' and started_at is not null order by id desc limit 30) t)::float8 as seconds
    from unnest($3::text[]) as m(model)` }, [projectId, livemode, models])
  const seconds = new Map(rows.map(row => [row.model, row.seconds]))
  for (const step of steps) if (step.model !== null) step.secondsTypical = seconds.get(step.model) ?? null
}

/** The longest way through the graph, each node's runs side by side as far as they may; null where a step has no history. */
function longest(layout: Layout, steps: PlanStep[], { parallelism, given }: Pick<Planning, 'parallelism' | 'given'>): number | null {
  const bounds = boundsOf(layout, given)
  const byNode = new Map(steps.map(step => [step.node, step]))
  const ends = new Map<string, number>()
  for (const { node } of steps) {
    const step = byNode.get(node)!
    const rounds = step.does === 'reuse' ? 0 : Math.ceil((step.times ?? 1) / Math.min(parallelism, ...bounds.flatMap(({ max, nodes }) => nodes.includes(node) ? [max] : [])))
    if ((step.model !== null || layout.faceOf(node).makes === 'call') && rounds > 0 && step.secondsTypical === null) return null
    const begins = Math.max(0, ...(layout.into.get(node) ?? []).map(({ from }) => ends.get(from.node) ?? 0))
    ends.set(node, begins + rounds * (step.secondsTypical ?? 0))
  }
  return ends.size === 0 ? 0 : Math.round(Math.max(...ends.values()) * 10) / 10
}
