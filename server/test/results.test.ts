/** What upstreams made and did not hand over at once: links that expired, results that came after their task had ended. Nothing here may lead to a second purchase, and nobody pays for what came late. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { done, failed, wait } from '../src/domain/outcome.ts'
import { Problem } from '../src/domain/problem.ts'
import type { Task } from '../src/domain/task.ts'
import type { Database } from '../src/db/pool.ts'
import { newId } from '../src/kit/id.ts'
import { createLateLooks } from '../src/engine/late.ts'
import type { Caller } from '../src/domain/caller.ts'
import { audit } from '../src/ledger/books.ts'
import type { Connection, Job } from '../src/providers/contract.ts'
import { testDatabase } from './kit/database.ts'
import { ended, latch, newPerson, ownerOf, picture, priceMicros, stoppingDatabase, storeAnything, submit, testEngine, until, type TestEngineOptions } from './kit/engine.ts'

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

// Late results ---------------------------------------------------------------------------------------------------------

const costs = [{ from: '2026-01-01', source: 'test', rows: [{ micros: 25_000, per: 'image' as const }] }]
const byPicture: TestEngineOptions['card'] = { routes: [{ provider: 'made-up', model: 'model', order: 1, weight: 1, costs }] }

/** An upstream that goes on with its job until it is told that it is ready. */
function slowUpstream(more: TestEngineOptions = {}) {
  const state = { asked: 0, looks: 0, ready: false }
  const options: TestEngineOptions = {
    card: byPicture, submit: async () => { state.asked++; return wait({ id: 'slow-1' }, 60_000) },
    poll: async () => { state.looks++; return state.ready ? done({ made: [{ bytes: picture }] }) : wait({ id: 'slow-1' }, 60_000) }, ...more,
  }
  return { state, options }
}

type Engine = ReturnType<typeof testEngine>['engine']
const stateOf = async (engine: Engine, caller: Caller, taskId: string) => (await engine.find(ownerOf(caller), taskId))!.state
const waiting = async (engine: Engine, caller: Caller): Promise<string> => {
  const { taskId } = await submit(engine, caller)
  await until(async () => await stateOf(engine, caller, taskId) === 'waiting', 'the task to wait')
  return taskId
}
/** Ends a task by its deadline. */
const overrun = async (engine: Engine, caller: Caller, taskId: string): Promise<Task> => {
  await database.query('update task set end_by = now() where id = $1', [taskId])
  return ended(engine, caller, taskId)
}
const lateOf = async (taskId: string) => (await database.query<{ state: string; looks: number }>('select state, looks from late_look where task_id = $1', [taskId])).rows[0] ?? null
const costsOf = async (taskId: string) => (await database.query<{ micros: number | null; late: boolean; charged: number }>('select micros, late, charged_micros as charged from provider_cost where task_id = $1 order by id', [taskId])).rows
const lateEvents = async (taskId: string) => (await database.query(`select data from event where task_id = $1 and type = 'task.late_result'`, [taskId])).rows.map(row => row.data)
const arrived = async (engine: Engine, caller: Caller, taskId: string): Promise<Task> => {
  await until(async () => (await engine.find(ownerOf(caller), taskId))!.lateOutputs !== undefined, 'the late result')
  return (await engine.find(ownerOf(caller), taskId))!
}

