/** The house's own cards, as they stand in the folder. */
import { globSync, readFileSync } from 'node:fs'
import type { Card } from '../../src/domain/card.ts'

const folder = new URL('../../src/catalog/cards/', import.meta.url)

export const openCatalog = (): Card[] => globSync('*.json', { cwd: folder.pathname }).sort().map(name => JSON.parse(readFileSync(new URL(name, folder), 'utf8')) as Card)
