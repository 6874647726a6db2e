/** A job as the engine would hand it over, for suites that speak to a connection themselves. */
import type { Job } from '../../src/providers/contract.ts'

/** A picture that cannot be fetched by anybody. */
export const jobInput: Job['inputs'][number] = { assetId: 'a', role: 'reference', mime: 'image/png', sizeBytes: 3, width: 1, height: 1, sha256: 'f'.repeat(64), read: async () => Buffer.from('abc'), link: () => null }

/** Jobs for one model of an upstream. */
export const jobOf = (cardId: string, model: string) => (more: Partial<Job> = {}): Job => ({
  taskId: '0'.repeat(32), attempt: 1, key: 'key-1', cardId, model, operation: 'generate', prompt: 'a kite', parameters: { aspect_ratio: 'auto' },
  count: 1, width: 64, height: 64, inputs: [], livemode: true, callbackUrl: null, ...more,
})