test('what is made after the deadline is kept for the task: its state stays, nobody is charged, and its cost is written down', () => {
  const { state, options } = slowUpstream()
  return withEngine(options, async ({ engine, outgoing }) => {
    const caller = await newPerson(database, { livemode: true })
    await database.query(`insert into endpoint (id, project_id, livemode, url, events, secret) values ($1, $2, true, 'https://late.example', '{task.late_result}', 'whsec_x'), ($3, $2, true, 'https://ends.example', '{task.failed}', 'whsec_x')`, [newId(), caller.projectId, newId()])
    const taskId = await waiting(engine, caller)
    const task = await overrun(engine, caller, taskId)
    assert.deepEqual([task.state, task.problem?.code, task.chargedMicros, await costsOf(taskId), await lateOf(taskId)], ['failed', 'deadline', 0, [], { state: 'open', looks: 0 }])
    state.ready = true
    await engine.nudge(taskId)
    const late = await arrived(engine, caller, taskId)
    assert.deepEqual([late.state, late.problem?.code, late.chargedMicros, late.outputs, late.lateOutputs!.length, late.lateOutputs![0]!.kind], ['failed', 'deadline', 0, [], 1, 'output'])
    assert.deepEqual([await costsOf(taskId), await lateEvents(taskId), state.asked], [[{ micros: 25_000, late: true, charged: 0 }], [{ attempt: 1, outputs: 1 }], 1])
    const told = outgoing.filter(one => one.taskId === taskId).map(one => [one.eventType, one.url])
    assert.deepEqual(told, [['task.failed', 'https://ends.example'], ['task.late_result', 'https://late.example']])
    assert.deepEqual(await audit(database), [])
  })
})

test('a text that comes after the deadline is kept beside the task, and nobody is charged', () => {
  const { state, options } = slowUpstream({ writes: true, poll: async () => state.ready ? done({ made: [], text: 'Here it is.' }) : wait({ id: 'slow-1' }, 60_000) })
  return withEngine(options, async ({ engine }) => {
    const caller = await newPerson(database, { livemode: true })
    const { taskId } = await submit(engine, caller, { operation: 'write' })
    await until(async () => await stateOf(engine, caller, taskId) === 'waiting', 'the task to wait')
    await overrun(engine, caller, taskId)
    state.ready = true
    await engine.nudge(taskId)
    await until(async () => (await lateEvents(taskId)).length === 1, 'the late text')
    const late = (await engine.find(ownerOf(caller), taskId))!
    assert.deepEqual([late.state, late.text, late.chargedMicros, late.details.late_text, await costsOf(taskId)], ['failed', null, 0, 'Here it is.', [{ micros: 25_000, late: true, charged: 0 }]])
    assert.deepEqual(await audit(database), [])
  })
})

test('who makes no text is never asked for one, whatever its card says', () => {
  let asked = 0
  return withEngine({ submit: async () => { asked++; return done({ made: [{ bytes: picture }] }) } }, async ({ engine }) => {
    const caller = await newPerson(database)
    const { taskId } = await submit(engine, caller, { operation: 'write' })
    const task = await ended(engine, caller, taskId)
    assert.deepEqual([task.state, task.problem?.code, task.chargedMicros, asked], ['failed', 'unsupported_parameter', 0, 0])
    assert.deepEqual(await audit(database), [])
  })
})

test('a cancelled task is looked after likewise, unless its upstream was told to stop and did', async () => {
  for (const stops of [false, true]) {
    const { state, options } = slowUpstream({ cancel: async () => stops })
    await withEngine(options, async ({ engine }) => {
      const caller = await newPerson(database, { livemode: true })
      const taskId = await waiting(engine, caller)
      await engine.cancel(ownerOf(caller), taskId)
      state.ready = true
      if (stops) {
        await until(async () => (await lateOf(taskId))?.state === 'stopped', 'the upstream to be stopped')
        await engine.nudge(taskId)
        assert.deepEqual([state.looks, await costsOf(taskId)], [0, [{ micros: null, late: false, charged: 0 }]])
      } else {
        await engine.nudge(taskId)
        const late = await arrived(engine, caller, taskId)
        assert.deepEqual([late.state, late.chargedMicros, late.lateOutputs!.length], ['cancelled', 0, 1])
      }
      assert.deepEqual(await audit(database), [])
    })
  }
})

