/**
 * What stands on our own cards is true as far as it can be held against something: every live route has a cost or says why not, films cost and last what the
 * makers' lists say, and names at the packages of the AI SDK are names those packages know.
 */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import path from 'node:path'
import test from 'node:test'
import { fileURLToPath } from 'node:url'
import type { Card, CardRoute } from '../domain/card.ts'
import type { Json } from '../domain/outcome.ts'
import { casesOf } from './cases.ts'
import { loadCatalog } from './catalog.ts'
import { parametersOf } from './parameters.ts'
import { agrees, listAt } from './price.ts'

const now = new Date('2026-11-30T12:00:00Z')
const cards = loadCatalog(undefined, () => now).all()
const cardOf = (id: string): Card => cards.find(card => card.id === id)!
/** Nobody is asked for money where pictures are made here. */
const isOurs = ({ provider }: CardRoute): boolean => provider === 'sandbox'
const live = cards.filter(({ life }) => life.state !== 'retired').flatMap(card => card.routes.filter(route => !isOurs(route)).map(route => ({ card, route })))

for (const { card, route } of live) {
  test(`${card.id} by ${route.provider}: whatever is ordered has a cost, or a reason why none is known`, () => {
    assert.ok(route.costs, 'no costs at all: say with `unlisted` why')
    for (const { source, from } of route.costs) {
      assert.ok(source.length > 10 && /^\d{4}-\d\d-\d\d$/.test(from))
    }
    const { rows } = listAt(route.costs, now)
    for (const operation of card.operations) for (const facts of casesOf(card, operation, rows)) {
      // What is sold by its tokens may come without them; only words never do.
      assert.ok(rows.some(row => agrees(row, facts) && (!('tokens' in row) || card.kind === 'text')), JSON.stringify(facts))
    }
  })
}

test('nothing is free but what one’s own machine makes', () => {
  for (const { card, route } of live) {
    for (const row of route.costs!.flatMap(({ rows }) => rows)) if ('micros' in row) assert.equal(row.micros === 0, card.maker === 'local', `${card.id} by ${route.provider}`)
  }
})

test('what has no cost is this, and nothing else', () => {
  const open = live.filter(({ route }) => listAt(route.costs!, now).rows.every(row => 'unlisted' in row)).map(({ card, route }) => `${card.id} ${route.provider}`)
  // The upstream tells it with each picture.
  const told = open.filter(one => /(bfl|xai|prodia)$/.test(one))
  assert.deepEqual(open.filter(one => !told.includes(one)).sort(), [
    'gpt-image-2 wisdom-gate', 'gpt-image-2.6-flare openai', 'gpt-image-2.6-sunburst openai', 'nano-banana wisdom-gate', 'stable-diffusion-xl together',
  ])
})

test('every family the house owes is made by two providers at least', () => {
  const owed: Record<string, (card: Card) => boolean> = {
    'Nano Banana': ({ id }) => id === 'nano-banana', 'Nano Banana 2': ({ id }) => id === 'nano-banana-2', 'its successor': ({ id }) => id === 'nano-banana-2-1', 'Nano Banana Pro': ({ id }) => id === 'nano-banana-pro',
    Veo: ({ family }) => family === 'veo', 'gpt-image': ({ family }) => family === 'gpt-image', 'Flux 2': ({ family }) => family === 'flux-2', Kling: ({ family }) => family === 'kling', Seedream: ({ family }) => family === 'seedream',
    Qwen: ({ family }) => family === 'qwen-image', Ideogram: ({ family }) => family === 'ideogram', 'upscale': ({ operations }) => operations.includes('upscale'), 'background removal': ({ operations }) => operations.includes('remove_background'),
    'Omni Flash': ({ family }) => family === 'gemini-omni',
  }
  for (const [name, isOne] of Object.entries(owed)) {
    const made = cards.filter(card => card.maker !== 'local' && card.life.state !== 'retired' && isOne(card)).map(card => new Set(card.routes.map(({ provider }) => provider).filter(provider => provider !== 'sandbox')).size)
    assert.ok(Math.max(...made) >= 2, `${name}: ${made.join(', ')}`)
  }
  // Their makers ended them; the wire is kept.
  for (const family of ['imagen', 'sora']) assert.ok(cards.filter(card => card.family === family).every(({ life }) => life.state === 'retired'), family)
})

const lasts = (id: string, state: string, day: string | undefined) => test(`${id} is ${state}${day ? ` (${day})` : ''}, as the makers' pages and trackers say`, () => {
  const { life } = cardOf(id)
  assert.deepEqual([life.state, life.ends ?? life.since], [state, day])
})
lasts('nano-banana', 'deprecated', '2026-10-02')
lasts('nano-banana-2', 'deprecated', '2026-10-29')
lasts('nano-banana-2-1', 'active', undefined)
lasts('nano-banana-pro', 'active', undefined)
for (const id of ['imagen-4', 'imagen-4-fast', 'imagen-4-ultra']) lasts(id, 'retired', '2026-08-17')
for (const id of ['veo-2', 'veo-3', 'veo-3-fast']) lasts(id, 'retired', '2026-06-30')
for (const id of ['veo-3.1', 'veo-3.1-fast', 'veo-3.1-lite']) lasts(id, 'active', undefined)
for (const id of ['gpt-image-1.5', 'gpt-image-1-mini']) lasts(id, 'deprecated', '2026-12-01')
for (const id of ['sora-2', 'sora-2-pro']) lasts(id, 'retired', '2026-09-24')

