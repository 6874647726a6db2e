/**
 * What an operator changed about models while the house runs: routes in place of a card's own, and further names for cards.
 *
 * Rows, each written with its audit row; who reads them decides how old they may be. A card's own names always come first: an alias that
 * would hide one is refused here, and one that a later card takes over simply no longer counts. Absent on purpose: prices and parameters,
 * which stand on the card and nowhere else.
 */
import { isDeepStrictEqual } from 'node:util'
import type { Card } from '../domain/card.ts'
import { Problem } from '../domain/problem.ts'
import { isSame, type Alias, type ModelRoutes, type SetRoute } from '../domain/routing.ts'
import { writeAct } from '../db/audit.ts'
import type { Client, Database } from '../db/pool.ts'
import type { Catalog } from './catalog.ts'
import { nearNames } from './near.ts'

/** Who changes something: an operator's key, or (null) whoever sits at the server. */
export interface ChangedBy { accountId: string | null; projectId: string | null; keyId: string | null }
export const atTheServer: ChangedBy = { accountId: null, projectId: null, keyId: null }

/** What is changed at the moment. */
export interface Changes {
  aliases: Map<string, Alias>
  routes: Map<string, { routes: SetRoute[]; changedAt: Date }>
}

export const noChanges: Changes = { aliases: new Map(), routes: new Map() }

export async function readChanges(client: Client): Promise<Changes> {
  const { rows: aliases } = await client.query<{ name: string; card: string; changed_at: Date }>({ name: 'changes aliases', text: 'select name, card, changed_at from model_alias order by name' })
  const { rows: routes } = await client.query<{ card: string; routes: SetRoute[]; changed_at: Date }>({ name: 'changes routes', text: 'select card, routes, changed_at from route_override order by card' })
  return {
    aliases: new Map(aliases.map(row => [row.name, { name: row.name, model: row.card, changedAt: row.changed_at }])),
    routes: new Map(routes.map(row => [row.card, { routes: row.routes, changedAt: row.changed_at }])),
  }
}

/** The routes that count for a card: the operator's where there are any, else its own, all of them on. */
export function routesIn(changes: Changes, card: Card): ModelRoutes {
  const set = changes.routes.get(card.id)
  return set ? { model: card.id, source: 'operator', changedAt: set.changedAt, routes: set.routes }
    : { model: card.id, source: 'card', changedAt: null, routes: card.routes.map(({ provider, model, order, weight }) => ({ provider, model, order, weight, enabled: true })) }
}

const routesMax = 16
const numberMax = 1_000
const aliasesMax = 1_000
const namePattern = /^[A-Za-z0-9][A-Za-z0-9._:/@-]{0,99}$/

export interface ChangeRoom {
  read(): Promise<Changes>
  /** Takes the place of every route of a model. @throws {Problem} `unknown_model`, `bad_request` */
  setRoutes(model: string, routes: SetRoute[], by: ChangedBy): Promise<ModelRoutes>
  /** Back to what the card says. @throws {Problem} `unknown_model` */
  resetRoutes(model: string, by: ChangedBy): Promise<ModelRoutes>
  /** @throws {Problem} `unknown_model`, `bad_request`, `conflict` where a card has the name already */
  setAlias(name: string, model: string, by: ChangedBy): Promise<Alias>
  /** @throws {Problem} `not_found` */
  removeAlias(name: string, by: ChangedBy): Promise<void>
}