test('an upstream that goes on is looked at again, with growing pauses; one that failed is not', () => {
  let failing = false
  return withEngine({ card: byPicture, submit: async () => wait({ id: 'up' }, 60_000), poll: async () => failing ? failed(new Problem('provider_failed', 'it broke'), null, { costMicros: 0 }) : wait({ id: 'up' }, 60_000) }, async ({ engine }) => {
    const caller = await newPerson(database, { livemode: true })
    const taskId = await waiting(engine, caller)
    await overrun(engine, caller, taskId)
    const pause = async () => (await database.query<{ s: number }>('select round(extract(epoch from due_at - now()))::int as s from late_look where task_id = $1', [taskId])).rows[0]!.s
    for (const [looks, expected] of [[1, 30], [2, 60], [3, 120]] as const) {
      await engine.nudge(taskId)
      await until(async () => (await lateOf(taskId))?.looks === looks && await pause() <= expected, `look ${looks} to be written down`)
      assert.ok(await pause() > expected * 0.7, `${await pause()} s after look ${looks}`)
    }
    failing = true
    await engine.nudge(taskId)
    await until(async () => (await lateOf(taskId))?.state === 'nothing', 'the end of looking')
    assert.deepEqual(await costsOf(taskId), [{ micros: 0, late: true, charged: 0 }])
  })
})

test('looking ends after its hours, and says that the cost is not known', () => {
  const { options } = slowUpstream()
  return withEngine(options, async ({ engine }) => {
    const caller = await newPerson(database, { livemode: true })
    const taskId = await waiting(engine, caller)
    await overrun(engine, caller, taskId)
    await database.query('update late_look set until = now() where task_id = $1', [taskId])
    await engine.nudge(taskId)
    await until(async () => (await lateOf(taskId))?.state === 'given_up', 'the end of looking')
    assert.deepEqual([await costsOf(taskId), await lateEvents(taskId)], [[{ micros: null, late: true, charged: 0 }], []])
    assert.deepEqual(await audit(database), [])
  })
})

test('links of a late result that have expired get fresh ones, too', () => {
  const looks: boolean[] = []
  let ready = false
  return withEngine({ storeMade: storing, submit: async () => wait({ id: 'up' }, 60_000), poll: async (_receipt, job) => { looks.push(job.fresh ?? false); return ready ? links(job.fresh ? fresh : old) : wait({ id: 'up' }, 60_000) } }, async ({ engine }) => {
    const caller = await newPerson(database, { livemode: true })
    const taskId = await waiting(engine, caller)
    await overrun(engine, caller, taskId)
    ready = true
    await until(async () => { await engine.nudge(taskId); return (await lateOf(taskId))?.state === 'made' }, 'the late result')
    assert.deepEqual([looks, (await arrived(engine, caller, taskId)).lateOutputs!.length], [[false, true], 1])
  })
})

test('what one process began to look after, the next one finds; of two that look at once, one attaches it', async () => {
  const { state, options } = slowUpstream()
  const caller = await newPerson(database, { livemode: true })
  const taskId = await withEngine(options, async ({ engine }) => {
    const id = await waiting(engine, caller)
    await overrun(engine, caller, id)
    return id
  })
  state.ready = true
  await withEngine(options, one => withEngine(options, async other => {
    await Promise.all([one.engine.nudge(taskId), other.engine.nudge(taskId), one.engine.nudge(taskId)])
    const late = await arrived(one.engine, caller, taskId)
    assert.deepEqual([late.lateOutputs!.length, (await lateEvents(taskId)).length, (await costsOf(taskId)).length], [1, 1, 1])
  }))
  assert.deepEqual(await audit(database), [])
})

