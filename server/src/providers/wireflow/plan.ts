/**
 * Which input of a workflow gets what: as an operator writes it behind the workflow's id on a card, or as the workflow describes itself. Pure.
 *
 *     "model": "wf_abc?prompt=input-1&inputs=input-2,input-3&inputs:mask=input-4&aspect_ratio=input-5&output=gen-1"
 *
 * `prompt`, `inputs` (pictures in order), `inputs:<role>` and names of parameters lead to ids of nodes; `output` names the node whose results
 * are wanted. With `wf_abc` alone the workflow is asked for its inputs: the one for text is the prompt's, those for pictures take them in
 * order, and a parameter goes where a node or its label is called like it.
 */
import { roles, type Role } from '../../domain/order.ts'
import type { Json } from '../../domain/outcome.ts'
import { Problem } from '../../domain/problem.ts'
import { unclaimed, unsupported } from '../toolkit.ts'
import type { Asked } from '../toolkit.ts'

export const title = 'Wireflow'

export interface Plan {
  workflow: string
  prompt: string[]
  inputs: string[]
  byRole: Partial<Record<Role, string[]>>
  parameters: Record<string, string[]>
  output: string | null
}

const isRole = (role: string): role is Role => (roles as readonly string[]).includes(role)
const nodesOf = (text: string): string[] => text.split(',').map(one => one.trim()).filter(one => one !== '')
const wrong = (model: string, why: string): Problem => unclaimed(title, 'the route of this model’s card', 'cannot be asked for it', 'route', `${model}: ${why}`)

/** Reads a route's model. `asks`: it names no inputs, so the workflow must. @throws {Problem} `provider_not_configured` for what cannot be a workflow */
export function readRoute(model: string): { plan: Plan; asks: boolean } {
  const at = model.indexOf('?')
  const workflow = at === -1 ? model : model.slice(0, at)
  if (!/^[\w.-]{1,200}$/.test(workflow)) throw wrong(model, 'the id of a workflow is letters, digits, dots, dashes and underscores')
  const plan: Plan = { workflow, prompt: [], inputs: [], byRole: {}, parameters: {}, output: null }
  let named = 0
  for (const [name, text] of new URLSearchParams(at === -1 ? '' : model.slice(at + 1))) {
    const nodes = nodesOf(text)
    if (nodes.length === 0) throw wrong(model, `${name} leads to no node`)
    if (name === 'output') { plan.output = nodes[0]!; continue }
    named++
    if (name === 'prompt') plan.prompt.push(...nodes)
    else if (name === 'inputs') plan.inputs.push(...nodes)
    else if (name.startsWith('inputs:')) {
      const role = name.slice('inputs:'.length)
      if (!isRole(role)) throw wrong(model, `${role} is no role of a picture`)
      plan.byRole[role] = [...plan.byRole[role] ?? [], ...nodes]
    } else plan.parameters[name] = [...plan.parameters[name] ?? [], ...nodes]
  }
  return { plan, asks: named === 0 }
}

/** An input as the workflow describes it. */
export interface Described { nodeId: string; label: string; type: string; required: boolean }

const wordOf = (text: string): string => text.toLowerCase().replace(/[^a-z0-9]+/g, '_').replace(/^_|_$/g, '')

/** The plan of a route that names no inputs. @throws {Problem} `provider_not_configured` where the prompt could go to several */
export function planBy(plan: Plan, described: Described[], parameters: string[], model: string): Plan {
  const named = (name: string) => described.filter(({ nodeId, label }) => wordOf(nodeId) === wordOf(name) || wordOf(label) === wordOf(name)).map(({ nodeId }) => nodeId)
  const mapped = Object.fromEntries(parameters.flatMap(name => { const nodes = named(name); return nodes.length > 0 ? [[name, nodes]] : [] }))
  const taken = new Set(Object.values(mapped).flat())
  const rest = described.filter(({ nodeId }) => !taken.has(nodeId))
  const texts = rest.filter(({ type }) => type === 'text')
  const prompts = texts.length > 1 ? texts.filter(({ label, nodeId }) => /prompt/i.test(`${label} ${nodeId}`)) : texts
  if (prompts.length !== 1 && texts.length > 1) throw wrong(model, `several inputs take text (${texts.map(({ nodeId }) => nodeId).join(', ')}); say which is the prompt’s: ${plan.workflow}?prompt=${texts[0]!.nodeId}&…`)
  return { ...plan, prompt: prompts.map(({ nodeId }) => nodeId), inputs: rest.filter(({ type }) => type === 'image' || type === 'url').map(({ nodeId }) => nodeId), parameters: mapped }
}

/**
 * The inputs of each run, one for each picture wanted; pictures by the links they will have.
 *
 * @throws {Problem} `unsupported_parameter` for what has no place in the workflow
 */
export function writeRuns(job: Asked, plan: Plan, links: string[]): Record<string, Json>[] {
  const common: Record<string, Json> = {}
  if (job.prompt !== '' && plan.prompt.length === 0) throw new Problem('unsupported_parameter', 'This workflow takes no prompt. Leave it out.', { field: 'prompt' })
  for (const node of plan.prompt) common[node] = job.prompt
  const places = new Map<string, string[]>()
  job.inputs.forEach(({ role }, index) => {
    const group = plan.byRole[role] ? role : 'inputs'
    if (!places.has(group)) places.set(group, [...plan.byRole[role] ?? plan.inputs])
    const node = places.get(group)!.shift()
    if (node === undefined) {
      const max = (plan.byRole[role] ?? plan.inputs).length
      throw new Problem('unsupported_parameter', `This workflow takes ${max === 0 ? 'no picture' : `at most ${max} pictures`} as ${role}.`, { field: 'inputs', value: role, allowed: { max } })
    }
    common[node] = links[index]!
  })
  for (const [name, value] of Object.entries(job.parameters)) {
    if (name === 'count') continue
    const nodes = plan.parameters[name]
    // What says nothing needs no place; where there is one, the workflow may know the word.
    if (!nodes && value === 'auto') continue
    if (!nodes) throw unsupported(name, value, null, `${title}, which runs ${plan.workflow}`)
    for (const node of nodes) common[node] = value
  }
  const { seed } = job.parameters
  return Array.from({ length: job.count }, (_, index) => ({
    ...common, ...(typeof seed === 'number' ? Object.fromEntries((plan.parameters.seed ?? []).map(node => [node, (seed + index) % 2_147_483_648])) : {}),
  }))
}
