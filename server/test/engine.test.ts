/** The engine on a real PostgreSQL: what is promised about tasks, turns, money and work that several processes share. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import type { Database } from '../src/db/pool.ts'
import { done, failed, wait } from '../src/domain/outcome.ts'
import { Problem } from '../src/domain/problem.ts'
import type { Caller } from '../src/domain/caller.ts'
import { claim } from '../src/engine/claim.ts'
import { settleGroup } from '../src/engine/settle.ts'
import { audit, readBalance } from '../src/ledger/books.ts'
import { newId } from '../src/kit/id.ts'
import { testDatabase } from './kit/database.ts'
import { ended, latch, newPerson, ownerOf, picture, priceMicros, storeAnything, submit, testEngine, until, type Job } from './kit/engine.ts'
import { youngDay, youngMinute } from './kit/minute.ts'

let database: Database
let close: () => Promise<void>
before(async () => { ({ database, close } = await testDatabase({ max: 20 })) })
after(() => close())

/** Runs with one engine that is stopped at the end, whatever happens. */
async function withEngine<T>(options: Parameters<typeof testEngine>[1], work: (running: ReturnType<typeof testEngine>) => Promise<T>): Promise<T> {
  const running = testEngine(database, options)
  await running.engine.start()
  try { return await work(running) } finally { await running.engine.stop(2_000) }
}

const booksAreRight = async () => assert.deepEqual(await audit(database), [])

test('an order becomes a task, a picture and a captured hold', () => withEngine({}, async ({ engine }) => {
  const caller = await newPerson(database, { dollars: 1 })
  const { taskId, replayed } = await submit(engine, caller)
  const task = await ended(engine, caller, taskId)
  assert.equal(replayed, false)
  assert.deepEqual([task.state, task.chargedMicros, task.outputs.length, task.attempts], ['done', priceMicros, 1, 1])
  assert.deepEqual(await readBalance(database, caller), { livemode: false, availableMicros: 1_000_000 - priceMicros, heldMicros: 0, spentMicros: priceMicros })
  await booksAreRight()
}))

test('a hundred at once against credit for ten: exactly ten are taken', () => withEngine({}, async ({ engine }) => {
  const caller = await newPerson(database, { dollars: priceMicros * 10 / 1e6 })
  const answers = await Promise.allSettled(Array.from({ length: 100 }, () => submit(engine, caller)))
  const refused = answers.filter(answer => answer.status === 'rejected').map(answer => answer.reason as Problem)
  assert.equal(answers.length - refused.length, 10)
  assert.deepEqual([...new Set(refused.map(problem => problem.code))], ['credits_required'])
  assert.deepEqual([refused[0]!.details.requiredMicros, refused[0]!.details.availableMicros], [priceMicros, 0])
  const { rows: [count] } = await database.query('select count(*)::int as tasks from task where account_id = $1', [caller.accountId])
  assert.equal(count.tasks, 10)
  await booksAreRight()
}))

test('two processes share a purse and never spend it twice', async () => {
  const caller = await newPerson(database, { dollars: priceMicros * 10 / 1e6 })
  await withEngine({}, one => withEngine({}, async other => {
    const answers = await Promise.allSettled(Array.from({ length: 60 }, (_, index) => submit(index % 2 ? one.engine : other.engine, caller)))
    assert.equal(answers.filter(answer => answer.status === 'fulfilled').length, 10)
  }))
  await booksAreRight()
})

test('the same Idempotency-Key fifty times at once makes one task', async () => {
  const caller = await newPerson(database)
  await withEngine({}, one => withEngine({}, async other => {
    const answers = await Promise.all(Array.from({ length: 50 }, (_, index) => submit(index % 2 ? one.engine : other.engine, caller, { idempotencyKey: 'k1' })))
    assert.equal(new Set(answers.map(answer => answer.taskId)).size, 1)
    assert.equal(answers.filter(answer => !answer.replayed).length, 1)
    await assert.rejects(submit(one.engine, caller, { idempotencyKey: 'k1', prompt: 'a dog' }), { code: 'idempotency_mismatch' })
  }))
  const { rows: [count] } = await database.query('select count(*)::int as tasks from task where account_id = $1', [caller.accountId])
  assert.equal(count.tasks, 1)
})

test('a refused order leaves no key behind: it may be sent again when there is money', () => withEngine({}, async ({ engine }) => {
  const caller = await newPerson(database, { dollars: 0 })
  await assert.rejects(submit(engine, caller, { idempotencyKey: 'again' }), { code: 'credits_required' })
  const { rows } = await database.query('select 1 from idempotency where project_id = $1', [caller.projectId])
  assert.equal(rows.length, 0)
}))

