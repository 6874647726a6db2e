import { Type } from 'typebox'
import { provider } from '../contract.ts'
import { tellNumber } from '../toolkit.ts'
import { connectTwoCalls } from '../toolkit/two-calls.ts'
import { readBegunAt, readLook, writeBody } from './wire.ts'

/**
 * Luma's Photon: pictures that are handed in and looked at; pictures that go in are links.
 *
 * Asked directly and not through the AI SDK, whose package polls inside one call and drops the reason of a failure.
 */
export default provider({
  id: 'luma',
  title: 'Luma',
  settings: Type.Object({
    apiKey: Type.String({ description: 'From the page lumalabs.ai/dream-machine/api/keys.', minLength: 1 }),
    baseUrl: Type.String({ default: 'https://api.lumalabs.ai/dream-machine/v1', description: 'Where pictures are handed in.', pattern: '^https?://' }),
  }),
  limits: { concurrency: 40, perMinute: 80, perProcess: null },
  repeat: 'never',
  oneEach: true,
  probe: ({ apiKey, baseUrl }) => ({ url: `${baseUrl.replace(/\/+$/, '')}/credits`, headers: { authorization: `Bearer ${apiKey}` }, tells: tellNumber('credit_balance', 'cents left') }),
  connect({ apiKey, baseUrl }, workshop) {
    const base = baseUrl.replace(/\/+$/, '')
    return connectTwoCalls({
      id: 'luma', title: 'Luma', setting: 'LUMA_API_KEY', headers: { authorization: `Bearer ${apiKey}`, accept: 'application/json' }, readBegun: readBegunAt(base), readLook, mayLookAt: url => url.host === new URL(base).host,
      async write(job) {
        const { body, warnings } = writeBody(job, job.inputs.map(input => input.link()))
        return { url: `${base}/generations/image`, bodies: Array.from({ length: job.count }, () => body), warnings }
      },
    }, workshop)
  },
})
