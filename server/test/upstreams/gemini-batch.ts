/** Google's batches are a part of its API: the same rehearsal. */
import { geminiKey, startGemini } from './gemini.ts'
import { bought, fine, inTheCall, lineFaults, type Rehearsal } from './loopback.ts'

export async function rehearse(): Promise<Rehearsal> {
  const upstream = await startGemini()
  return {
    settings: { apiKey: geminiKey, baseUrl: upstream.url }, model: 'gemini-nano-banana-2.1', key: geminiKey, tellsCost: true, job: { priority: 'batch' },
    stats: upstream.stats, clear: upstream.clear, close: upstream.close,
    faults: {
      // What was taken is found in Google's list; what is not found there in a minute may be there all the same.
      ...lineFaults(undefined, fine),
      no_picture: { says: 'fault:not_a_picture', ...bought('bad_output') },
      lost_job: { says: 'fault:lost', ...bought('provider_failed') }, moment: { says: 'fault:moment', ...fine }, blind: 'It is looked at once a minute then, which is too long here: providers-gemini-batch.test.ts has it.',
      odd_200: { says: 'fault:batch_failed', ...bought('provider_failed') },
      expired: inTheCall.expired, expired_once: inTheCall.expired_once,
    },
  }
}