test('executions a day are exact, and a refused order does not count', () => withEngine({}, async ({ engine }) => {
  const caller = await newPerson(database, { limits: { executionsPerDay: 5 } })
  await youngDay()
  const answers = await Promise.allSettled(Array.from({ length: 20 }, () => submit(engine, caller)))
  assert.equal(answers.filter(answer => answer.status === 'fulfilled').length, 5)
  const problem = answers.find(answer => answer.status === 'rejected')!.reason as Problem
  assert.equal(problem.code, 'rate_limited')
  assert.ok(problem.details.retryAfterS! > 0)
  const { rows: [row] } = await database.query('select count from rate_window where key_id = $1', [caller.keyId])
  assert.equal(row.count, 5)
}))

test('a settlement of a turn that has passed changes nothing', async () => {
  const caller = await newPerson(database)
  const { engine } = testEngine(database, { work: null })
  const { taskId } = await submit(engine, caller)
  const room = [{ provider: 'made-up', slots: 1000, limits: { concurrency: null, perMinute: null, perProcess: null } }]
  const { claims } = await claim(database, newId(), room, 0)
  const mine = claims.find(one => one.row.id === taskId)!
  const settle = settleGroup(database, null)
  const settlement = { id: taskId, turn: mine.row.turn, state: 'done' as const, attemptOutcome: 'done' as const, chargedMicros: priceMicros, outputs: [] }
  assert.equal((await settle([{ ...settlement, turn: mine.row.turn - 1 }])).held.size, 0)
  const both = await Promise.all([settle([settlement]), settle([{ ...settlement, state: 'failed', attemptOutcome: 'failed', chargedMicros: 0 }])])
  assert.equal(both[0]!.held.size + both[1]!.held.size, 1)
  assert.equal((await settle([settlement])).held.size, 0)
  await Promise.all(claims.filter(one => one !== mine).map(one => settle([{ id: one.row.id, turn: one.row.turn, state: 'failed', attemptOutcome: 'failed', chargedMicros: 0 }])))
  await booksAreRight()
})

test('a hundred tasks and two workers: every one is asked once', async () => {
  const caller = await newPerson(database)
  const asked = new Map<string, number>()
  const provide = async (job: Job) => { asked.set(job.key, (asked.get(job.key) ?? 0) + 1); return done({ made: [{ bytes: picture }] }) }
  await withEngine({ submit: provide }, one => withEngine({ submit: provide }, async other => {
    const tasks = await Promise.all(Array.from({ length: 100 }, (_, index) => submit(index % 2 ? one.engine : other.engine, caller)))
    const states = await Promise.all(tasks.map(({ taskId }, index) => ended(index % 2 ? other.engine : one.engine, caller, taskId)))
    assert.ok(states.every(task => task.state === 'done'))
  }))
  assert.equal(asked.size, 100)
  assert.ok([...asked.values()].every(times => times === 1))
  await booksAreRight()
})

test('a waiting upstream is looked after until it is done', () => {
  let looks = 0
  return withEngine({
    submit: async () => wait({ id: 'up-1' }, 1),
    poll: async receipt => { assert.deepEqual(receipt, { id: 'up-1' }); return ++looks < 3 ? wait(receipt, 1, looks * 30) : done({ made: [{ bytes: picture }] }) },
  }, async ({ engine }) => {
    const caller = await newPerson(database)
    const { taskId } = await submit(engine, caller)
    const task = await ended(engine, caller, taskId)
    assert.deepEqual([task.state, task.upstreamId, task.attempts, looks], ['done', 'up-1', 1, 3])
  })
})

test('a look that fails changes nothing: the upstream goes on', () => {
  let looks = 0
  return withEngine({
    submit: async () => wait({ id: 'up-2' }, 1),
    poll: async () => { if (++looks === 1) throw new Problem('provider_down', 'cut'); return done({ made: [{ bytes: picture }] }) },
  }, async ({ engine }) => {
    const caller = await newPerson(database)
    const { taskId } = await submit(engine, caller)
    const task = await ended(engine, caller, taskId)
    assert.deepEqual([task.state, task.attempts, looks], ['done', 1, 2])
  })
})

test('a busy provider is asked again, and patience ends', () => withEngine({ submit: async job => job.attempt < 3 ? failed(new Problem('provider_busy', 'busy'), 5) : done({ made: [{ bytes: picture }] }) }, async ({ engine }) => {
  const caller = await newPerson(database)
  const { taskId } = await submit(engine, caller)
  const task = await ended(engine, caller, taskId)
  assert.deepEqual([task.state, task.attempts], ['done', 3])
  const { rows } = await database.query('select number, outcome from attempt where task_id = $1 order by number', [taskId])
  assert.deepEqual(rows.map(row => row.outcome), ['failed', 'failed', 'done'])
}))

test('a refused prompt is final, and free', () => withEngine({ submit: async () => failed(new Problem('content_rejected', 'no')) }, async ({ engine }) => {
  const caller = await newPerson(database, { dollars: 1 })
  const { taskId } = await submit(engine, caller)
  const task = await ended(engine, caller, taskId)
  assert.deepEqual([task.state, task.problem?.code, task.chargedMicros, task.attempts], ['failed', 'content_rejected', 0, 1])
  assert.equal((await readBalance(database, caller)).availableMicros, 1_000_000)
  await booksAreRight()
}))

