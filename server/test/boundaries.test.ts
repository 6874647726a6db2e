/**
 * Imports go down the stairs (STYLE.md). This reads them, types included: a type from the wrong room couples as firmly as a call.
 */
import assert from 'node:assert/strict'
import { globSync, readFileSync } from 'node:fs'
import { dirname, join, normalize } from 'node:path'
import { test } from 'node:test'

const root = new URL('../src/', import.meta.url)
const doors = ['providers', 'protocols', 'nodes']

/** Room → rooms it may look into, besides itself and every `contract.ts`. */
const floors: Record<string, string[]> = {
  domain: [],
  kit: ['domain'],
  db: ['domain', 'kit'],
  catalog: ['domain', 'kit', 'db'],
  access: ['domain', 'kit', 'db'],
  ledger: ['domain', 'kit', 'db'],
  assets: ['domain', 'kit', 'db'],
  delivery: ['domain', 'kit', 'db'],
  files: ['domain', 'kit', 'db'],
  batches: ['domain', 'kit', 'db'],
  templates: ['domain', 'kit', 'db'],
  sessions: ['domain', 'kit', 'db'],
  engine: ['domain', 'kit', 'db', 'catalog', 'access', 'ledger', 'assets', 'delivery', 'sessions'],
  workflows: ['domain', 'kit', 'db'],
  providers: ['domain', 'kit'],
  protocols: ['domain', 'kit'],
  nodes: ['domain', 'kit'],
  http: ['domain', 'kit', 'db', 'catalog', 'access', 'ledger', 'assets', 'delivery', 'engine'],
}

interface Source { path: string; text: string }

