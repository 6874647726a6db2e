/** Every route of our cards to one provider, made through the house against the rehearsal of its upstream. */
import assert from 'node:assert/strict'
import { before, test } from 'node:test'
import type { Card } from '../../src/domain/card.ts'
import type { Operation, Role } from '../../src/domain/order.ts'
import { paint } from '../upstreams/loopback.ts'
import { openCatalog } from './catalog.ts'
import type { TestHouse } from './house.ts'
import { moneyOf, send } from './live.ts'

export interface Everywhere {
  provider: string
  house(): TestHouse
  upstream(): { stats(): { asked: number; bought: number }; clear(): void }
  /** What no order of that kind is made of there, as `model operation`. */
  never?: string[]
}

/** Pictures that may come in together: none, each role (a mask never alone), and the pairs that go with each other. */
const togetherIn = ({ inputs: { min, roles } }: Card): Role[][] =>
  ([[], ...Object.keys(roles).map(role => [role]), ['first_frame', 'last_frame'], ['reference', 'mask']] as Role[][]).filter(one => one.length >= min && one.join() !== 'mask' && one.every(role => Object.hasOwn(roles, role)))

/** Each card's route is taken with whatever pictures its operations may have: made and paid, or refused before anybody is asked; and each operation is made in some way. */
export function everyRoute({ provider, house, upstream, never = [] }: Everywhere): void {
  const cards = openCatalog().filter(({ life, routes }) => life.state !== 'retired' && routes.some(route => route.provider === provider))
  const orders = cards.flatMap(card => card.operations.flatMap(operation => togetherIn(card).map(roles => ({ card, operation, roles }))))
  let ended: { card: Card; operation: Operation; roles: Role[]; status: number; body: any }[] = []
  before(async () => {
    upstream().clear()
    const base64 = (await paint(1200, 900)).toString('base64')
    // At once: each waits a second or two for its first look.
    ended = await Promise.all(orders.map(async ({ card, operation, roles }) => ({ card, operation, roles, ...await send(house(), { model: card.id, operation, prompt: 'a kite', inputs: roles.map(role => ({ base64, role })) }) })))
    const done = ended.filter(({ body }) => body.state === 'done').length
    assert.deepEqual([upstream().stats().asked, upstream().stats().bought], [done, done], 'each is asked for once, and nothing that is refused')
  })

  for (const card of cards) {
    test(`${card.id} (${card.routes.find(route => route.provider === provider)!.model})`, async () => {
      const own = ended.filter(one => one.card === card)
      for (const { operation, roles, status, body } of own) {
        const told = `${operation} ${roles.join()}: ${JSON.stringify(body.problem ?? body.error ?? body.state)}`
        if (body.state !== 'done') { assert.ok(status === 400 || body.problem?.code === 'unsupported_parameter', told); continue }
        assert.deepEqual([body.served_by, body.outputs.length], [provider, 1], told)
        assert.ok((await moneyOf(house(), body.id)).captured > 0, told)
      }
      for (const operation of card.operations) {
        assert.equal(own.some(one => one.operation === operation && one.body.state === 'done'), !never.includes(`${card.id} ${operation}`), `${operation} is made in some way: ${JSON.stringify(own.map(({ roles, body }) => [roles, body.problem?.message ?? body.error?.message ?? body.state]))}`)
      }
    })
  }
}
