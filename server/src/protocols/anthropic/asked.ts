/** From the body of a message to what is to be made of it, and the pictures it wants. */
import type { Card } from '../../domain/card.ts'
import type { Role } from '../../domain/order.ts'
import { Problem } from '../../domain/problem.ts'
import { isTemplateName } from '../../domain/template.ts'
import type { Desk, Incoming } from '../contract.ts'
import type { Wanted } from '../toolkit.ts'
import { readModel } from './options.ts'
import { planOrder, type Plan } from './plan.ts'
import { readMessages, type Draft } from './read.ts'

/** What one call asks for, as far as it can be known without writing anything. */
export interface Asked { draft: Draft; card: Card; plan: Plan }

export async function readAsked({ body, inline }: Pick<Incoming, 'body' | 'inline'>, desk: Desk, { callsTool }: { callsTool: boolean }): Promise<Asked> {
  const draft = readMessages(body, { inline: text => inline(text) })
  const { card, model, suffixes } = await findModel(draft, desk)
  return { draft, card, plan: planOrder(draft, { card, model, suffixes, livemode: desk.caller.livemode, callsTool }) }
}

/** A name with an @ may be a model's own. @throws {Problem} `unknown_model` */
export async function findModel(draft: Pick<Draft, 'model' | 'prompt'>, desk: Desk): Promise<{ card: Card; model: string; suffixes: string[] }> {
  const whole = await desk.models.serving(draft.model, 'anthropic')
  if (whole) return { card: whole.card, model: draft.model, suffixes: [] }
  // What stands behind a template's name is its label.
  const { model, suffixes } = isTemplateName(draft.model) ? { model: draft.model, suffixes: [] } : readModel(draft.model)
  const found = await desk.models.serving(model, 'anthropic')
  if (found) return { card: found.card, model, suffixes }
  // The catalogue knows the words, and names that are near.
  await desk.estimate({ model, prompt: '', parameters: {}, inputs: [] })
  throw new Problem('unknown_model', `There is no model ${model}.`, { field: 'model' })
}

/** The pictures a plan wants, each in a role its card has. */
export async function wantedBy({ pictures, links }: Plan, card: Card, desk: Desk): Promise<Wanted[]> {
  const roles = Object.keys(card.inputs.roles) as Role[]
  const roleAt = (index: number): Role => roles.includes('reference') ? 'reference' : roles[Math.min(index, roles.length - 1)] ?? 'reference'
  const shown: Wanted[] = []
  for (const { field, url } of links) {
    const ours = await desk.assets.resolveLink(url)
    if (ours) shown.push({ assetId: ours.id, field, role: 'reference' })
  }
  return [...pictures.map((picture): Wanted => ({ ...picture, role: 'reference' })), ...shown].map((wanted, index) => ({ ...wanted, role: roleAt(index) }))
}

/** What marks this call as one that may have been sent before. */
export function readRepetition(headers: Incoming['headers']): { retryCount: number; idempotencyKey?: string } {
  const count = headers['x-stainless-retry-count'] ?? ''
  const key = headers['idempotency-key']
  return { retryCount: /^\d{1,3}$/.test(count) ? Number(count) : 0, ...(key === undefined ? {} : { idempotencyKey: key }) }
}
