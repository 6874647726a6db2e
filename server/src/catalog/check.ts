/**
 * Checks an order against a card: what the model cannot honour is refused with the field, the value and what is allowed.
 *
 * Absent on purpose: repair. Nothing is clipped, rounded, converted or dropped; only defaults the card names are filled in.
 */
import type { ValidateFunction } from 'ajv'
import type { Asset } from '../domain/asset.ts'
import type { Card, CheckedOrder, DialectName } from '../domain/card.ts'
import type { Operation, Order } from '../domain/order.ts'
import type { Json } from '../domain/outcome.ts'
import { Problem, type Mistake, type ProblemCode } from '../domain/problem.ts'
import { parametersOf, readMistakes } from './parameters.ts'
import { sizeOf, type Size } from './pixels.ts'
import { priceOf, pricingOf } from './price.ts'

/** Largest picture any operation may make, in pixels: 400 MB once it is decoded. */
const outputPixelsMax = 100_000_000

export interface Checking {
  card: Card
  name: DialectName | null
  /** The retired card that was asked for, where this one takes its place. */
  replaces?: Card
  /** What to use where the card is retired: the one that takes its place; itself where none does. */
  instead: Card
  validatorOf(operation: Operation): ValidateFunction
  /** The order's pictures, in its order. */
  inputs: Asset[]
  now: Date
  livemode: boolean
}

type Coded = Mistake & { code: ProblemCode }

/** @throws {Problem} with the first mistake in the sentence and all of them in `details.problems` */
export function checkOrder(order: Order, checking: Checking): CheckedOrder {
  const { card, replaces } = checking
  if (!replaces) return checkPlain(order, checking)
  try {
    const checked = checkPlain(order, checking)
    return { ...checked, replaces, warnings: [`${order.model} was retired${replaces.life.since ? ` on ${replaces.life.since}` : ''}; ${card.id} takes its place, as this project wants.`, ...checked.warnings] }
  } catch (thrown) {
    // The caller spoke to another model: without this the sentence is about one never heard of.
    if (thrown instanceof Problem) throw new Problem(thrown.code, `${thrown.message} (${card.id} takes the place of ${order.model}, which was retired.)`, thrown.details)
    throw thrown
  }
}

function checkPlain(order: Order, { card, name, instead, validatorOf, inputs, now, livemode }: Checking): CheckedOrder {
  if (livemode && card.life.state === 'retired') throw retired(card, instead, order.model)
  const operation = operationOf(order, card, name, inputs.length)
  const parameters: Record<string, Json> = { ...order.parameters }
  const validate = validatorOf(operation)
  const known = parametersOf(card, operation)
  const mistakes: Coded[] = [
    ...checkPrompt(order.prompt, card, operation),
    ...(validate(parameters) ? [] : readMistakes(validate.errors ?? [], card, operation, known, order.parameters)).map(mistake => ({ code: 'unsupported_parameter' as const, ...mistake })),
    ...checkInputs(order, card, operation, inputs),
  ]
  refuseIfAny(mistakes)

  const count = typeof parameters.count === 'number' ? parameters.count : 1
  const size = sizeFor(operation, card, parameters, inputs)
  refuseIfAny(checkSize(size, card, operation, parameters))
  const asked = { operation, parameters, count, width: size?.width ?? null, height: size?.height ?? null }
  return {
    card, ...asked,
    priceMicros: priceOf(card, pricingOf(card, { ...asked, priority: order.priority, prompt: order.prompt, inputs }, now)),
    warnings: livemode && (card.life.state === 'deprecated' || card.life.state === 'active' && card.life.ends !== undefined) ? [deprecation(card)] : [],
  }
}

function operationOf(order: Order, card: Card, name: DialectName | null, inputs: number): Operation {
  const wanted = order.operation ?? name?.operation
  if (name?.operation && order.operation && order.operation !== name.operation) {
    throw new Problem('unsupported_parameter', `${name.id} means ${name.operation}, not ${order.operation}. Leave the operation out, or use ${card.id}.`, { field: 'operation', value: order.operation, allowed: [name.operation] })
  }
  if (wanted !== undefined) {
    if (card.operations.includes(wanted)) return wanted
    throw new Problem('unsupported_parameter', `${card.id} cannot ${wanted}. It can ${card.operations.join(', ')}.`, { field: 'operation', value: wanted, allowed: card.operations })
  }
  if (inputs === 0) return card.operations[0]!
  return card.operations.find(operation => operation !== 'generate') ?? card.operations[0]!
}