test('three of four pictures cost three quarters', () => withEngine({ submit: async () => done({ made: [1, 2, 3].map(n => ({ bytes: Buffer.from(`picture ${n}`) })) }) }, async ({ engine }) => {
  const caller = await newPerson(database)
  const { taskId } = await submit(engine, caller, { count: 4 })
  const task = await ended(engine, caller, taskId)
  assert.deepEqual([task.state, task.outputs.length, task.chargedMicros, task.warnings.length], ['done', 3, priceMicros * 3, 1])
  await booksAreRight()
}))

test('an answer that was lost is unknown where the upstream cannot be asked', () => {
  let asked = 0
  return withEngine({ submit: async () => { asked++; throw new Problem('provider_down', 'cut', { reached: true }) } }, async ({ engine }) => {
    const caller = await newPerson(database)
    const { taskId } = await submit(engine, caller)
    const task = await ended(engine, caller, taskId)
    assert.deepEqual([task.state, task.problem?.code, task.chargedMicros, asked], ['failed', 'outcome_unknown', 0, 1])
    await booksAreRight()
  })
})

test('an answer that was lost is looked up where the upstream can be asked', () => {
  let asked = 0
  return withEngine({
    repeat: 'find', submit: async () => { asked++; throw new Problem('provider_down', 'cut', { reached: true }) }, poll: async () => wait(null, 1),
    find: async job => { assert.equal(job.attempt, 1); return done({ made: [{ bytes: picture }] }) },
  }, async ({ engine }) => {
    const caller = await newPerson(database)
    const { taskId } = await submit(engine, caller)
    const task = await ended(engine, caller, taskId)
    assert.deepEqual([task.state, task.attempts, asked], ['done', 1, 1])
  })
})

test('an upstream that never heard of it is asked again under the same key, after a pause', () => {
  const keys: string[] = []
  let foundAt = Infinity
  let pauseMs = 0
  return withEngine({
    repeat: 'find', find: async () => { foundAt = performance.now(); return null },
    submit: async job => { keys.push(job.key); pauseMs = performance.now() - foundAt; if (keys.length === 1) throw new Problem('provider_down', 'cut', { reached: true }); return done({ made: [{ bytes: picture }] }) },
  }, async ({ engine }) => {
    const caller = await newPerson(database)
    const { taskId } = await submit(engine, caller)
    const task = await ended(engine, caller, taskId)
    assert.deepEqual([task.state, task.attempts], ['done', 1])
    assert.deepEqual(keys, [`${taskId}-1`, `${taskId}-1`])
    assert.ok(pauseMs > 300, `an upstream that loses every answer would be asked every ${pauseMs} ms`)
  })
})

test('a refused connection carried nothing: it is simply tried again', () => {
  let asked = 0
  return withEngine({ submit: async () => { if (++asked === 1) throw new Problem('provider_down', 'refused', { reached: false }); return done({ made: [{ bytes: picture }] }) } }, async ({ engine }) => {
    const caller = await newPerson(database)
    const { taskId } = await submit(engine, caller)
    assert.equal((await ended(engine, caller, taskId)).state, 'done')
  })
})

test('cancel frees the slot at once, costs nothing and stops the upstream', () => {
  const stopped: unknown[] = []
  return withEngine({ submit: async () => wait({ id: 'up-3' }, 60_000), poll: async () => wait({ id: 'up-3' }, 60_000), cancel: async receipt => { stopped.push(receipt); return true } }, async ({ engine }) => {
    const caller = await newPerson(database)
    const { taskId } = await submit(engine, caller)
    await until(async () => (await engine.find(ownerOf(caller), taskId))!.state === 'waiting', 'the task to wait')
    const task = await engine.cancel(ownerOf(caller), taskId)
    assert.deepEqual([task!.state, task!.chargedMicros], ['cancelled', 0])
    await until(() => stopped.length === 1, 'the upstream to be stopped')
    assert.deepEqual(stopped, [{ id: 'up-3' }])
    assert.equal((await engine.cancel(ownerOf(caller), taskId))!.state, 'cancelled')
    await booksAreRight()
  })
})

test('a running step that is cancelled is told, and its result is not written', () => {
  const begun = latch<AbortSignal>()
  return withEngine({ submit: (_job, signal) => new Promise((_, reject) => { begun.open(signal); signal.addEventListener('abort', () => reject(new Error('stopped'))) }) }, async ({ engine }) => {
    const caller = await newPerson(database)
    const { taskId } = await submit(engine, caller)
    const signal = await begun.opened
    await engine.cancel(ownerOf(caller), taskId)
    assert.equal(signal.aborted, true)
    await until(() => engine.busy() === 0, 'the step to end')
    assert.equal((await engine.find(ownerOf(caller), taskId))!.state, 'cancelled')
    await booksAreRight()
  })
})

