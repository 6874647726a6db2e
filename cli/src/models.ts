/** Models: what a server offers, and the cards of an operator's own, which are read here and need no server. */
import { readFile } from 'node:fs/promises'
import path from 'node:path'
import type { Card } from '@plantain/server/domain/card.ts'
import type { Json } from '@plantain/server/domain/outcome.ts'
import { formatDollars } from '@plantain/server/domain/money.ts'
import { Exit, exitCodes, usage } from './exit.ts'
import { openRemote } from './remote.ts'
import { formatTable, plainLine, type Shared, type Terminal } from './terminal.ts'

interface ModelView {
  id: string
  title: string
  family?: string
  operations: string[]
  prices: { when?: Record<string, Json>; price: { micros?: number; usd: string }; per: string }[]
  token_prices?: { text_in: { usd: string }; text_out: { usd: string } } | null
  life: { state: string; ends?: string | null; replacement?: string | null }
  configured?: boolean
}

export interface ListOptions extends Shared { family?: string; operation?: string; life?: string; configured?: boolean; prices?: boolean }

/** What a model costs at least, in a few words. */
function showPrice({ prices, token_prices: tokens }: ModelView): string {
  if (tokens && prices.some(({ per }) => per === 'tokens')) return `$${tokens.text_in.usd} in, $${tokens.text_out.usd} out per million tokens`
  const cheapest = prices.reduce<ModelView['prices'][number] | null>((best, one) => best === null || (one.price.micros ?? Infinity) < (best.price.micros ?? Infinity) ? one : best, null)
  if (cheapest?.price.micros === 0) return 'free'
  return cheapest ? `${prices.length > 1 ? 'from ' : ''}$${cheapest.price.usd} per ${cheapest.per}` : 'free'
}

const showLife = ({ life: { state, ends, replacement } }: ModelView): string => state === 'active' && !ends ? ''
  : `${state}${ends && state !== 'retired' ? `, ends ${ends}` : ''}${replacement ? `, use ${replacement}` : ''}`

export async function listModels(options: ListOptions, terminal: Terminal): Promise<void> {
  const remote = await openRemote(options, terminal)
  const query = new URLSearchParams()
  for (const name of ['family', 'operation', 'life'] as const) if (options[name] !== undefined) query.set(name, options[name])
  if (options.configured) query.set('configured', 'true')
  const list = await remote.get<{ data: ModelView[] }>(`/plantain/v1/models${query.size > 0 ? `?${query}` : ''}`)
  if (options.json) return terminal.print(JSON.stringify(list))
  if (list.data.length === 0) return terminal.note('No model is like that. plantain models list shows all of them.')
  const rows = list.data.toSorted((a, b) => (a.family ?? '').localeCompare(b.family ?? '') || a.id.localeCompare(b.id, 'en', { numeric: true })).flatMap((model) => {
    const { id, family = '', operations, configured } = model
    const first = [id, family, operations.join(', '), options.prices ? '' : showPrice(model), configured ? 'set up' : '', showLife(model)]
    return options.prices ? [first, ...model.prices.map(({ when = {}, price, per }) => ['', '', model.prices.length === 1 ? 'always' : showWhen(when), `$${price.usd} per ${per}`, '', ''])] : [first]
  })
  for (const line of formatTable([['model', 'family', 'does', 'price', 'live', ''], ...rows])) terminal.print(line)
}

export const showWhen = (when: Record<string, Json>): string => Object.entries(when).map(([name, value]) => `${name} ${String(value)}`).join(', ') || 'otherwise'

/** The folder or file that is meant, or `PLANTAIN_CARDS`; relative to where the caller stood. */
function placeOf(place: string | undefined, terminal: Terminal): string {
  const wanted = place ?? terminal.env.PLANTAIN_CARDS
  if (!wanted) throw usage('Which cards? Name a folder or a file, or set PLANTAIN_CARDS.')
  return path.resolve(terminal.folder, wanted)
}

const catalogue = async () => {
  const [load, { compare }] = await Promise.all([import('@plantain/server/catalog/load.ts'), import('@plantain/server/catalog/compare.ts')])
  return { compare, ...load }
}

