import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Protocol, Route } from '../protocols/contract.ts'
import { openDoors } from './doors.ts'

const route = (method: Route['method'], path: string): Route => ({ method, path, scope: null, handle: async () => new Response() })
const door = (id: string, prefixes: string[], routes: Route[], claims?: Protocol['claims']): Protocol =>
  ({ id, title: id, prefixes, routes, readSecret: () => null, refuse: () => new Response(), ...(claims ? { claims } : {}) })
const speaks = (word: string): Protocol['claims'] => ({ headers }) => headers['speaks']!.includes(word)

const doors = openDoors([
  door('plain', ['/v1'], [route('GET', '/v1/models'), route('GET', '/v1/models/:model'), route('POST', '/v1/plain')]),
  door('native', ['/own'], [route('GET', '/own')]),
  door('beta', ['/v1', '/beta'], [route('GET', '/v1/models'), route('POST', '/beta/:model::make')], speaks('beta')),
  door('alpha', ['/v1/letters', '/v1/models'], [route('GET', '/v1/models/:id'), route('GET', '/v1/models'), route('POST', '/v1/letters')], speaks('alpha')),
])
const asking = (path: string, words: string | null) => ({ path, headers: words === null ? {} : { speaks: words }, query: new URLSearchParams() })

const answers = (title: string, url: string, words: string | null, id: string) => test(title, () => {
  const place = doors.places.find(one => one.method === 'GET' && one.url === url)!
  assert.equal(doors.choose(place, asking(url, words)).door.id, id)
})
answers('who claims a request answers it', '/v1/models', 'beta', 'beta')
answers('of two who claim it, the first by name', '/v1/models', 'alpha beta', 'alpha')
answers('what nobody claims is for the door that claims nothing', '/v1/models', 'gamma', 'plain')
answers('a door that stumbles claims nothing', '/v1/models', null, 'plain')

const refuses = (title: string, path: string, words: string | null, id: string) => test(`no is said by ${title}`, () => {
  assert.equal(doors.doorOf(asking(path, words)).id, id)
})
refuses('the longest prefix', '/v1/letters/x', 'gamma', 'alpha')
refuses('who claims it, even under a shorter prefix', '/v1/letters/x', 'beta', 'beta')
refuses('who claims it of those with the prefix', '/v1/nothing', 'alpha', 'plain')
refuses('the one that claims nothing, of one prefix', '/v1/nothing', 'gamma', 'plain')
refuses('the only one there', '/beta/x', null, 'beta')
refuses('the native door where nobody is at home', '/nowhere', 'alpha beta', 'native')

test('addresses that differ only in the names of their parts are one', () => {
  const [place, ...others] = doors.places.filter(({ choices }) => choices.some(({ route }) => route.path.startsWith('/v1/models/')))
  assert.deepEqual(others, [])
  assert.deepEqual(place!.choices.map(({ door: { id }, parameters }) => [id, parameters]), [['alpha', ['id']], ['plain', ['model']]])
})

test('a place that is the last of its kind has its answerer, whoever asks', () => {
  const place = doors.places.find(({ url }) => url === '/v1/plain')!
  assert.equal(doors.choose(place, asking('/v1/plain', 'alpha')).door.id, 'plain')
})

test('methods of all who share an address are known, also behind a verb', () => {
  assert.deepEqual(doors.methodsAt('/v1/models/x'), ['GET', 'HEAD'])
  assert.deepEqual(doors.methodsAt('/beta/x:make'), ['POST'])
  assert.deepEqual(doors.methodsAt('/beta/x:break'), [])
})

test('one door may not say the same thing twice', () => {
  assert.throws(() => openDoors([door('native', [], [route('GET', '/a/:b'), route('GET', '/a/:c')])]), /native has GET \/a\/:c twice/)
})