test('a task that is not begun or not ready in time ends by itself, and is free', () => withEngine({ submit: async () => wait({ id: 'slow' }, 60_000), poll: async () => wait({ id: 'slow' }, 60_000), limits: { concurrency: 1 } }, async ({ engine }) => {
  const caller = await newPerson(database)
  const first = await submit(engine, caller, { endWithinS: 3_600 })
  await until(async () => (await engine.find(ownerOf(caller), first.taskId))!.state === 'waiting', 'the first to wait')
  // As long as the first one has the place, the second cannot begin, however late it is looked at.
  const other = await ended(engine, caller, (await submit(engine, caller, { startWithinS: 1, endWithinS: 3_600 })).taskId)
  assert.deepEqual([other.startedAt, other.problem?.code, other.chargedMicros], [null, 'start_deadline', 0])
  await engine.cancel(ownerOf(caller), first.taskId)
  const one = await ended(engine, caller, (await submit(engine, caller, { endWithinS: 2 })).taskId)
  assert.deepEqual([one.problem?.code, one.chargedMicros], ['deadline', 0])
  await booksAreRight()
}))

test('a provider with room for three never has four, over two processes', async () => {
  const caller = await newPerson(database)
  let making = 0
  let most = 0
  const provide = async () => { most = Math.max(most, ++making); await new Promise(resolve => { setTimeout(resolve, 5) }); making--; return done({ made: [{ bytes: picture }] }) }
  const options = { submit: provide, limits: { concurrency: 3 } }
  await withEngine(options, one => withEngine(options, async other => {
    const tasks = await Promise.all(Array.from({ length: 30 }, (_, index) => submit(index % 2 ? one.engine : other.engine, caller)))
    await Promise.all(tasks.map(({ taskId }) => ended(one.engine, caller, taskId)))
  }))
  assert.equal(most, 3)
})

test('an account with room for two never has three, and does not hold up another account', async () => {
  const [tight, free] = [await newPerson(database, { concurrent: 2 }), await newPerson(database)]
  const making = new Map<string, number>()
  const most = new Map<string, number>()
  const gates: (() => void)[] = []
  await withEngine({ submit: async job => {
    const who = job.prompt
    making.set(who, (making.get(who) ?? 0) + 1)
    most.set(who, Math.max(most.get(who) ?? 0, making.get(who)!))
    await new Promise<void>(resolve => { gates.push(resolve) })
    making.set(who, making.get(who)! - 1)
    return done({ made: [{ bytes: picture }] })
  } }, async ({ engine }) => {
    const tasks = await Promise.all([...Array.from({ length: 10 }, () => submit(engine, tight, { prompt: 'tight' })), ...Array.from({ length: 10 }, () => submit(engine, free, { prompt: 'free' }))])
    await until(() => making.get('free') === 10 && making.get('tight') === 2, 'both to be served')
    let open = true
    const opening = (async () => { while (open) { gates.shift()?.(); await new Promise(resolve => { setTimeout(resolve, 2) }) } })()
    await Promise.all(tasks.map(({ taskId }, index) => ended(engine, index < 10 ? tight : free, taskId)))
    open = false
    await opening
  })
  assert.equal(most.get('tight'), 2)
  await database.query('update account set concurrent = null')
})

test('a burst of one account does not hold up another, and interactive goes before batch', async () => {
  const [many, few] = [await newPerson(database), await newPerson(database)]
  const order: string[] = []
  const waiting = testEngine(database, { work: null })
  const submitted: { taskId: string }[] = []
  for (let index = 0; index < 8; index++) submitted.push(await submit(waiting.engine, many, { prompt: 'batch', priority: 'batch' }))
  for (let index = 0; index < 20; index++) submitted.push(await submit(waiting.engine, many, { prompt: 'many' }))
  for (let index = 0; index < 3; index++) await submit(waiting.engine, few, { prompt: 'few' })
  await withEngine({ limits: { concurrency: 1 }, submit: async job => { order.push(job.prompt); return done({ made: [{ bytes: picture }] }) } }, async ({ engine }) => {
    await Promise.all(submitted.map(({ taskId }) => ended(engine, many, taskId)))
  })
  const lastFew = order.lastIndexOf('few')
  assert.ok(lastFew <= 6, `the account with three tasks waited for ${lastFew} others: ${order.join(' ')}`)
  assert.ok(order.indexOf('batch') > order.indexOf('few'), 'batch came before interactive')
})

test('a provider with a rate is asked at most so often a minute', () => {
  let asked = 0
  return withEngine({ limits: { perMinute: 4 }, submit: async () => { asked++; return done({ made: [{ bytes: picture }] }) } }, async ({ engine }) => {
    await database.query('delete from provider_pace')
    const caller = await newPerson(database)
    await youngMinute()
    const tasks = await Promise.all(Array.from({ length: 9 }, () => submit(engine, caller, { endWithinS: 8 })))
    const results = await Promise.all(tasks.map(({ taskId }) => ended(engine, caller, taskId)))
    assert.equal(asked, 4)
    assert.equal(results.filter(task => task.state === 'done').length, 4)
    await database.query('delete from provider_pace')
  })
})

