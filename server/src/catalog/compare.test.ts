import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import type { Json } from '../domain/outcome.ts'
import { compare } from './compare.ts'
import { merge } from './load.ts'
import { draws } from '../../test/kit/chance.ts'

const differs = (name: string, before: Json, after: Json, expected: object[]) => test(name, () => assert.deepEqual(compare(before, after), expected))
differs('equal things do not differ', { a: [1, { b: 2 }] }, { a: [1, { b: 2 }] }, [])
differs('a value by its place', { a: { b: 1, c: 2 } }, { a: { b: 1, c: 3 } }, [{ path: 'a/c', before: 2, after: 3 }])
differs('what is new, and what is gone', { a: 1 }, { b: 2 }, [{ path: 'a', before: 1 }, { path: 'b', after: 2 }])
differs('items of a list', { rows: [{ micros: 1 }, { micros: 2 }] }, { rows: [{ micros: 1 }, { micros: 5 }] }, [{ path: 'rows/1/micros', before: 2, after: 5 }])
differs('a list of another length as a whole', { rows: [{ micros: 1 }] }, { rows: [] }, [{ path: 'rows', before: [{ micros: 1 }], after: [] }])
differs('a list of words as a whole', { enum: ['1K', '2K'] }, { enum: ['1K', '4K'] }, [{ path: 'enum', before: ['1K', '2K'], after: ['1K', '4K'] }])

const json = fc.jsonValue({ maxDepth: 3 }) as fc.Arbitrary<Json>
test('merging a change and comparing finds the change and nothing else', () => {
  assert.deepEqual(merge({ a: { b: 1, c: [1, 2] }, d: 4 }, { a: { c: [3] }, d: null, e: { f: null, g: 1 } }), { a: { b: 1, c: [3] }, e: { g: 1 } })
  fc.assert(fc.property(json, value => { assert.deepEqual(compare(value, value), []) }), draws(100))
  fc.assert(fc.property(fc.dictionary(fc.string(), json, { maxKeys: 4 }), fc.dictionary(fc.string(), json, { maxKeys: 4 }), (under, over) => {
    const once = merge(under, over)
    assert.deepEqual(merge(once, over), once, 'a change that is made already changes nothing')
  }), draws(100))
})