function* checkPrompt(prompt: string, card: Card, operation: Operation): Generator<Coded> {
  const { required, charactersMax } = card.prompt
  const isNeeded = required && operation !== 'upscale' && operation !== 'remove_background'
  if (isNeeded && prompt.trim() === '') yield { code: 'bad_request', field: 'prompt', message: `prompt is missing; ${card.id} needs words to ${operation === 'edit' ? 'edit' : operation === 'write' ? 'write' : 'make something'} by.` }
  if (!prompt.isWellFormed() || prompt.includes('\0')) yield { code: 'bad_request', field: 'prompt', message: 'prompt must be well-formed Unicode without NUL characters.' }
  if (prompt.length > charactersMax && countCharacters(prompt) > charactersMax) {
    yield { code: 'bad_request', field: 'prompt', value: countCharacters(prompt), allowed: { charactersMax }, message: `prompt may have at most ${charactersMax} characters for ${card.id}, not ${countCharacters(prompt)}.` }
  }
}

const countCharacters = (text: string): number => {
  let count = 0
  for (const _ of text) count++
  return count
}

function* checkInputs(order: Order, card: Card, operation: Operation, inputs: Asset[]): Generator<Coded> {
  const { mimes, bytesMax, pixelsMax, roles } = card.inputs
  const max = operation === 'generate' && card.operations.includes('edit') ? 0 : card.inputs.max
  const min = Math.max(card.inputs.min, operation === 'generate' || operation === 'video' || operation === 'write' ? 0 : 1)
  if (inputs.length < min) yield { code: 'bad_request', field: 'inputs', value: inputs.length, allowed: { min, max }, message: `inputs is missing: ${card.id} needs ${min === 1 ? 'a picture' : `${min} pictures`} to ${operation}.` }
  if (inputs.length > max) {
    const message = max === 0 ? `${card.id} takes no pictures to ${operation}.${card.operations.includes('edit') ? ' Use the operation edit.' : ''}` : `${card.id} takes at most ${max} ${max === 1 ? 'picture' : 'pictures'}, not ${inputs.length}.`
    yield { code: 'unsupported_parameter', field: 'inputs', value: inputs.length, allowed: { min, max }, message }
    return
  }
  const used = new Map<string, number>()
  for (const [index, asset] of inputs.entries()) {
    const field = `inputs[${index}]`
    const { role } = order.inputs[index]!
    const roleMax = roles[role]
    const usedNow = (used.get(role) ?? 0) + 1
    used.set(role, usedNow)
    if (roleMax === undefined) yield { code: 'unsupported_parameter', field: `${field}.role`, value: role, allowed: Object.keys(roles), message: `${field}.role must be one of ${Object.keys(roles).join(', ')} for ${card.id}, not "${role}".` }
    else if (usedNow === roleMax + 1) yield { code: 'unsupported_parameter', field: `${field}.role`, value: role, allowed: { max: roleMax }, message: `${card.id} takes at most ${roleMax} ${roleMax === 1 ? 'picture' : 'pictures'} as ${role}.` }
    if (!mimes.includes(asset.mime)) yield { code: 'bad_input_image', field, value: asset.mime, allowed: mimes, message: `${field} is ${asset.mime}; ${card.id} takes ${mimes.join(', ')}.` }
    if (asset.sizeBytes > bytesMax) yield { code: 'bad_input_image', field, value: asset.sizeBytes, allowed: { bytesMax }, message: `${field} has ${asset.sizeBytes} bytes; ${card.id} takes at most ${bytesMax}.` }
    if (asset.width !== null && asset.height !== null && asset.width * asset.height > pixelsMax) {
      yield { code: 'bad_input_image', field, value: `${asset.width}x${asset.height}`, allowed: { pixelsMax }, message: `${field} is ${asset.width}x${asset.height}; ${card.id} takes at most ${pixelsMax} pixels.` }
    }
  }
  yield* checkMask(order, inputs)
}

/** A mask says of each pixel of the first picture whether it is changed. Stretched over it, it would say something else. */
function* checkMask(order: Order, inputs: Asset[]): Generator<Coded> {
  const index = order.inputs.findIndex(({ role }) => role === 'mask')
  const [mask, first] = [inputs[index], inputs[order.inputs.findIndex(({ role }) => role !== 'mask')]]
  if (!mask?.width || !first?.width || mask.width === first.width && mask.height === first.height) return
  const [shown, allowed] = [`${mask.width}x${mask.height}`, `${first.width}x${first.height}`]
  yield { code: 'bad_input_image', field: `inputs[${index}]`, value: shown, allowed, message: `The mask is ${shown} and the first picture ${allowed}. Send a mask of the same size.` }
}