test('the work of a lost process is taken over by what its attempts say', async () => {
  const caller = await newPerson(database)
  const room = [{ provider: 'made-up', slots: 1000, limits: { concurrency: null, perMinute: null, perProcess: null } }]
  const lostWorker = newId()
  const takenOver = async (repeat: 'safe' | 'find' | 'never') => {
    const silent = testEngine(database, { work: null })
    const { taskId } = await submit(silent.engine, caller)
    await database.query('insert into worker (id, host, pid, beat_at) values ($1, $2, 1, now() - interval \'1 hour\') on conflict (id) do nothing', [lostWorker, 'gone'])
    await claim(database, lostWorker, room, 0)
    return withEngine({ repeat, lostAfterMs: 1_000, ...(repeat === 'find' ? { find: async () => done({ made: [{ bytes: picture }] }), poll: async () => wait(null, 1) } : {}) },
      ({ engine }) => ended(engine, caller, taskId))
  }
  const [safe, find, never] = [await takenOver('safe'), await takenOver('find'), await takenOver('never')]
  assert.deepEqual([safe.state, safe.attempts, find.state, find.attempts, never.state, never.problem?.code], ['done', 1, 'done', 1, 'failed', 'outcome_unknown'])
  await booksAreRight()
})

test('a stop hands work back; the next process finishes it, asked once more only where that is safe', async () => {
  const caller = await newPerson(database)
  const begun = latch()
  const first = testEngine(database, { repeat: 'safe', submit: (_job, signal) => new Promise((_, reject) => { begun.open(); signal.addEventListener('abort', () => reject(new Error('stopped'))) }) })
  await first.engine.start()
  const { taskId } = await submit(first.engine, caller)
  await begun.opened
  await first.engine.stop(0)
  const between = await first.engine.find(ownerOf(caller), taskId)
  assert.deepEqual([between!.state, between!.attempts], ['queued', 0])
  await withEngine({ repeat: 'safe' }, async ({ engine }) => assert.equal((await ended(engine, caller, taskId)).state, 'done'))
})

test('events come in order, without holes, and a reader can go on from any of them', () => withEngine({ submit: async () => wait({ id: 'e' }, 1), poll: async () => done({ made: [{ bytes: picture }] }) }, async ({ engine }) => {
  const caller = await newPerson(database)
  const { taskId } = await submit(engine, caller)
  await ended(engine, caller, taskId)
  const stop = new AbortController()
  const types: string[] = []
  let third = 0
  for await (const event of engine.events(ownerOf(caller), { taskId, types: null, after: 0, live: true, signal: stop.signal })) {
    types.push(event.type)
    if (types.length === 2) third = event.id
    if (event.type === 'task.completed') stop.abort()
  }
  assert.deepEqual(types, ['task.created', 'task.started', 'task.completed'])
  const again = new AbortController()
  for await (const event of engine.events(ownerOf(caller), { taskId: null, types: null, after: third, live: true, signal: again.signal })) { assert.equal(event.type, 'task.completed'); again.abort() }
  const now: string[] = []
  for await (const event of engine.events(ownerOf(caller), { taskId, types: null, after: null, live: false, signal: new AbortController().signal })) now.push(event.type)
  assert.deepEqual(now, types)
}))

test('a foreign task is not there', () => withEngine({}, async ({ engine }) => {
  const [owner, stranger]: Caller[] = [await newPerson(database), await newPerson(database)]
  const { taskId } = await submit(engine, owner!)
  await ended(engine, owner!, taskId)
  assert.equal(await engine.find(ownerOf(stranger!), taskId), null)
  assert.equal(await engine.cancel(ownerOf(stranger!), taskId), null)
  assert.equal(await engine.settled({ ...ownerOf(owner!), livemode: true }, taskId, 10), null)
}))

test('a call that is sent again gets the first one’s task: when the client says so, or when the first went away unanswered', () => withEngine({ submit: async () => wait({ id: 'r' }, 60_000), poll: async () => wait({ id: 'r' }, 60_000) }, async ({ engine }) => {
  const caller = await newPerson(database)
  const call = (retryCount: number) => submit(engine, caller, { prompt: 'again', retryCount })
  const first = await call(0)
  const beside = await call(0)
  assert.notEqual(beside.taskId, first.taskId, 'two equal calls side by side are two orders')
  assert.deepEqual(await call(1), { taskId: beside.taskId, replayed: true })
  await engine.unanswered(beside.taskId)
  assert.deepEqual(await call(0), { taskId: beside.taskId, replayed: true })
  assert.equal((await call(0)).replayed, false, 'one answer is owed, not any number')
  const other = await submit(engine, await newPerson(database), { prompt: 'again', retryCount: 1 })
  assert.equal(other.replayed, false, 'another key is another caller')
  const failing = await submit(engine, caller, { prompt: 'fails', retryCount: 0 })
  await engine.cancel(ownerOf(caller), failing.taskId)
  assert.equal((await submit(engine, caller, { prompt: 'fails', retryCount: 1 })).replayed, false, 'what ended without a picture is made again')
}))

