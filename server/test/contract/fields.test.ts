/**
 * Every field written for a model of fal's or Replicate's is one its upstream has, with a value it takes: for each card with a route there, each value of each
 * of its parameters, without pictures and with them. The upstreams' words are those of fal's own client and of the tables in `upstreams/replicate-schemas.ts`.
 */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { loadCatalog } from '../../src/catalog/catalog.ts'
import { parametersOf } from '../../src/catalog/parameters.ts'
import type { Asset } from '../../src/domain/asset.ts'
import type { Card } from '../../src/domain/card.ts'
import type { Operation, Role } from '../../src/domain/order.ts'
import type { Json } from '../../src/domain/outcome.ts'
import { Problem } from '../../src/domain/problem.ts'
import * as fal from '../../src/providers/fal/models.ts'
import * as replicate from '../../src/providers/replicate/models.ts'
import { job } from '../kit/contract.ts'
import * as falTypes from '../upstreams/fal-types.ts'
import * as replicateSchemas from '../upstreams/replicate-schemas.ts'

const now = new Date('2026-11-30T12:00:00Z')
const catalog = loadCatalog(undefined, () => now)

type Written = { name: string; input: Record<string, Json> }[]
const upstreams = {
  fal: { names: fal.modelNames, unfitOf: falTypes.unfitOf, write: (one: fal.Sized, links: string[]): Written => fal.writeRequests(one, links).requests.map(({ endpoint, input }) => ({ name: endpoint, input })) },
  replicate: {
    names: replicate.modelNames, unfitOf: replicateSchemas.unfitOf,
    write: (one: fal.Sized, links: string[]): Written => { const { model, inputs } = replicate.writeInputs(one, links); return inputs.map(input => ({ name: model, input })) },
  },
}

const possible = ({ inputs: { roles } }: Card): Role[][] => ([[], ...Object.keys(roles).map(role => [role]), ['first_frame', 'last_frame'], ['reference', 'mask']] as Role[][]).filter(one => one.every(role => Object.hasOwn(roles, role)))

/** One order for each value of each parameter, and one that says nothing. */
function parametersFor(card: Card, operation: Operation): Record<string, Json>[] {
  const known = Object.entries(parametersOf(card, operation)).filter(([name]) => name !== 'count')
  return [{}, ...known.flatMap(([name, { enum: allowed, type, default: usual, minimum, maximum }]) =>
    (allowed as Json[] | undefined ?? (type === 'boolean' ? [true, false] : type === 'string' ? ['rain'] : [usual ?? minimum ?? 1, maximum ?? 2] as Json[])).map(value => ({ [name]: value })))]
}

/** Everything the card takes, as jobs. */
function* jobsFor(card: Card, model: string) {
  for (const operation of card.operations) for (const parameters of parametersFor(card, operation)) for (const roles of possible(card)) {
    const assets = roles.map((_, index) => ({ id: String(index), mime: 'image/png', sizeBytes: 3_000, width: 900, height: 600 }) as Asset)
    const inputs = roles.map((role, index) => ({ assetId: String(index), role }))
    try {
      const checked = catalog.check({ model: card.id, operation, prompt: 'a kite', parameters, inputs, wire: null, metadata: {}, callbackUrl: null, priority: 'interactive' } as never, assets, now, { livemode: true })
      yield job({
        model, operation, prompt: 'a kite', parameters: checked.parameters, width: checked.width, height: checked.height,
        inputs: inputs.map((one, index) => ({ ...one, mime: 'image/png', sizeBytes: 3_000, width: 900, height: 600, sha256: '', read: async () => Buffer.alloc(0), link: () => `https://f.example/${index}` })),
      })
    } catch (thrown) {
      if (!(thrown instanceof Problem)) throw thrown
    }
  }
}

for (const [id, { names, unfitOf, write }] of Object.entries(upstreams)) {
  const routed = catalog.all().flatMap(card => card.routes.filter(({ provider }) => provider === id).map(({ model }) => ({ card, model })))

  describe(`whatever is ordered, only fields and values that ${id} has`, () => {
    test('every route leads to a model that is known here', () => {
      assert.ok(routed.length > 15)
      assert.deepEqual(routed.filter(({ model }) => !names.includes(model)).map(({ card }) => card.id), [])
    })

    for (const { card, model } of routed) {
      test(`${card.id} (${model})`, () => {
        let written = 0
        for (const one of jobsFor(card, model)) {
          try {
            for (const { name, input } of write(one, one.inputs.map((_, index) => `https://f.example/${index}`))) {
              assert.equal(unfitOf(name, input), null, `${name}: ${JSON.stringify(input)}`)
              written++
            }
          } catch (thrown) {
            if (!(thrown instanceof Problem)) throw thrown
            assert.ok(['unsupported_parameter', 'bad_request'].includes(thrown.code), thrown.message)
          }
        }
        assert.ok(written > 0)
      })
    }
  })
}
