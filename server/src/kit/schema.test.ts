import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Type } from 'typebox'
import { Problem } from '../domain/problem.ts'
import { queryReader, readInstant, reader } from './schema.ts'

const Source = Type.Union([
  Type.String(),
  Type.Object({ url: Type.Optional(Type.String()), side: Type.Optional(Type.Integer({ minimum: 1, maximum: 9 })) }, { additionalProperties: false }),
])
const read = reader(Type.Object({
  name: Type.String({ minLength: 2, maxLength: 5 }),
  size: Type.Optional(Type.Enum(['small', 'large'])),
  mode: Type.Optional(Type.Union([Type.Literal('a'), Type.Literal('b')])),
  count: Type.Optional(Type.Integer({ minimum: 1, maximum: 4 })),
  sources: Type.Optional(Type.Array(Source, { maxItems: 2 })),
  notes: Type.Optional(Type.Record(Type.String(), Type.String({ maxLength: 3 }), { maxProperties: 1 })),
}, { additionalProperties: false }))

function problemOf(deed: () => unknown): Problem {
  try {
    deed()
  } catch (thrown) {
    assert.ok(thrown instanceof Problem)
    assert.equal(thrown.code, 'bad_request')
    return thrown
  }
  return assert.fail('nothing was refused')
}

test('what fits comes back as it was', () => {
  const value = { name: 'boat', size: 'large', mode: 'b', count: 4, sources: ['x', { url: 'y', side: 9 }], notes: { a: 'b' } }
  assert.equal(read(value), value)
})

for (const [name, value, message, field] of [
  ['not an object', [], 'The body must be an object, not a list.', undefined],
  ['nothing', undefined, 'The body must be an object, not nothing.', undefined],
  ['a missing field', {}, 'name is missing.', 'name'],
  ['another type', { name: 7 }, 'name must be text, not a whole number.', 'name'],
  ['too short', { name: 'x' }, 'name must have at least 2 characters.', 'name'],
  ['too long', { name: 'xxxxxx' }, 'name may have at most 5 characters.', 'name'],
  ['an unknown field', { name: 'boat', nme: 1 }, 'There is no field nme. Known are name, size, mode, count, sources, notes.', 'nme'],
  ['another choice', { name: 'boat', size: 'huge' }, 'size must be one of small, large.', 'size'],
  ['another literal', { name: 'boat', mode: 'c' }, 'mode must be one of a, b.', 'mode'],
  ['out of range', { name: 'boat', count: 5 }, 'count must be between 1 and 4, not 5.', 'count'],
  ['no whole number', { name: 'boat', count: 1.5 }, 'count must be a whole number, not a number.', 'count'],
  ['too many', { name: 'boat', sources: ['a', 'b', 'c'] }, 'sources may have at most 2 items.', 'sources'],
  ['no kind of source', { name: 'boat', sources: [1] }, 'sources[0] must be text or an object.', 'sources[0]'],
  ['a flaw inside a choice', { name: 'boat', sources: ['a', { side: 0 }] }, 'sources[1].side must be between 1 and 9, not 0.', 'sources[1].side'],
  ['an unknown field inside a choice', { name: 'boat', sources: [{ link: 'x' }] }, 'There is no field sources[0].link. Known are url, side.', 'sources[0].link'],
  ['a flaw in a record', { name: 'boat', notes: { a: 1 } }, 'notes.a must be text, not a whole number.', 'notes.a'],
  ['too many in a record', { name: 'boat', notes: { a: '1', b: '2' } }, 'notes may have at most 1 entries.', 'notes'],
] as [string, unknown, string, string | undefined][]) {
  test(`says what is wrong: ${name}`, () => {
    const problem = problemOf(() => read(value))
    assert.deepEqual([problem.message, problem.details.field], [message, field])
  })
}

test('a refusal repeats a little of what was sent, never all of it', () => {
  const problem = problemOf(() => read({ name: 'x'.repeat(100_000), ['y'.repeat(100_000)]: 1 }))
  assert.ok(JSON.stringify([problem.message, problem.details]).length < 1_000)
})

const readQuery = queryReader(Type.Object({
  limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 9 })), loud: Type.Optional(Type.Boolean()), name: Type.Optional(Type.String()),
  state: Type.Optional(Type.Array(Type.Enum(['on', 'off']))), notes: Type.Optional(Type.Record(Type.String(), Type.String())),
}, { additionalProperties: false }))

test('a query is read by its schema: numbers, truth, lists and pairs', () => {
  assert.deepEqual(readQuery(new URLSearchParams('limit=3&loud=true&name=7&state=on&state=off,on&notes[a]=b&notes[__proto__]=c')),
    { limit: 3, loud: true, name: '7', state: ['on', 'off', 'on'], notes: Object.assign(Object.create(null), { a: 'b', ['__proto__']: 'c' }) })
})

for (const query of ['limit=x', 'limit=1e1', 'limit=', 'limit=0', 'loud=yes', 'nme=x', 'name=a&name=b', 'state=sideways', 'notes=x', '__proto__=x', 'name=%00']) {
  test(`a query is refused: ${query}`, () => { problemOf(() => readQuery(new URLSearchParams(query))) })
}

test('an instant is a day or a time of the common era\'s recent part', () => {
  assert.equal(readInstant('2026-01-31', 'from').toISOString(), '2026-01-31T00:00:00.000Z')
  assert.equal(readInstant('2026-01-31T12:00:00+02:00', 'from').toISOString(), '2026-01-31T10:00:00.000Z')
  for (const text of ['', 'now', '2026-13-01', '2026-02-40', '0001-01-01', '12026-01-01', '2026-01-31 12:00', '9999-12-31T23:59:59-14:00']) {
    assert.equal(problemOf(() => readInstant(text, 'from')).details.field, 'from')
  }
})