/** Resolves once a statement of the engine's waits for somebody's lock. */
const someoneWaits = () => until(async () =>
  (await database.query(`select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`)).rowCount === 1, 'a statement that waits')

test('whoever waits for a remembered call holds no purse', () => withEngine({}, async ({ engine }) => {
  const caller = await newPerson(database)
  const call = () => submit(engine, caller, { prompt: 'side by side', retryCount: 0 })
  await call()
  let second!: ReturnType<typeof call>
  await database.transaction(async client => {
    await client.query('select from recent_call where key_id = $1 for update', [caller.keyId])
    second = call()
    await someoneWaits()
    await client.query('select from balance where account_id = $1 for update nowait', [caller.accountId])
  })
  assert.equal((await second).replayed, false)
}))

test('a key that another server takes in this very moment: its order is refused, the one beside it is taken', () => withEngine({}, async ({ engine }) => {
  const caller = await newPerson(database)
  let both!: Promise<PromiseSettledResult<{ taskId: string }>[]>
  await database.transaction(async client => {
    await client.query(`insert into idempotency (project_id, livemode, key, body_sha256, task_id) values ($1, $2, 'a', '\\x00', $3)`, [caller.projectId, caller.livemode, newId()])
    both = Promise.allSettled([submit(engine, caller, { idempotencyKey: 'a' }), submit(engine, caller, { idempotencyKey: 'b' })])
    await someoneWaits()
  })
  const [refused, taken] = await both
  assert.ok(refused!.status === 'rejected' && refused!.reason.code === 'idempotency_mismatch')
  assert.ok(taken!.status === 'fulfilled')
  assert.equal((await ended(engine, caller, taken.value.taskId)).state, 'done')
  const { rows } = await database.query('select key from idempotency where project_id = $1 order by key', [caller.projectId])
  assert.deepEqual(rows, [{ key: 'a' }, { key: 'b' }])
  await booksAreRight()
}))

test('in-between pictures are events of the task, all of them and in their order, whatever each takes to be kept', () => {
  const keeping = [latch(), latch(), latch()]
  return withEngine({
    submit: async (job, _signal, partial) => {
      assert.equal(job.partials, 3)
      for (const index of [0, 1, 2]) partial!(index, Buffer.from(`rough ${index}`))
      // Later ones could be kept sooner.
      keeping[2]!.open(); keeping[1]!.open(); setImmediate(() => keeping[0]!.open())
      return done({ made: [{ bytes: picture }] })
    },
    async storeMade(made, expect) {
      const rough = /^rough (\d)$/.exec('bytes' in made ? Buffer.from(made.bytes).toString() : '')
      if (rough) await keeping[Number(rough[1])]!.opened
      return storeAnything(made, expect)
    },
  }, async ({ engine }) => {
    const caller = await newPerson(database)
    const { taskId } = await submit(engine, caller, { partials: 3 })
    const indexes: unknown[] = []
    const stop = new AbortController()
    for await (const event of engine.events(ownerOf(caller), { taskId, types: null, after: 0, live: true, signal: stop.signal })) {
      if (event.type === 'task.progressed') indexes.push((event.data.partial as { index: number }).index)
      if (event.type === 'task.completed') stop.abort()
    }
    assert.deepEqual(indexes, [0, 1, 2])
  })
})

test('in-between pictures that a look brought are events of the task too', () => {
  const looked = latch()
  let looks = 0
  return withEngine({
    submit: async () => wait({ id: 'a' }, 0),
    poll: async (_receipt, job, _signal, partial) => {
      if (++looks > job.partials!) { await looked.opened; return done({ made: [{ bytes: picture }] }) }
      partial!(looks - 1, Buffer.from(`look ${looks}`))
      return wait({ id: 'a' }, 0, looks * 30)
    },
  }, async ({ engine }) => {
    const caller = await newPerson(database)
    const { taskId } = await submit(engine, caller, { partials: 2 })
    const seen: unknown[] = []
    const stop = new AbortController()
    for await (const event of engine.events(ownerOf(caller), { taskId, types: null, after: 0, live: true, signal: stop.signal })) {
      if (event.type === 'task.progressed') seen.push((event.data.partial as { index: number } | undefined)?.index ?? event.data.progress)
      if (seen.length === 4) looked.open()
      if (event.type === 'task.completed') stop.abort()
    }
    assert.deepEqual(seen, [0, 30, 1, 60])
  })
})