/** Source without comments: words about a thing are not the thing. */
const strip = (text: string) => text.replace(/\/\*[\s\S]*?\*\//g, '').replace(/(^|\s)\/\/.*$/gm, '$1')

const read = (): Source[] => globSync('**/*.ts', { cwd: root.pathname })
  .filter((path) => !path.endsWith('.test.ts'))
  .map((path) => ({ path, text: strip(readFileSync(new URL(path, root), 'utf8')) }))

const importsOf = ({ text }: Source): string[] =>
  [...text.matchAll(/(?:\bfrom|\bimport)\s*\(?\s*(['"])([^'"\n]+)\1/g)].map((match) => match[2]!)

const roomOf = (path: string): string => path.includes('/') ? path.slice(0, path.indexOf('/')) : ''
/** A door is one folder or file beside its contract: `providers/acme`. */
const doorOf = (path: string): string => path.split('/').slice(0, 2).join('/')
const isContract = (path: string) => /^[a-z]+\/contract\.ts$/.test(path)
const isShared = (path: string) => /^[a-z]+\/(contract|toolkit)\.ts$|^[a-z]+\/toolkit\//.test(path)

/** Why a file may not import another, and what to do instead; null where it may. Pure. */
function judge(from: string, wanted: string): string | null {
  const room = roomOf(from)
  if (!wanted.startsWith('.')) {
    if (!wanted.startsWith('@plantain/')) return null
    if (/^@plantain\/sandbox(\/|$)/.test(wanted) && doorOf(from) === 'providers/sandbox') return null
    // Nodes write into pictures with the renderer's type, which the bench hands them.
    if (wanted === '@plantain/sandbox/type' && from === 'bench-thread.ts') return null
    return 'other packages of this repository look into the server, not the other way round; only providers/sandbox asks the renderer, and bench-thread.ts its type'
  }
  const to = normalize(join(dirname(from), wanted))
  if (to === '../package.json') return null
  if (to.startsWith('..')) return 'this climbs out of server/src; what a room needs from outside is handed in by house.ts'
  if (to.endsWith('.test.ts')) return 'nothing but a test looks into a test'
  if (room === '') return null
  const there = roomOf(to)
  if (there === '') return 'house.ts, main.ts, config.ts and their like are the top floor: let house.ts hand the value in as an argument'
  if (floors[room] === undefined) return `the room "${room}" has no floor yet: give it one in STYLE.md and in this table`
  if (isContract(from)) return there === 'domain' || isContract(to) ? null : 'a contract looks into domain only: move the type down into domain'
  if (doors.includes(room)) {
    if (floors[room]!.includes(there)) return null
    if (there === room && (isShared(to) || doorOf(from) === doorOf(to))) return null
    return there === room
      ? 'a door never looks at its neighbour: what both need goes into kit or the toolkit beside the contract'
      : 'a door looks into domain, kit, its own contract and its toolkit: let the house hand the value in, through the contract'
  }
  if (there === room || floors[room]!.includes(there) || (isContract(to) && room !== 'domain')) return null
  return `${room} looks into ${floors[room]!.join(', ') || 'nothing'} and contracts: let house.ts hand the value in as an argument, or move the thing one floor down`
}

test('imports go down the stairs', () => {
  const wrong = read().flatMap((source) => importsOf(source).flatMap((wanted) => {
    const reason = judge(source.path, wanted)
    return reason ? [`server/src/${source.path} imports ${wanted}: ${reason}.`] : []
  }))
  assert.deepEqual(wrong, [], `\n${wrong.join('\n')}\n`)
})

const inDoors = /^(providers|protocols)\/[^/]+\//
test('doors never sleep', () => {
  const wrong = read().filter(({ path, text }) => inDoors.test(path) && !path.endsWith('/upstream.ts') && /\b(sleep|setTimeout|setInterval)\s*\(|timers\/promises/.test(text))
    .map(({ path }) => `server/src/${path} waits by itself: a provider answers \`wait\` with a receipt and the engine comes back; a protocol asks \`desk.settled\`.`)
  assert.deepEqual(wrong, [], `\n${wrong.join('\n')}\n`)
})

test('only config.ts and main.ts read the environment', () => {
  const wrong = read().filter(({ path, text }) => !['config.ts', 'main.ts'].includes(path) && /\bprocess\s*\.\s*env\b|\benv\b[^=\n]*\}\s*=\s*process\b|import\s*\{[^}]*\benv\b[^}]*\}\s*from\s*'node:process'/.test(text))
    .map(({ path }) => `server/src/${path} reads the environment: give the setting a name, a default and a sentence in config.ts, and take it as an argument.`)
  assert.deepEqual(wrong, [], `\n${wrong.join('\n')}\n`)
})

const may = (from: string, wanted: string) => test(`${from} may import ${wanted}`, () => assert.equal(judge(from, wanted), null))
const mayNot = (from: string, wanted: string, why: RegExp) => test(`${from} may not import ${wanted}`, () => assert.match(judge(from, wanted) ?? 'nothing was said', why))

may('domain/task.ts', './problem.ts')
may('kit/schema.ts', '../domain/problem.ts')
may('kit/respond.ts', '../protocols/contract.ts')
may('delivery/post.ts', '../../package.json')
may('engine/step.ts', '../providers/contract.ts')
may('engine/step.ts', '../ledger/hold.ts')
may('assets/store.ts', 'sharp')
may('providers/acme/index.ts', './wire.ts')
may('providers/acme/index.ts', '../contract.ts')
may('providers/sandbox/index.ts', '@plantain/sandbox/pool')
may('protocols/kie/index.ts', '../toolkit/read.ts')
may('house.ts', './providers/acme/index.ts')
mayNot('domain/task.ts', '../kit/id.ts', /domain looks into nothing/)
mayNot('domain/task.ts', '../protocols/contract.ts', /domain looks into nothing/)
mayNot('ledger/hold.ts', '../engine/claim.ts', /ledger looks into domain, kit, db/)
mayNot('ledger/hold.ts', '../assets/store.ts', /hand the value in/)
mayNot('engine/step.ts', '../providers/acme/index.ts', /engine looks into/)
mayNot('engine/step.ts', '../config.ts', /top floor/)
mayNot('providers/acme/index.ts', '../other/wire.ts', /never looks at its neighbour/)
mayNot('providers/acme/index.ts', '../../db/pool.ts', /a door looks into/)
mayNot('protocols/kie/index.ts', '../../providers/contract.ts', /a door looks into/)
mayNot('protocols/contract.ts', '../kit/id.ts', /a contract looks into domain/)
mayNot('kit/id.ts', '../../test/kit/house.ts', /climbs out/)
mayNot('engine/step.ts', '@plantain/sandbox', /only providers\/sandbox/)
may('bench-thread.ts', '@plantain/sandbox/type')
mayNot('bench-thread.ts', '@plantain/sandbox', /bench-thread.ts its type/)
mayNot('nodes/watermark.ts', '@plantain/sandbox/type', /bench-thread.ts its type/)
mayNot('attic/box.ts', '../domain/task.ts', /no floor yet/)

test('imports of every form are seen, in code and not in comments', () => {
  const text = strip(`
    import type { A } from './a.ts'
    import {
      b,
    } from "./b.ts"
    import './c.ts'
    export * from './d.ts'
    const e = await import('./e.ts') // from './no.ts'
    /** @example import './never.ts' */
    const link = 'https://from.example'`)
  assert.deepEqual(importsOf({ path: 'x.ts', text }), ['./a.ts', './b.ts', './c.ts', './d.ts', './e.ts'])
})