/** Ends a command with every mistake on a line of its own. */
function refuse(mistakes: string[], terminal: Terminal, json: boolean | undefined): never {
  // Files are shown as the caller would write them.
  const shown = mistakes.map((mistake) => mistake.startsWith(terminal.folder + path.sep) ? mistake.slice(terminal.folder.length + 1) : mistake)
  if (json) terminal.print(JSON.stringify({ ok: false, mistakes: shown }))
  else for (const mistake of shown) terminal.note(plainLine(mistake, 1_000))
  throw new Exit(exitCodes.failed, 'bad_cards', json ? '' : `${shown.length === 1 ? 'One mistake' : `${shown.length} mistakes`}. A server would not start with these cards.`)
}

/** Checks cards of your own, laid over ours, as a server would at its start. */
export async function validateModels(place: string | undefined, { json }: { json?: boolean }, terminal: Terminal): Promise<void> {
  const own = placeOf(place, terminal)
  const { ownCards, filesIn, readFiled, CatalogError } = await catalogue()
  try {
    const files = new Set(filesIn(own))
    const read = readFiled([ownCards, own]).filter(({ file }) => files.has(file))
    if (read.length === 0) throw usage(`There are no cards in ${own}. A card is a .json file, see docs/cards.md.`)
    const warnings = await findStrays(read.map(({ card }) => card), terminal)
    if (json) return terminal.print(JSON.stringify({ ok: true, cards: read.map(({ card }) => card.id), ...(warnings.length > 0 ? { warnings } : {}) }))
    for (const warning of warnings) terminal.note(plainLine(warning, 1_000))
    terminal.print(`${read.length === 1 ? 'One card is' : `${read.length} cards are`} in order: ${read.map(({ card }) => card.id).join(', ')}.`)
  } catch (thrown) {
    if (thrown instanceof CatalogError) refuse(thrown.mistakes, terminal, json)
    throw thrown
  }
}

/** Routes to providers nobody here knows: no mistake, for another server may know them, but as good as none on this one. */
async function findStrays(cards: Pick<Card, 'id' | 'routes'>[], { env }: Terminal): Promise<string[]> {
  const [{ findProviders }, { readConfig }] = await Promise.all([import('@plantain/server/providers.ts'), import('@plantain/server/config.ts')])
  const known = (await findProviders(readConfig(env))).map(({ id }) => id)
  return cards.flatMap(({ id, routes }) => routes.flatMap(({ provider }, index) => known.includes(provider) ? []
    : [`${id}: routes/${index}/provider: there is no provider ${provider} here, so this route makes nothing. Known are ${known.join(', ')}.`]))
}

/** Shows, field by field, what cards of your own change about ours. */
export async function diffModels(place: string | undefined, { json }: { json?: boolean }, terminal: Terminal): Promise<void> {
  const own = placeOf(place, terminal)
  const { ownCards, filesIn, readFiled, compare, CatalogError } = await catalogue()
  try {
    const ours = new Map(readFiled([ownCards]).map(({ card }) => [card.id, card]))
    const files = new Set(filesIn(own))
    const read = readFiled([ownCards, own]).filter(({ file }) => files.has(file))
    if (read.length === 0) throw usage(`There are no cards in ${own}. A card is a .json file, see docs/cards.md.`)
    const all = await Promise.all(read.map(async ({ file, card }) => {
      const before = ours.get(card.id)
      const isChange = /"extends"\s*:/.test(await readFile(file, 'utf8'))
      return { card: card.id, file: path.relative(terminal.folder, file), kind: before ? isChange ? 'changes ours' : 'takes the place of ours' : 'is new', differences: before ? compare(before as unknown as Json, card as unknown as Json) : [] }
    }))
    if (json) return terminal.print(JSON.stringify(all))
    for (const [index, { card, file, kind, differences }] of all.entries()) {
      if (index > 0) terminal.print('')
      terminal.print(`${card} ${kind} (${file})${kind !== 'is new' && differences.length === 0 ? ', and says the same' : ''}`)
      for (const { path: field, before, after } of differences) {
        const inDollars = field.endsWith('micros')
        terminal.print(`  ${field}`)
        if (before !== undefined) terminal.print(`    - ${showValue(before, inDollars)}`)
        if (after !== undefined) terminal.print(`    + ${showValue(after, inDollars)}`)
      }
    }
  } catch (thrown) {
    if (thrown instanceof CatalogError) refuse(thrown.mistakes, terminal, json)
    throw thrown
  }
}

const showValue = (value: Json, inDollars: boolean): string => `${plainLine(JSON.stringify(value), 400)}${inDollars && typeof value === 'number' ? ` ($${formatDollars(value)})` : ''}`