/** Micro-dollars a second by size class and sound, off the lists of the makers and of Kie.ai. */
const film = (id: string, provider: string | null, seconds: Json[] | [number, number], expected: Record<string, number>, by: 'resolution' | 'size' = 'resolution') => test(`${id}${provider ? ` by ${provider}` : ''} costs and lasts what the list says`, () => {
  const card = cardOf(id)
  const { enum: allowed, minimum, maximum } = parametersOf(card, 'video').duration_s!
  assert.deepEqual(allowed ?? [minimum, maximum], seconds)
  const { rows } = listAt(provider ? card.routes.find(route => route.provider === provider)!.costs! : card.prices, now)
  for (const [wanted, micros] of Object.entries(expected)) {
    const [size, sound] = wanted.split(' ')
    const row = rows.find(one => agrees(one, { operation: 'video', [by]: size!, sound: sound === 'sound' }))
    assert.deepEqual(row && 'per' in row ? [row.micros, row.per] : row, [micros, 'second'], wanted)
  }
})
const veo = [4, 6, 8]
for (const provider of [null, 'gemini', 'vertex']) film('veo-3.1', provider, veo, { '720p': 400_000, '1080p': 400_000, '4K': 600_000 })
for (const provider of [null, 'gemini', 'vertex']) film('veo-3.1-fast', provider, veo, { '720p': 100_000, '1080p': 120_000, '4K': 300_000 })
for (const provider of [null, 'gemini', 'fal', 'replicate']) film('veo-3.1-lite', provider, veo, { '720p': 50_000, '1080p': 80_000 })
film('veo-3.1', 'fal', veo, { '720p': 400_000, '1080p': 400_000, '4K': 600_000 })
film('veo-3.1-fast', 'fal', veo, { '720p': 150_000, '1080p': 150_000, '4K': 350_000 })
for (const provider of [null, 'kie']) film('kling-3.0', provider, [3, 15], { '720p': 70_000, '720p sound': 100_000, '1080p': 90_000, '1080p sound': 135_000, '4K': 335_000, '4K sound': 335_000 })
for (const provider of ['fal', 'replicate']) film('kling-3.0', provider, [3, 15], { '720p': 84_000, '720p sound': 126_000, '1080p': 112_000, '1080p sound': 168_000, '4K': 420_000, '4K sound': 420_000 })
film('kling-3.0-turbo', 'kie', [3, 15], { '720p': 90_000, '1080p': 112_500 })
film('kling-2.6', 'kie', [5, 10], { '720p': 55_000, '720p sound': 110_000 })
film('kling-2.5-turbo', 'kie', [5, 10], { '720p': 42_000 })
film('kling-2.1-standard', 'kie', [5, 10], { '720p': 25_000 })
film('kling-2.1-pro', 'kie', [5, 10], { '1080p': 50_000 })
film('kling-2.1-master', 'kie', [5, 10], { '1080p': 160_000 })
film('sora-2', null, [4, 8, 10, 12, 15], { '720p': 100_000 })
film('sora-2-pro', null, [4, 8, 12], { '1280x720': 300_000, '1792x1024': 500_000 }, 'size')
film('gemini-omni-flash', 'fal', [3, 4, 5, 6, 7, 8, 9, 10], { '720p': 100_000, '1080p': 150_000, '4K': 300_000 })

/** Names the installed packages list in their types, whatever the types are called. */
const namesIn = (name: string): Set<string> => {
  const types = readFileSync(path.join(path.dirname(fileURLToPath(import.meta.resolve(`@ai-sdk/${name}`))), 'index.d.ts'), 'utf8')
  return new Set([...types.matchAll(/['"]([^'"\n]+)['"]/g)].map(([, one]) => one!))
}
const packages: Record<string, string> = { together: 'togetherai', deepinfra: 'deepinfra', fireworks: 'fireworks', xai: 'xai', prodia: 'prodia', bedrock: 'amazon-bedrock', vertex: 'google-vertex' }
/** Newer than the package: their makers' pages have them, and the packages pass on any name. Of Nano Banana Pro the package lists the preview, which Google took off in June 2026. */
const beyond = new Set(['together black-forest-labs/FLUX.2-dev', 'vertex gemini-3-pro-image'])

for (const [provider, name] of Object.entries(packages)) {
  test(`${provider}: every model's name is one that @ai-sdk/${name} knows`, () => {
    const known = namesIn(name)
    const routed = cards.flatMap(({ routes }) => routes.filter(route => route.provider === provider).map(({ model }) => model))
    assert.ok(routed.length > 0)
    assert.deepEqual(routed.filter(model => !known.has(model) && !beyond.has(`${provider} ${model}`)), [])
  })
}