test('a stop between two statements leaves a late result to the next look: kept once, or not yet', async () => {
  const { state, options } = slowUpstream()
  const caller = await newPerson(database, { livemode: true })
  const taskId = await withEngine(options, async ({ engine }) => {
    const id = await waiting(engine, caller)
    await overrun(engine, caller, id)
    return id
  })
  state.ready = true
  const { benches, tools, engine } = testEngine(database, { ...options, work: null })
  for (let stopAt = 1; ; stopAt++) {
    const { stopping, state: stop } = stoppingDatabase(database, stopAt)
    await database.query('update late_look set due_at = now() where task_id = $1', [taskId])
    const told: string[] = []
    const looks = createLateLooks({ database: stopping, benches, tools: { ...tools, showPartial: async () => {}, showProgress: async () => {}, routesOf: () => [], readTries: async () => ({ tries: [], again: false }) }, deliverer: null, told: id => told.push(id), log: tools.log })
    await looks.look()
    if (!stop.stopped) { assert.deepEqual(told, [taskId]); break }
    assert.deepEqual([told, (await engine.find(ownerOf(caller), taskId))!.lateOutputs, await lateEvents(taskId), await costsOf(taskId), (await lateOf(taskId))!.state], [[], undefined, [], [], 'open'], `stopped at statement ${stopAt}`)
    assert.ok(stopAt < 30)
  }
  assert.deepEqual([(await engine.find(ownerOf(caller), taskId))!.lateOutputs!.length, (await lateEvents(taskId)).length, await costsOf(taskId), await audit(database)], [1, 1, [{ micros: 25_000, late: true, charged: 0 }], []])
})

test('a worker that had the task in hand when it was cancelled keeps what it brings', async () => {
  for (const brings of ['a picture', 'a receipt'] as const) {
    const begun = latch()
    const gate = latch()
    await withEngine({ card: byPicture, submit: async () => { begun.open(); await gate.opened; return brings === 'a picture' ? done({ made: [{ bytes: picture }] }) : wait({ id: 'up-9' }, 60_000) }, poll: async receipt => { assert.deepEqual(receipt, { id: 'up-9' }); return done({ made: [{ bytes: picture }] }) } }, async ({ engine }) => {
      const caller = await newPerson(database, { livemode: true })
      const { taskId } = await submit(engine, caller)
      await begun.opened
      await engine.cancel(ownerOf(caller), taskId)
      gate.open()
      await until(async () => await lateOf(taskId) !== null, 'it to be kept')
      await engine.nudge(taskId)
      const late = await arrived(engine, caller, taskId)
      assert.deepEqual([late.state, late.chargedMicros, late.lateOutputs!.length, await costsOf(taskId)], ['cancelled', 0, 1, [{ micros: 25_000, late: true, charged: 0 }]])
      assert.deepEqual(await audit(database), [])
    })
  }
})

test('a lost answer is looked up until the deadline, and after it: never bought again', () => {
  let asked = 0
  let found = false
  let searches = 0
  return withEngine({
    card: byPicture, repeat: 'find', submit: async () => { asked++; throw new Problem('provider_down', 'cut', { reached: true }) }, poll: async () => wait(null, 1),
    find: async () => { searches++; if (searches % 2) throw new Problem('provider_down', 'cannot say'); return found ? done({ made: [{ bytes: picture }] }) : wait(null, 1) },
  }, async ({ engine }) => {
    const caller = await newPerson(database, { livemode: true })
    const { taskId } = await submit(engine, caller)
    await until(() => searches > 2, 'several looks')
    const task = await overrun(engine, caller, taskId)
    assert.deepEqual([task.state, task.problem?.code], ['failed', 'deadline'])
    found = true
    await until(async () => { await engine.nudge(taskId); return await lateOf(taskId).then(late => late?.state === 'made') }, 'it to be found')
    assert.deepEqual([(await arrived(engine, caller, taskId)).lateOutputs!.length, asked], [1, 1])
    assert.deepEqual(await audit(database), [])
  })
})

test('a call back that comes before the receipt is written makes the first look come at once', () => {
  const begun = latch()
  const gate = latch()
  return withEngine({ submit: async () => { begun.open(); await gate.opened; return wait({ id: 'up' }, 3_600_000) }, poll: async () => done({ made: [{ bytes: picture }] }) }, async ({ engine }) => {
    const caller = await newPerson(database, { livemode: true })
    const { taskId } = await submit(engine, caller, { endWithinS: 7_200 })
    await begun.opened
    await engine.nudge(taskId)
    gate.open()
    assert.equal((await ended(engine, caller, taskId)).state, 'done')
  })
})
