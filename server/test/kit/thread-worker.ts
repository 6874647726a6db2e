/** A thread that can be told to misbehave. */
import { Problem } from '../../src/domain/problem.ts'
import { serveThread } from '../../src/kit/thread.ts'
import { handOver } from '../../src/kit/threads.ts'

export type Deed = 'say' | 'refuse' | 'break' | 'leave' | 'spin' | 'eat' | 'wait' | 'ask' | 'ask and forward' | 'double'
export interface Told { deed: Deed; value?: unknown; until?: Int32Array }

const deeds: Record<Deed, (told: Told, ask: Parameters<Parameters<typeof serveThread>[0]>[1]) => unknown> = {
  say: ({ value }) => value,
  refuse: () => { throw new Problem('bad_request', 'It is too wide.', { field: 'width', value: 9, allowed: { maximum: 8 }, cause: new Error('x') }) },
  break: () => { throw new TypeError('no such thing') },
  leave: () => process.exit(3),
  spin: ({ until }) => { if (until) { Atomics.store(until, 0, 1); Atomics.notify(until, 0) } for (;;); },
  eat: () => { const eaten: unknown[] = []; for (;;) eaten.push(Array.from({ length: 1_000 }, (_, index) => ({ index }))) },
  // Holds its own thread, as work does, until somebody on the other one has had a turn.
  wait: ({ until }) => Atomics.wait(until!, 0, 0, 60_000),
  ask: (_, ask) => ask('answer', 20),
  'ask and forward': async (_, ask) => { await ask('answer', 20).catch(error => { throw error }) },
  double: ({ value }) => handOver((value as Uint8Array).map(byte => byte * 2)),
}

serveThread((told, ask) => deeds[(told as Told).deed](told as Told, ask))