test('how far a call is that makes it in one go is told while it lasts, and a glance that fails is nothing', () => {
  const glanced = latch()
  const answers = [async () => { throw new Error('no glance today') }, async () => 20, async () => 150]
  let glances = 0
  return withEngine({
    submit: async () => { await glanced.opened; return done({ made: [{ bytes: picture }] }) },
    glance: async () => { const answer = answers[glances++] ?? (async () => { glanced.open(); return null }); return answer() },
  }, async ({ engine }) => {
    const caller = await newPerson(database)
    const { taskId } = await submit(engine, caller)
    const task = await ended(engine, caller, taskId)
    const percents: unknown[] = []
    for await (const event of engine.events(ownerOf(caller), { taskId, types: ['task.progressed'], after: 0, live: false, signal: new AbortController().signal })) percents.push(event.data.progress)
    assert.deepEqual([task.state, task.progress, percents], ['done', 100, [20, 99]])
    const before = glances
    await ended(engine, caller, (await submit(engine, caller)).taskId)
    assert.ok(glances <= before + 1, 'nobody glances at what has ended')
  })
})

test('a nudge makes a waiting task be looked at before it is due', () => withEngine({
  submit: async () => wait({ id: 'a' }, 60_000), poll: async () => done({ made: [{ bytes: picture }] }),
}, async ({ engine }) => {
  const caller = await newPerson(database)
  const { taskId } = await submit(engine, caller)
  await until(async () => (await engine.find(ownerOf(caller), taskId))?.state === 'waiting')
  await engine.nudge(taskId)
  assert.equal((await ended(engine, caller, taskId)).state, 'done')
}))

const made = async () => done({ made: [{ bytes: picture }] })
const attemptsOf = async (taskId: string) => (await database.query(`select provider, outcome, problem->>'code' as code from attempt where task_id = $1 order by number`, [taskId])).rows.map(row => [row.provider, row.outcome, row.code])
const picky = (name: string) => async () => { throw new Problem('unsupported_parameter', `${name} does not know seed. Leave it out.`) }

test('what one provider cannot honour is asked of the next', () => withEngine({ submit: picky('One'), others: { second: { submit: made } } }, async ({ engine }) => {
  const caller = await newPerson(database)
  const { taskId } = await submit(engine, caller)
  const task = await ended(engine, caller, taskId)
  assert.deepEqual([task.state, task.provider, task.chargedMicros], ['done', 'second', priceMicros])
  assert.deepEqual(await attemptsOf(taskId), [['made-up', 'failed', 'unsupported_parameter'], ['second', 'done', null]])
  await booksAreRight()
}))

test('what no provider can honour is refused, and free', () => withEngine({ submit: picky('One'), others: { second: { submit: async () => failed(new Problem('provider_not_configured', 'Two does not take our key.')) }, third: { submit: picky('Three') } } }, async ({ engine }) => {
  const caller = await newPerson(database)
  const { taskId } = await submit(engine, caller)
  const task = await ended(engine, caller, taskId)
  assert.deepEqual([task.state, task.chargedMicros, task.attempts], ['failed', 0, 3])
  assert.deepEqual([task.problem?.code, task.problem?.message], ['unsupported_parameter', 'Three does not know seed. Leave it out.'])
  await booksAreRight()
}))

test('a failure of a later look leads nowhere else: it was taken', () => withEngine({
  submit: async () => wait({ id: 'taken' }, 1), poll: async () => failed(new Problem('provider_not_configured', 'The key was refused.')),
  others: { second: { submit: () => { throw new Error('the second was asked') } } },
}, async ({ engine }) => {
  const caller = await newPerson(database)
  const { taskId } = await submit(engine, caller)
  const task = await ended(engine, caller, taskId)
  assert.deepEqual([task.state, task.provider, task.attempts], ['failed', 'made-up', 1])
}))

/** A task that a process took and did not live to tell of, at one of two routes. */
const killed = async (work: (lost: { taskId: string; caller: Caller; worker: string; claimAt(provider: string): Promise<{ id: string; turn: number }> }) => Promise<void>) => {
  const caller = await newPerson(database)
  const silent = testEngine(database, { work: null })
  const { taskId } = await submit(silent.engine, caller)
  const worker = newId()
  await database.query(`insert into worker (id, host, pid, beat_at) values ($1, 'gone', 1, now() - interval '1 hour')`, [worker])
  const claimAt = async (provider: string) => {
    const { claims } = await claim(database, worker, [{ provider, slots: 1_000, limits: { concurrency: null, perMinute: null, perProcess: null } }], 0)
    return claims.find(one => one.row.id === taskId)!.row
  }
  await work({ taskId, caller, worker, claimAt })
  await booksAreRight()
}
const never = (name: string) => ({ submit: async () => { throw new Error(`${name} was asked`) } })
const movedOn = (row: { id: string; turn: number }) => settleGroup(database, null)([{ id: row.id, turn: row.turn, state: 'queued', attemptOutcome: 'failed', problem: { code: 'provider_busy', message: 'busy' }, route: { provider: 'second', model: 'model' }, receipt: null }])

