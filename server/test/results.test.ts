/** What upstreams made and did not hand over at once: links that expired. Nothing here may lead to a second purchase. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { done, failed, wait } from '../src/domain/outcome.ts'
import { Problem } from '../src/domain/problem.ts'
import type { Task } from '../src/domain/task.ts'
import type { Database } from '../src/db/pool.ts'
import { newId } from '../src/kit/id.ts'
import { audit } from '../src/ledger/books.ts'
import type { Connection, Job } from '../src/providers/contract.ts'
import { testDatabase } from './kit/database.ts'
import { ended, latch, newPerson, priceMicros, storeAnything, submit, testEngine, type TestEngineOptions } from './kit/engine.ts'

let database: Database
let close: () => Promise<void>
before(async () => { ({ database, close } = await testDatabase({ max: 20 })) })
after(() => close())

async function withEngine<T>(options: TestEngineOptions, work: (running: ReturnType<typeof testEngine>) => Promise<T>): Promise<T> {
  const running = testEngine(database, options)
  await running.engine.start()
  try { return await work(running) } finally { await running.engine.stop(2_000) }
}

const old = 'https://files.example/old.png'
const fresh = 'https://files.example/fresh.png'
/** A store that cannot fetch old links. */
const storing: TestEngineOptions['storeMade'] = async (made, expect) => {
  if ('url' in made && made.url === old) throw new Problem('output_expired', 'The upstream does not serve its finished picture any more (403).')
  return storeAnything(made, expect)
}
const links = (url: string) => done({ made: [{ url }] })

/** Makes one whose first links have expired. `look` says what the upstream answers from then on. */
async function expiring(look: (job: Job, looks: number) => ReturnType<NonNullable<Connection['poll']>>, options: TestEngineOptions = {}): Promise<{ task: Task; asked: number; looks: boolean[] }> {
  let asked = 0
  const looks: boolean[] = []
  return withEngine({
    storeMade: storing, submit: async () => { asked++; return wait({ id: 'up-1' }, 1) },
    poll: async (receipt, job) => { assert.deepEqual(receipt, { id: 'up-1' }); looks.push(job.fresh ?? false); return job.fresh ? look(job, looks.length) : links(old) }, ...options,
  }, async ({ engine }) => {
    const caller = await newPerson(database, { livemode: true })
    const { taskId } = await submit(engine, caller)
    const task = await ended(engine, caller, taskId)
    assert.deepEqual(await audit(database), [])
    return { task, asked, looks }
  })
}

test('links that have expired are asked for anew, once, and fetched', async () => {
  const { task, asked, looks } = await expiring(async () => links(fresh))
  assert.deepEqual([task.state, task.chargedMicros, task.outputs.length, asked, looks], ['done', priceMicros, 1, 1, [false, true]])
})

test('links that have expired again end the task: nothing is charged, nothing is asked again', async () => {
  const { task, asked, looks } = await expiring(async () => links(old))
  assert.deepEqual([task.state, task.problem?.code, task.chargedMicros, asked, looks], ['failed', 'output_expired', 0, 1, [false, true]])
})

for (const code of ['provider_busy', 'provider_failed', 'provider_rejected'] as const) {
  test(`an upstream that says ${code} when it is asked for fresh links is not bought from again`, async () => {
    const { task, asked } = await expiring(async () => failed(new Problem(code, 'no')))
    assert.deepEqual([task.state, task.problem?.code, task.chargedMicros, asked], ['failed', 'output_expired', 0, 1])
  })
}

test('a look for fresh links that breaks off, or comes too early, is taken again', async () => {
  const { task, looks } = await expiring(async (_job, count) => {
    if (count === 2) throw new Problem('provider_down', 'cut')
    return count === 3 ? wait({ id: 'up-1' }, 1) : links(fresh)
  })
  assert.deepEqual([task.state, looks], ['done', [false, true, true, true]])
})

test('an upstream that hands out links in the call cannot be asked for others', async () => {
  let asked = 0
  const { task } = await expiring(async () => links(fresh), { submit: async () => { asked++; return links(old) } })
  assert.deepEqual([task.state, task.problem?.code, asked], ['failed', 'output_expired', 1])
})

test('one that was found by our key is found once more, and not bought again if it is gone by then', async () => {
  let asked = 0
  let found = 0
  const { task } = await expiring(async () => links(fresh), {
    repeat: 'find', submit: async () => { asked++; throw new Problem('provider_down', 'cut', { reached: true }) }, find: async () => ++found === 1 ? links(old) : null,
  })
  assert.deepEqual([task.state, task.problem?.code, asked, found], ['failed', 'output_expired', 1, 2])
})

test('a process that dies with the second look in hand leaves it to the next one', async () => {
  let asked = 0
  const looks: boolean[] = []
  const begun = latch()
  const options: TestEngineOptions = {
    storeMade: storing, submit: async () => { asked++; return wait({ id: 'up-1' }, 1) },
    poll: async (_receipt, job) => { looks.push(job.fresh ?? false); return links(job.fresh ? fresh : old) },
  }
  const lost = newId()
  const caller = await newPerson(database, { livemode: true })
  const first = testEngine(database, { ...options, workerId: lost,
    poll: (_receipt, job, signal) => { looks.push(job.fresh ?? false); return job.fresh ? new Promise((_, reject) => { begun.open(); signal.addEventListener('abort', () => reject(new Error('stopped'))) }) : Promise.resolve(links(old)) } })
  await first.engine.start()
  const { taskId } = await submit(first.engine, caller)
  await begun.opened
  await first.engine.stop(0)
  // As a process that was killed leaves it: in hand, and nobody beats for it.
  await database.query(`update task set state = 'running', turn = turn + 1, worker = $2 where id = $1`, [taskId, lost])
  await database.query(`update worker set beat_at = now() - interval '1 hour' where id = $1`, [lost])
  await withEngine({ ...options, lostAfterMs: 60_000 }, async ({ engine }) => {
    const task = await ended(engine, caller, taskId)
    assert.deepEqual([task.state, task.chargedMicros, asked, looks], ['done', priceMicros, 1, [false, true, true]])
  })
  assert.deepEqual(await audit(database), [])
})
