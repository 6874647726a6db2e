/** Which provider makes what: the built-in model for test keys, the card's first route that is set up here for live ones. */
import type { Card } from './domain/card.ts'
import { Problem } from './domain/problem.ts'

export interface Route { provider: string; model: string }

export interface Routing { route(card: Card, livemode: boolean): Route }

export interface RoutingOptions {
  /** Providers that are set up, by id. */
  configured: ReadonlySet<string>
  /** Settings that are missing, by the id of a provider that is known but not set up. */
  missing: ReadonlyMap<string, string[]>
}

export const createRouting = ({ configured, missing }: RoutingOptions): Routing => ({
  route(card, livemode) {
    if (!livemode) return { provider: 'sandbox', model: card.id }
    const routes = [...card.routes].sort((a, b) => a.order - b.order)
    const open = routes.find(route => configured.has(route.provider))
    if (open) return { provider: open.provider, model: open.model }
    const settings = routes.flatMap(route => missing.get(route.provider) ?? [])
    throw new Problem('provider_not_configured', settings.length > 0
      ? `No provider of ${card.id} is set up on this server. Set ${settings.join(' or ')} and restart it, or use a test key.`
      : `${card.id} is made by ${routes.map(route => route.provider).join(' or ') || 'nobody'}, and this server has no such provider. Use a test key, or another model.`,
    { model: card.id, settings })
  },
})
