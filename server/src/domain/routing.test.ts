import assert from 'node:assert/strict'
import { test } from 'node:test'
import { findWays, firstOf, rankRoutes, type Candidate, type Route, type Try } from './routing.ts'

const route = (provider: string, weight = 1, order = 1): Route => ({ provider, model: 'm', order, weight })
const keys = Array.from({ length: 20_000 }, (_, index) => `key-${index}`)
const firstFor = (routes: Route[]) => new Map(keys.map(key => [key, rankRoutes(routes, key)[0]!.provider]))
const shares = (routes: Route[]): Record<string, number> => {
  const counts: Record<string, number> = {}
  for (const provider of firstFor(routes).values()) counts[provider] = (counts[provider] ?? 0) + 1 / keys.length
  return counts
}
const near = (value: number | undefined, expected: number) => assert.ok(Math.abs((value ?? 0) - expected) < 0.015, `${value} is not ${expected}`)

test('weights share the traffic', () => {
  const counts = shares([route('a', 1), route('b', 3), route('c', 6)])
  near(counts.a, 0.1); near(counts.b, 0.3); near(counts.c, 0.6)
})

test('keys that follow each other are spread as well as any', () => {
  const counts: Record<string, number> = {}
  for (let index = 0; index < 10_000; index++) {
    const first = rankRoutes([route('a'), route('b')], (0x0193_0000_0000 + index).toString(16).padStart(32, '0'))[0]!.provider
    counts[first] = (counts[first] ?? 0) + 1
  }
  near(counts.a! / 10_000, 0.5)
})

test('order comes before weight, and weight 0 is a last resort within its order', () => {
  for (const key of keys.slice(0, 200)) {
    assert.deepEqual(rankRoutes([route('late', 100, 2), route('spare', 0, 1), route('first', 1, 1)], key).map(one => one.provider), ['first', 'spare', 'late'])
  }
})

test('a key always gets the same order, however the routes are listed', () => {
  const routes = [route('a', 1), route('b', 3), route('c', 6)]
  for (const key of keys.slice(0, 200)) assert.deepEqual(rankRoutes(routes, key), rankRoutes([...routes].reverse(), key))
})

test('a route that goes moves only its own keys, and one that comes takes only its share', () => {
  const [few, many] = [firstFor([route('a', 1), route('b', 3)]), firstFor([route('a', 1), route('b', 3), route('c', 4)])]
  let moved = 0
  for (const key of keys) {
    if (many.get(key) === 'c') moved++
    else assert.equal(few.get(key), many.get(key))
  }
  near(moved / keys.length, 0.5)
})

test('a heavier weight takes keys from others and gives none away', () => {
  const [before, after] = [firstFor([route('a', 1), route('b', 1)]), firstFor([route('a', 1), route('b', 2)])]
  for (const key of keys) if (before.get(key) === 'b') assert.equal(after.get(key), 'b')
})

const now = new Date('2026-11-29T10:00:00Z')
const stands = (provider: string, standing: Candidate['standing'] = 'ready', inMs = 0): Candidate => ({ ...route(provider), standing, until: standing === 'ready' ? null : new Date(now.getTime() + inMs) })

test('the first that is ready is asked; where none is, the one that is free soonest', () => {
  assert.equal(firstOf([stands('a', 'down', 1_000), stands('b')])?.provider, 'b')
  assert.equal(firstOf([stands('a', 'down', 9_000), stands('b', 'busy', 1_000)])?.provider, 'b')
  assert.equal(firstOf([]), null)
})

const tried = (...list: [string, Try['code']][]): Try[] => list.map(([provider, code]) => ({ provider, model: 'm', code }))
const ways = (ranked: Candidate[], tries: Try[], retryAfterMs: number | null = null) => {
  const found = findWays({ ranked, present: tries.at(-1)!, tries, retryAfterMs, now })
  return [found.now?.provider ?? null, found.later && [found.later.route.provider, found.later.floorMs]]
}

test('each route is asked once before any is asked again', () => {
  const all = [stands('a'), stands('b'), stands('c')]
  assert.deepEqual(ways(all, tried(['a', 'provider_down']))[0], 'b')
  assert.deepEqual(ways(all, tried(['a', 'provider_down'], ['b', 'provider_busy']))[0], 'c')
  assert.deepEqual(ways(all, tried(['a', 'provider_down'], ['b', 'provider_busy'], ['c', 'provider_down'])), [null, ['a', 0]])
  assert.deepEqual(ways(all, tried(['a', 'provider_down'], ['b', 'provider_busy'], ['c', 'provider_down'], ['a', 'provider_down']))[0], 'b')
})

test('one that said it cannot is not asked again', () => {
  assert.deepEqual(ways([stands('a'), stands('b')], tried(['a', 'unsupported_parameter'], ['b', 'provider_down'])), [null, ['b', 0]])
  assert.deepEqual(ways([stands('a'), stands('b')], tried(['a', 'unsupported_parameter'], ['b', 'provider_not_configured'])), [null, null])
})

test('who is busy or down is passed over while there is somebody else, and waited for where there is not', () => {
  assert.deepEqual(ways([stands('a'), stands('b', 'down', 5_000), stands('c')], tried(['a', 'provider_busy']), 30_000), ['c', ['c', 0]])
  assert.deepEqual(ways([stands('a'), stands('b', 'down', 5_000)], tried(['a', 'provider_busy']), 30_000), [null, ['b', 5_000]])
  assert.deepEqual(ways([stands('a'), stands('b', 'down', 50_000)], tried(['a', 'provider_busy']), 30_000), [null, ['a', 30_000]])
})

test('where there is one way only, it is the present one; a present one that is no route any more is left', () => {
  assert.deepEqual(ways([], tried(['a', 'provider_busy']), 3_000), [null, ['a', 3_000]])
  assert.deepEqual(ways([stands('b')], tried(['a', 'provider_busy']), 3_000), ['b', ['b', 0]])
})
