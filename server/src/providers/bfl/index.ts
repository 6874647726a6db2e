import { Type } from 'typebox'
import { provider } from '../contract.ts'
import { tellNumber } from '../toolkit.ts'
import { connectTwoCalls } from '../toolkit/two-calls.ts'
import { mayLookAt, readBegun, readLook, writeBody } from './wire.ts'

/**
 * Black Forest Labs: pictures that are handed in and looked at.
 *
 * Asked directly and not through the AI SDK, whose package polls inside one call (a restart would lose a picture that is paid) and leaves
 * out the states in which a picture was moderated. Results are gone after ten minutes and are fetched at once.
 */
export default provider({
  id: 'bfl',
  title: 'Black Forest Labs',
  settings: Type.Object({
    apiKey: Type.String({ description: 'From the page dashboard.bfl.ai.', minLength: 1 }),
    baseUrl: Type.String({ default: 'https://api.bfl.ai/v1', description: 'Where pictures are handed in; regions have addresses of their own (api.eu.bfl.ai, api.us.bfl.ai).', pattern: '^https?://' }),
  }),
  // 24 at once, say its pages; 6 of flux-kontext-max.
  limits: { concurrency: 24, perMinute: null, perProcess: null },
  repeat: 'never',
  oneEach: true,
  probe: ({ apiKey, baseUrl }) => ({ url: `${baseUrl.replace(/\/+$/, '')}/credits`, headers: { 'x-key': apiKey }, tells: tellNumber('credits', 'credits left') }),
  connect({ apiKey, baseUrl }, workshop) {
    const base = baseUrl.replace(/\/+$/, '')
    return connectTwoCalls({
      id: 'bfl', title: 'Black Forest Labs', setting: 'BFL_API_KEY', headers: { 'x-key': apiKey, accept: 'application/json' }, readBegun, readLook, mayLookAt: url => mayLookAt(url, base),
      async write(job) {
        writeBody(job, job.inputs.map(() => ''))
        const pictures = await Promise.all(job.inputs.map(async input => (await input.read()).toString('base64')))
        const { body, warnings } = writeBody(job, pictures)
        const seed = typeof body.seed === 'number' ? body.seed : null
        return { url: `${base}/${encodeURIComponent(job.model)}`, warnings, bodies: Array.from({ length: job.count }, (_, index) => seed === null ? body : { ...body, seed: (seed + index) % 2_147_483_648 }) }
      },
    }, workshop)
  },
})
