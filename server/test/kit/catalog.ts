/** The house's own cards, as they stand in the folder. */
import { globSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { after } from 'node:test'
import type { Card } from '../../src/domain/card.ts'
import type { Json } from '../../src/domain/outcome.ts'

const folder = new URL('../../src/catalog/cards/', import.meta.url)

export const openCatalog = (): Card[] => globSync('*.json', { cwd: folder.pathname }).sort().map(name => JSON.parse(readFileSync(new URL(name, folder), 'utf8')) as Card)

/** Copies of cards with a price of their own, in a folder for `PLANTAIN_CARDS`: models that cost nothing have no money to look at. Removed when the tests end. */
export function pricedCards(ids: string[], micros: number): string {
  const priced = mkdtempSync(path.join(tmpdir(), 'plantain-cards-'))
  after(() => rmSync(priced, { recursive: true }))
  for (const id of ids) {
    const card = JSON.parse(readFileSync(new URL(`${id}.json`, folder), 'utf8')) as Card
    const prices = card.prices.map(list => ({ ...list, rows: list.rows.map(row => ({ ...row, micros })) }))
    writeFileSync(path.join(priced, `${id}.json`), JSON.stringify({ ...card, prices }))
  }
  return priced
}

/** What an order without parameters of its own asks for. */
export const defaultsOf = ({ parameters, inputs }: Card): Record<string, Json> =>
  Object.fromEntries(Object.entries(parameters.properties as Record<string, { default?: Json; 'x-operations'?: string[] }>)
    .flatMap(([name, schema]) => schema.default === undefined || inputs.min === 0 && schema['x-operations'] ? [] : [[name, schema.default]]))
