import { availableParallelism } from 'node:os'
import { Type } from 'typebox'
import { provider } from '../contract.ts'
import { connectRenderer } from './work.ts'

/** One core stays with the server. */
const threadsDefault = Math.max(1, availableParallelism() - 1)

/**
 * The built-in model: procedural pictures from worker threads of this process, and texts by rules and phrases, offline and free. Serves every test key.
 *
 * `safe` to ask again: the same request gives the same picture and costs nothing.
 */
export default provider({
  id: 'sandbox',
  title: 'Sandbox renderer (procedural, not AI)',
  writes: true,
  settings: Type.Object({
    threads: Type.Integer({ minimum: 0, maximum: 64, default: 0, description: 'Worker threads that render; 0 takes one fewer than there are cores, at least one.' }),
  }),
  limits: { concurrency: null, perMinute: null, perProcess: threadsDefault },
  repeat: 'safe',
  connect({ threads }, workshop) {
    const perProcess = threads || threadsDefault
    return { limits: { perProcess }, ...connectRenderer(async () => (await import('@plantain/sandbox/pool')).startPool({ threads: perProcess }), workshop) }
  },
})
