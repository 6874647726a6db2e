/**
 * Kie's dialect at the front door and Kie at the back door are two readings of the same pages, written apart. Here they are held against
 * each other: whatever a client may say of a model comes out at the back as it went in.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Card, DialectName, JsonSchema } from '../src/domain/card.ts'
import type { Order } from '../src/domain/order.ts'
import type { Json } from '../src/domain/outcome.ts'
import { loadCatalog } from '../src/catalog/catalog.ts'
import { readInput } from '../src/protocols/kie/input.ts'
import { writeInput } from '../src/providers/kie/input.ts'

const catalog = loadCatalog()
const now = new Date('2026-11-21T00:00:00Z')
const link = 'https://pictures.example/a.png'

function sample(field: JsonSchema): Json {
  if (field.enum) return field.default ?? (field.enum as Json[])[0]!
  switch (field.type) {
    case 'array': return Array.from({ length: Number(field.minItems ?? 1) }, () => link)
    case 'boolean': return field.default ?? false
    case 'integer': case 'number': return field.default ?? field.minimum ?? 5
    default: return field.format === 'uri' ? link : 'a red kite over the sea'
  }
}

/** The shortest input, one for every word any field may have, and one with everything that is no picture. */
function samples({ input, fields = {} }: DialectName): Record<string, Json>[] {
  const properties = input!.properties as Record<string, JsonSchema>
  const needed = Object.keys(properties).filter(name => (input!.required as string[]).includes(name) || name === 'prompt')
  const shortest = Object.fromEntries(needed.map(name => [name, sample(properties[name]!)]))
  const words = Object.entries(properties).flatMap(([name, { enum: allowed, type }]) => (allowed as Json[] | undefined ?? (type === 'boolean' ? [true, false] : [])).map(value => ({ ...shortest, [name]: value })))
  const full = { ...shortest, ...Object.fromEntries(Object.entries(properties).filter(([name]) => fields[name] && !fields[name].startsWith('inputs')).map(([name, field]) => [name, sample(field)])) }
  const pictures = Object.keys(properties).filter(name => fields[name]?.startsWith('inputs')).map(name => ({ ...shortest, [name]: sample(properties[name]!) }))
  return [shortest, ...words, full, ...pictures]
}

/** What the wire page says of its own models: a client may write it, Kie may not take it. */
const outOfReach = (input: Record<string, Json>, model: string): boolean =>
  model === 'wan/2-7-image-pro' && input.resolution === '4K' && input.input_urls !== undefined
  // The fields Kie has for these stand beside a first picture only.
  || input.tail_image_url !== undefined && input.image_url === undefined || input.last_frame_url !== undefined && input.first_frame_url === undefined

const asset = { id: '0'.repeat(32), projectId: '1'.repeat(32), livemode: true, kind: 'input' as const, sha256: 'a'.repeat(64), mime: 'image/png', sizeBytes: 1_000, width: 1_000, height: 1_000, name: null, taskId: null, createdAt: now, expiresAt: null }

function throughTheHouse(card: Card, name: DialectName, input: Record<string, Json>) {
  const read = readInput(input, name)
  const inputs = read.pictures.map(({ role }) => ({ assetId: asset.id, role }))
  const order: Order = { model: name.id, prompt: read.prompt, parameters: read.parameters, inputs, ...(name.operation ? { operation: name.operation } : {}), wire: { protocol: 'kie', body: {} } }
  const { operation, parameters, count } = catalog.check(order, inputs.map(() => asset), now, { livemode: true })
  const route = card.routes.find(({ provider }) => provider === 'kie')!
  const job = { model: route.model, operation, prompt: read.prompt, parameters, count, key: 'k', inputs: inputs.map(({ role }) => ({ role, mime: 'image/png', sizeBytes: 1_000, width: 1_000, height: 1_000 })) }
  return { read, written: writeInput(job, inputs.map(() => link)) }
}

let tried = 0
for (const card of catalog.all().filter(({ life, routes, dialects }) => life.state !== 'retired' && dialects.kie && routes.some(({ provider }) => provider === 'kie'))) {
  for (const name of card.dialects.kie!) {
    test(`${name.id} comes out as it went in`, () => {
      for (const input of samples(name)) {
        if (outOfReach(input, name.id)) continue
        const { read, written } = throughTheHouse(card, name, input)
        const says = JSON.stringify({ input, written })
        assert.equal(written.model, name.id, says)
        const back = readInput(written.input, name)
        // How many is said by as many tasks.
        const { count: _, ...asked } = read.parameters
        // `auto` is square here where there is no picture to follow, and said so to an upstream for whom it means something else.
        if (asked.aspect_ratio === 'auto' && read.pictures.length === 0) asked.aspect_ratio = back.parameters.aspect_ratio === '1:1' ? '1:1' : 'auto'
        for (const [parameter, value] of Object.entries(asked)) assert.deepEqual(back.parameters[parameter], value, `${parameter} of ${says}`)
        assert.deepEqual([back.prompt, back.pictures.map(({ url, role }) => [url, role])], [read.prompt, read.pictures.map(({ url, role }) => [url, role])], says)
        assert.deepEqual(back.warnings.filter(one => one.startsWith('Ignored')), [], says)
        tried++
      }
    })
  }
}
test('enough was tried to mean something', () => { assert.ok(tried > 300, String(tried)) })
