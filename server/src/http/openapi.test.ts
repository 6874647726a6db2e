import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { test } from 'node:test'
import { loadFolders } from '../kit/loader.ts'
import type { Protocol } from '../protocols/contract.ts'
import { openapiFile, writeOpenapi } from './write-openapi.ts'

const text = await writeOpenapi()
const document = JSON.parse(text)

test('the committed description is the one the routes make', async () => {
  assert.ok(await readFile(openapiFile, 'utf8') === text, 'server/openapi.json is stale. Run: node server/src/http/write-openapi.ts')
})

/** Places by their path; what its parts are called makes no difference. */
const places = new Map(Object.entries<any>(document.paths).map(([path, place]) => [path.replace(/\{[^}]+\}/g, '{}'), place]))

test('no two described paths differ only in what they call their parts', () => assert.equal(places.size, Object.keys(document.paths).length))

test('every route of every door is described', async () => {
  for (const door of await loadFolders<Protocol>(new URL('../protocols/', import.meta.url))) {
    for (const { method, path, about } of door.routes) {
      const written = path.replace(/::/g, '\0').replace(/:[A-Za-z0-9_]+/g, '{}').replace('*', '{}').replace(/\0/g, ':')
      const described = places.get(written)?.[method.toLowerCase()]
      assert.ok(described, `${method} ${path}`)
      if (door.id === 'native') assert.equal(described.summary, about?.summary, `${method} ${path} needs a summary`)
    }
  }
})

test('every reference leads somewhere', () => {
  const references = [...text.matchAll(/"\$ref": "#\/([^"]+)"/g)].map(match => match[1]!)
  assert.ok(references.length > 20)
  for (const reference of references) {
    assert.ok(reference.split('/').reduce((node, part) => node?.[part], document), reference)
  }
})

test('operation ids are told apart', () => {
  const ids = Object.values<Record<string, { operationId: string }>>(document.paths).flatMap(place => Object.values(place).map(({ operationId }) => operationId))
  assert.equal(new Set(ids).size, ids.length)
})