/** `providers`: the ids of all there are, set up here or not. */
export function createChangeRoom({ database, catalog, providers }: { database: Database; catalog: Pick<Catalog, 'all' | 'find'>; providers: readonly string[] }): ChangeRoom {
  const cardOf = (model: string): Card => {
    const found = catalog.find(model)
    if (found) return found.card
    const near = nearNames(model, catalog.all().map(card => card.id))
    throw new Problem('unknown_model', `There is no model called ${model.slice(0, 100)}.${near.length > 0 ? ` Did you mean ${near.join(', ')}?` : ''}`, { field: 'model', value: model.slice(0, 100), allowed: near })
  }

  /** Whose name it is at that provider by the cards, where nobody's of them does anything this card does: what came would be paid and be no answer to its orders. */
  const otherKind = (card: Card, provider: string, model: string): Card | null => {
    const named = catalog.all().filter(({ routes }) => routes.some(route => isSame(route, { provider, model })))
    return named.some(({ operations }) => operations.some(operation => card.operations.includes(operation))) ? null : named[0] ?? null
  }

  const checkRoutes = (card: Card, routes: SetRoute[]) => {
    if (routes.length < 1 || routes.length > routesMax) throw new Problem('bad_request', `A model has 1 to ${routesMax} routes, not ${routes.length}. To take it out of service, switch its routes off.`, { field: 'routes' })
    routes.forEach(({ provider, model, order, weight }, index) => {
      const field = `routes[${index}]`
      if (!providers.includes(provider)) throw new Problem('bad_request', `There is no provider ${provider.slice(0, 100)}. Known are ${providers.join(', ')}.`, { field: `${field}.provider`, value: provider.slice(0, 100), allowed: [...providers] })
      if (provider === 'sandbox') throw new Problem('bad_request', 'The sandbox makes what test keys order; it is no route for live work.', { field: `${field}.provider`, value: provider })
      if (model.length < 1 || model.length > 200) throw new Problem('bad_request', `The upstream's name of ${card.id} has 1 to 200 characters.`, { field: `${field}.model` })
      const other = otherKind(card, provider, model)
      if (other) throw new Problem('bad_request', `At ${provider}, ${model} is ${other.id}, which does ${other.operations.join(', ')} and nothing of what ${card.id} does. A route never leads to another kind of model.`, { field: `${field}.model`, value: model })
      for (const [name, value] of Object.entries({ order, weight })) {
        if (!Number.isInteger(value) || value < 0 || value > numberMax) throw new Problem('bad_request', `${name} is a whole number from 0 to ${numberMax}, not ${value}.`, { field: `${field}.${name}`, value })
      }
      if (routes.findIndex(one => one.provider === provider && one.model === model) !== index) throw new Problem('bad_request', `The route to ${provider} (${model}) is there twice.`, { field })
    })
  }

  return {
    read: () => readChanges(database),

    async setRoutes(name, wanted, by) {
      const card = cardOf(name)
      checkRoutes(card, wanted)
      const routes = wanted.map(({ provider, model, order, weight, enabled }) => ({ provider, model, order, weight, enabled }))
      return database.transaction(async client => {
        const before = await lockRoutes(client, card)
        const { rows: [row] } = await client.query<{ changed_at: Date }>(`
          insert into route_override (card, routes) values ($1, $2) on conflict (card) do update set routes = excluded.routes, changed_at = now() returning changed_at`, [card.id, JSON.stringify(routes)])
        if (!isDeepStrictEqual(before.routes, routes)) await writeAct(client, { ...by, act: 'routes.set', subject: card.id, details: { before: before.routes, after: routes } })
        return { model: card.id, source: 'operator', changedAt: row!.changed_at, routes }
      })
    },

    async resetRoutes(name, by) {
      const card = cardOf(name)
      return database.transaction(async client => {
        const before = await lockRoutes(client, card)
        const { rowCount } = await client.query('delete from route_override where card = $1', [card.id])
        const after = routesIn(noChanges, card)
        if (rowCount === 1) await writeAct(client, { ...by, act: 'routes.reset', subject: card.id, details: { before: before.routes, after: after.routes } })
        return after
      })
    },

    async setAlias(name, model, by) {
      if (!namePattern.test(name)) throw new Problem('bad_request', 'An alias has 1 to 100 letters, digits and . _ : / @ -, and begins with a letter or a digit.', { field: 'name', value: name.slice(0, 200) })
      const taken = catalog.find(name)
      if (taken) throw new Problem('conflict', `${name} is a name of the model ${taken.card.id} itself, and an alias never hides a model. Choose another name, or change the routes of ${taken.card.id}.`, { field: 'name', value: name })
      const card = cardOf(model)
      return database.transaction(async client => {
        await client.query('lock table model_alias in share row exclusive mode')
        const { rows: [before] } = await client.query<{ card: string }>('select card from model_alias where name = $1', [name])
        const { rows: [{ count }] } = await client.query<any>('select count(*)::int as count from model_alias')
        if (!before && count >= aliasesMax) throw new Problem('conflict', `A house can have ${aliasesMax} aliases. Remove one you no longer need.`)
        const { rows: [row] } = await client.query<{ changed_at: Date }>(`
          insert into model_alias (name, card) values ($1, $2) on conflict (name) do update set card = excluded.card, changed_at = now() returning changed_at`, [name, card.id])
        if (before?.card !== card.id) await writeAct(client, { ...by, act: 'alias.set', subject: name, details: { before: before?.card ?? null, after: card.id } })
        return { name, model: card.id, changedAt: row!.changed_at }
      })
    },

    async removeAlias(name, by) {
      await database.transaction(async client => {
        const { rows: [gone] } = await client.query<{ card: string }>('delete from model_alias where name = $1 returning card', [name])
        if (!gone) throw new Problem('not_found', `There is no alias ${name.slice(0, 100)}.`)
        await writeAct(client, { ...by, act: 'alias.remove', subject: name, details: { before: gone.card, after: null } })
      })
    },
  }
}

/** One change of a card's routes at a time, so that each audit row tells what was there before it. */
async function lockRoutes(client: Client, card: Card): Promise<ModelRoutes> {
  await client.query('lock table route_override in share row exclusive mode')
  const { rows: [row] } = await client.query<{ routes: SetRoute[]; changed_at: Date }>('select routes, changed_at from route_override where card = $1', [card.id])
  return routesIn({ ...noChanges, routes: new Map(row ? [[card.id, { routes: row.routes, changedAt: row.changed_at }]] : []) }, card)
}