/** `upscale` multiplies the picture, `remove_background` keeps it; everything else comes from the card's table. */
function sizeFor(operation: Operation, card: Card, parameters: Record<string, Json>, inputs: Asset[]): Size | null {
  const first = inputs[0] ?? null
  if (operation === 'remove_background') return null
  if (operation === 'upscale') {
    const { factor } = parameters
    return typeof factor === 'number' && first?.width && first.height ? { width: first.width * factor, height: first.height * factor } : null
  }
  const ratio = parametersOf(card, operation).aspect_ratio
  return sizeOf({ table: card.parameters['x-pixels'], size: parameters.size, aspectRatio: parameters.aspect_ratio, resolution: parameters.resolution, ratios: (ratio?.enum ?? []) as string[], first })
}

function* checkSize(size: Size | null, card: Card, operation: Operation, { factor, size: asked }: Record<string, Json>): Generator<Coded> {
  if (size && typeof asked === 'string' && asked !== 'auto') yield* checkPixels(size, card, asked)
  if (operation !== 'upscale') return
  if (!size) {
    // Without a factor the upstream decides; with one, what cannot be multiplied has no price either.
    if (typeof factor === 'number') yield { code: 'bad_input_image', field: 'inputs[0]', message: `The size of inputs[0] is not known, so ${card.id} cannot enlarge it. Send a picture.` }
    return
  }
  const sideMax = card.parameters['x-side-max']
  const shown = `${size.width}x${size.height}`
  if (typeof sideMax === 'number' && Math.max(size.width, size.height) > sideMax) {
    yield { code: 'unsupported_parameter', field: 'parameters.factor', value: factor, allowed: { sideMax }, message: `factor ${factor} would make ${shown}; ${card.id} makes at most ${sideMax} a side.` }
  } else if (size.width * size.height > outputPixelsMax) {
    yield { code: 'unsupported_parameter', field: 'parameters.factor', value: factor, allowed: { pixelsMax: outputPixelsMax }, message: `factor ${factor} would make ${shown}, more than ${outputPixelsMax} pixels. Use a smaller factor or picture.` }
  }
}

/** A size in pixels against the card's `x-size`. */
function* checkPixels({ width, height }: Size, card: Card, asked: string): Generator<Coded> {
  const limits = card.parameters['x-size'] as { multipleOf: number; sideMin: number; sideMax: number; pixelsMax: number; ratioMax: number } | undefined
  if (!limits) return
  const { multipleOf, sideMin, sideMax, pixelsMax, ratioMax } = limits
  const flaw = width % multipleOf !== 0 || height % multipleOf !== 0 ? `both edges must be multiples of ${multipleOf}`
    : Math.min(width, height) < sideMin ? `an edge has at least ${sideMin} pixels`
      : Math.max(width, height) > sideMax ? `an edge has at most ${sideMax} pixels`
        : Math.max(width, height) > ratioMax * Math.min(width, height) ? `the ratio must be between 1:${ratioMax} and ${ratioMax}:1`
          : width * height > pixelsMax ? `${card.id} makes at most ${pixelsMax} pixels` : null
  if (flaw) yield { code: 'unsupported_parameter', field: 'parameters.size', value: asked, allowed: limits, message: `size ${asked} is not valid: ${flaw}.` }
}

function refuseIfAny(found: Iterable<Coded>): void {
  const mistakes = [...found]
  const first = mistakes[0]
  if (!first) return
  const { code, message, ...details } = first
  const more = mistakes.length === 1 ? '' : ` (and ${mistakes.length - 1} more ${mistakes.length === 2 ? 'mistake' : 'mistakes'})`
  throw new Problem(code, message + more, { ...details, problems: mistakes.map(({ field, value, allowed, message }) => ({ field, value, allowed, message })) })
}

function retired(card: Card, instead: Card, asked: string): Problem {
  const { since, note } = card.life
  const replacement = instead === card ? undefined : instead.id
  return new Problem('model_retired', `${asked} was retired${since ? ` on ${since}` : ''}.${replacement ? ` Use ${replacement}, or set the project's retired_models to replace.` : ''} A test key still serves it.`,
    { field: 'model', value: asked, ...(replacement ? { replacement } : {}), ...(note ? { note } : {}) })
}

const deprecation = ({ id, life: { state, since, ends, replacement } }: Card): string =>
  `${id} ${[...state === 'deprecated' ? [`is deprecated${since ? ` since ${since}` : ''}`] : [], ...ends ? [`ends on ${ends}`] : []].join(' and ')}${replacement ? `; use ${replacement}` : ''}.`
