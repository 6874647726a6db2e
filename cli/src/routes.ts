/** Routes and aliases of this house: who makes what for live keys, and names of its own for models. On its database, as keys are. */
import { atTheServer } from '@plantain/server/catalog/changes.ts'
import type { CostList, CostRow, TokenPrices } from '@plantain/server/domain/card.ts'
import { formatDollars } from '@plantain/server/domain/money.ts'
import type { ModelRoutes, SetRoute } from '@plantain/server/domain/routing.ts'
import type { OperatorRouting } from '@plantain/server/operator.ts'
import { usage } from './exit.ts'
import { withOperator } from './local.ts'
import { showWhen } from './models.ts'
import { formatTable, plainLine, type Shared, type Terminal } from './terminal.ts'

const told = 'A running server follows within a second.'

type CostsAt = OperatorRouting['costsAt']
export interface RouteListOptions extends Shared { costs?: boolean }

const unlisted = 'not listed'
const perMillion = ({ textIn, imageIn, textOut, imageOut }: TokenPrices): string =>
  `a million tokens: ${Object.entries({ 'text in': textIn, 'images in': imageIn, 'text out': textOut, 'images out': imageOut }).map(([name, micros]) => `$${formatDollars(micros)} ${name}`).join(', ')}`

/** What a route costs us at least, in a few words. */
function showCost(list: CostList | null): string {
  const rows = list?.rows ?? []
  const figures = rows.flatMap(row => 'micros' in row ? [row] : [])
  if (figures.length === 0) return rows.some(row => 'tokens' in row) ? 'by tokens' : unlisted
  const { micros, per } = figures.reduce((least, one) => one.micros < least.micros ? one : least)
  return micros === 0 ? 'nothing' : `${rows.length > 1 ? 'from ' : ''}$${formatDollars(micros)} per ${per}`
}

const amountOf = (row: CostRow): string => 'unlisted' in row ? `${unlisted}: ${row.unlisted}` : 'tokens' in row ? perMillion(row.tokens) : row.micros === 0 ? 'nothing' : `$${formatDollars(row.micros)} per ${row.per}`
const linesOf = (list: CostList | null): string[] => list === null ? [unlisted]
  : [...list.rows.map(row => `${row.when ? `${showWhen(row.when)}: ` : ''}${amountOf(row)}`), `since ${list.from}, by: ${list.source}`]

const rowsOf = ({ model, source, routes }: ModelRoutes, costsAt: CostsAt): string[][] => [...routes].sort((a, b) => a.order - b.order).map((route, index) =>
  [index === 0 ? model : '', String(route.order), String(route.weight), route.enabled ? route.provider : `${route.provider} (off)`, route.model, showCost(costsAt(model, route)), index === 0 ? source : ''])

function show(models: ModelRoutes[], { json, costs }: RouteListOptions, costsAt: CostsAt, terminal: Terminal): void {
  if (json) {
    const all = costs ? models.map(one => ({ ...one, routes: one.routes.map(route => ({ ...route, costs: costsAt(one.model, route) })) })) : models
    return terminal.print(JSON.stringify(all.length === 1 ? all[0] : all))
  }
  if (!costs) {
    for (const line of formatTable([['model', 'order', 'weight', 'provider', 'its name there', 'costs us', 'by'], ...models.flatMap(one => rowsOf(one, costsAt))])) terminal.print(line)
    return
  }
  for (const { model, routes } of models) for (const route of [...routes].sort((a, b) => a.order - b.order)) {
    terminal.print(`${model} by ${route.provider} (${plainLine(route.model)})`)
    for (const line of linesOf(costsAt(model, route))) terminal.print(`  ${plainLine(line, 1_000)}`)
  }
}

export const listRoutes = (model: string | undefined, options: RouteListOptions, terminal: Terminal): Promise<void> => withOperator(terminal, async operator => {
  const routing = await operator.routing()
  show(model === undefined ? await routing.models() : [await routing.model(model)], options, routing.costsAt, terminal)
})

/**
 * Reads `kie=nano-banana-pro,order=2,weight=3,off`.
 *
 * @param nameAt what the model's card calls it at a provider, where no name is given
 * @throws {Exit} `usage`
 */
export function readRoute(word: string, place: number, nameAt: (provider: string) => string | null): SetRoute {
  const [head = '', ...more] = word.split(',').map(part => part.trim())
  const [provider = '', ...name] = head.split('=')
  const model = name.length > 0 ? name.join('=') : nameAt(provider)
  if (provider === '' || model === '') throw usage(`"${word}" is no route. Write provider=name-there, for example kie=nano-banana-pro.`)
  if (model === null) throw usage(`The card names no route to ${provider}. Say what the model is called there: ${provider}=name-there.`)
  const route: SetRoute = { provider, model, order: place, weight: 1, enabled: true }
  for (const part of more) {
    const [field, value = ''] = part.split('=')
    if (part === 'off') route.enabled = false
    else if ((field === 'order' || field === 'weight') && /^\d{1,4}$/.test(value)) route[field] = Number(value)
    else throw usage(`"${part}" says nothing about a route. Known are order=<n>, weight=<n> and off.`)
  }
  return route
}

export const setRoutes = (model: string, words: string[], options: Shared, terminal: Terminal): Promise<void> => withOperator(terminal, async operator => {
  const routing = await operator.routing()
  await routing.model(model)
  const set = await routing.setRoutes(model, words.map((word, index) => readRoute(word, index + 1, provider => routing.nameAt(model, provider))), atTheServer)
  show([set], options, routing.costsAt, terminal)
  terminal.note(told)
})

export const resetRoutes = (model: string, options: Shared, terminal: Terminal): Promise<void> => withOperator(terminal, async operator => {
  const routing = await operator.routing()
  show([await routing.resetRoutes(model, atTheServer)], options, routing.costsAt, terminal)
  terminal.note(told)
})

export const listAliases = ({ json }: Shared, terminal: Terminal): Promise<void> => withOperator(terminal, async operator => {
  const aliases = [...(await (await operator.routing()).read()).aliases.values()]
  if (json) return terminal.print(JSON.stringify(aliases))
  for (const line of formatTable([['alias', 'model'], ...aliases.map(({ name, model }) => [name, model])])) terminal.print(line)
})

export const setAlias = (name: string, model: string, { json }: Shared, terminal: Terminal): Promise<void> => withOperator(terminal, async operator => {
  const alias = await (await operator.routing()).setAlias(name, model, atTheServer)
  terminal.print(json ? JSON.stringify(alias) : `${alias.name} is ${alias.model}.`)
  terminal.note(told)
})

export const removeAlias = (name: string, { json }: Shared, terminal: Terminal): Promise<void> => withOperator(terminal, async operator => {
  await (await operator.routing()).removeAlias(name, atTheServer)
  terminal.print(json ? JSON.stringify({ name, removed: true }) : `${name} is forgotten.`)
  terminal.note(told)
})
