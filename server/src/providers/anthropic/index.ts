import { Type } from 'typebox'
import { provider } from '../contract.ts'
import { asking, before, readOnce, tellOperator, withoutTail } from '../toolkit.ts'
import { readPictures } from '../toolkit/text.ts'
import { readMessage, writeMessage } from './wire.ts'

/** The version of the interface we speak; Anthropic keeps old ones. */
const version = '2023-06-01'

/** Anthropic's messages: texts, with pictures to go by. The text comes in the call. */
export default provider({
  id: 'anthropic',
  title: 'Anthropic',
  settings: Type.Object({
    apiKey: Type.String({ description: 'From the page platform.claude.com/settings/keys.', minLength: 1 }),
    baseUrl: Type.String({ default: 'https://api.anthropic.com', description: 'Where the API is, with or without /v1.', pattern: '^https?://' }),
  }),
  limits: { concurrency: 30, perMinute: 50, perProcess: null },
  repeat: 'never',
  writes: true,
  probe: ({ apiKey, baseUrl }) => ({ url: `${withoutTail(baseUrl, /\/v1$/)}/v1/models?limit=1`, headers: { 'x-api-key': apiKey, 'anthropic-version': '2023-06-01' } }),
  connect({ apiKey, baseUrl }, { fetch, now, log }) {
    const url = new URL(`${withoutTail(baseUrl, /\/v1$/)}/v1/messages`)
    const ask = asking(fetch, now)
    return {
      async submit(job, signal) {
        const prepared = await before(signal, async () => writeMessage(job, await readPictures(job)))
        if ('stopped' in prepared) return prepared.stopped
        const { body, warnings } = prepared.value
        const reply = await ask(url, { method: 'POST', headers: { 'x-api-key': apiKey, 'anthropic-version': version, 'content-type': 'application/json' }, body: JSON.stringify(body), signal })
        return tellOperator(readOnce(reply, one => readMessage(one, job, warnings)), 'anthropic', log)
      },
    }
  },
})