test('killed after one route failed and before the next was asked: the next is asked, once', () => killed(async ({ taskId, caller, claimAt }) => {
  await movedOn(await claimAt('made-up'))
  let asked = 0
  await withEngine({ ...never('the first'), lostAfterMs: 1_000, others: { second: { submit: async () => { asked++; return made() } } } }, async ({ engine }) => {
    const task = await ended(engine, caller, taskId)
    assert.deepEqual([task.state, task.provider, asked], ['done', 'second', 1])
    assert.deepEqual(await attemptsOf(taskId), [['made-up', 'failed', 'provider_busy'], ['second', 'done', null]])
  })
}))

test('killed before it was written down that one route failed: nobody else is asked', () => killed(async ({ taskId, caller, claimAt }) => {
  await claimAt('made-up')
  await withEngine({ ...never('the first'), lostAfterMs: 1_000, others: { second: never('the second') } }, async ({ engine }) => {
    const task = await ended(engine, caller, taskId)
    assert.deepEqual([task.state, task.problem?.code, task.chargedMicros], ['failed', 'outcome_unknown', 0])
  })
}))

test('the same where the first can be asked: it is found out there first, and only its own no leads on', () => killed(async ({ taskId, caller, claimAt }) => {
  await claimAt('made-up')
  const keys: string[] = []
  await withEngine({
    repeat: 'find', lostAfterMs: 1_000, find: async job => { keys.push(`find ${job.key}`); return null }, poll: async () => wait(null, 1),
    submit: async job => { keys.push(`submit ${job.key}`); return failed(new Problem('provider_busy', 'busy')) },
    others: { second: { submit: made } },
  }, async ({ engine }) => {
    const task = await ended(engine, caller, taskId)
    assert.deepEqual([task.state, task.provider], ['done', 'second'])
    assert.deepEqual(keys, [`find ${taskId}-1`, `submit ${taskId}-1`])
  })
}))

test('killed while the next route was being asked: neither is asked again', () => killed(async ({ taskId, caller, claimAt }) => {
  await movedOn(await claimAt('made-up'))
  await claimAt('second')
  await withEngine({ ...never('the first'), lostAfterMs: 1_000, others: { second: never('the second') } }, async ({ engine }) => {
    const task = await ended(engine, caller, taskId)
    assert.deepEqual([task.state, task.problem?.code, task.attempts, task.chargedMicros], ['failed', 'outcome_unknown', 2, 0])
    assert.deepEqual(task.tried.map(one => [one.provider, one.outcome]), [['made-up', 'failed'], ['second', 'unknown']])
  })
}))

test('where asking again is safe only with the same key, a lost asking is put to the same provider and to nobody else', () => killed(async ({ taskId, caller, claimAt }) => {
  await claimAt('made-up')
  let asked = 0
  await withEngine({ repeat: 'safe', lostAfterMs: 1_000, submit: async () => ++asked === 1 ? failed(new Problem('provider_busy', 'busy')) : made(), others: { second: never('the second') } }, async ({ engine }) => {
    const task = await ended(engine, caller, taskId)
    assert.deepEqual([task.state, task.provider, asked], ['done', 'made-up', 2])
  })
}))

test('a settlement that moves a task on counts once: a second process that lost the turn moves nothing', () => killed(async ({ taskId, caller, claimAt }) => {
  const row = await claimAt('made-up')
  const both = await Promise.all([movedOn(row), movedOn(row)])
  assert.equal(both[0]!.held.size + both[1]!.held.size, 1)
  const { rows: [task] } = await database.query('select state, provider, attempts from task where id = $1', [taskId])
  assert.deepEqual(task, { state: 'queued', provider: 'second', attempts: 1 })
  await withEngine({ ...never('the first'), others: { second: { submit: made } } }, async ({ engine }) => assert.equal((await ended(engine, caller, taskId)).state, 'done'))
}))

test('work queued for a provider that is down is given to another one, unless an asking is still open there', async () => {
  const caller = await newPerson(database, { livemode: true })
  const silent = testEngine(database, { work: null })
  const [free, open] = [await submit(silent.engine, caller), await submit(silent.engine, caller)]
  await database.query(`insert into provider_health (provider, state, open_until) values ('made-up', 'open', now() + interval '1 hour')`)
  // Handed back without a word of the upstream's: it may have been bought there.
  await database.query(`insert into attempt (task_id, number, provider, upstream_model) values ($1, 1, 'made-up', 'model')`, [open.taskId])
  await withEngine({ ...never('the first'), down: ['made-up'], others: { second: { submit: made } } }, async ({ engine }) => {
    const task = await ended(engine, caller, free.taskId)
    assert.deepEqual([task.state, task.provider, task.warnings.length], ['done', 'second', 1])
    assert.equal((await engine.find(ownerOf(caller), open.taskId))!.provider, 'made-up')
    await engine.cancel(ownerOf(caller), open.taskId)
  })
  await database.query('delete from provider_health')
  await booksAreRight()
})
