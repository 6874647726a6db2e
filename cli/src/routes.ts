/** Routes and aliases of this house: who makes what for live keys, and names of its own for models. On its database, as keys are. */
import { atTheServer } from '@plantain/server/catalog/changes.ts'
import type { ModelRoutes, SetRoute } from '@plantain/server/domain/routing.ts'
import { usage } from './exit.ts'
import { withOperator } from './local.ts'
import { formatTable, type Shared, type Terminal } from './terminal.ts'

const told = 'A running server follows within a second.'

const rowsOf = ({ model, source, routes }: ModelRoutes): string[][] =>
  [...routes].sort((a, b) => a.order - b.order).map((route, index) => [index === 0 ? model : '', String(route.order), String(route.weight), route.enabled ? route.provider : `${route.provider} (off)`, route.model, index === 0 ? source : ''])

function show(models: ModelRoutes[], { json }: Shared, terminal: Terminal): void {
  if (json) return terminal.print(JSON.stringify(models.length === 1 ? models[0] : models))
  for (const line of formatTable([['model', 'order', 'weight', 'provider', 'its name there', 'by'], ...models.flatMap(rowsOf)])) terminal.print(line)
}

export const listRoutes = (model: string | undefined, options: Shared, terminal: Terminal): Promise<void> => withOperator(terminal, async operator => {
  const routing = await operator.routing()
  if (model !== undefined) return show([await routing.model(model)], options, terminal)
  const models = await routing.models()
  if (options.json) return terminal.print(JSON.stringify(models))
  show(models, options, terminal)
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
  show([set], options, terminal)
  terminal.note(told)
})

export const resetRoutes = (model: string, options: Shared, terminal: Terminal): Promise<void> => withOperator(terminal, async operator => {
  show([await (await operator.routing()).resetRoutes(model, atTheServer)], options, terminal)
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
