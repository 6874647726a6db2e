import { Type } from 'typebox'
import { done, failed } from '@plantain/server/domain/outcome.ts'
import { Problem } from '@plantain/server/domain/problem.ts'
import { provider } from '@plantain/server/providers/contract.ts'

/** A provider as an operator might add one: a press in the cellar that prints at once. Shows what a folder needs, and no more. */
export default provider({
  id: 'postcard',
  title: 'The press in the cellar',
  settings: Type.Object({
    baseUrl: Type.String({ pattern: '^https?://', description: 'Where the press listens.' }),
    copies: Type.Integer({ minimum: 1, maximum: 8, default: 4, description: 'How many it prints at once.' }),
  }),
  limits: { concurrency: 1, perMinute: null, perProcess: null },
  repeat: 'never',
  connect: ({ baseUrl, copies }, { fetch }) => ({
    async submit({ prompt, width, height, count }, signal) {
      if (count > copies) return failed(new Problem('unsupported_parameter', `The press prints at most ${copies} at once, not ${count}.`, { field: 'parameters.count', value: count }))
      const answer = await fetch(`${baseUrl}/print`, { method: 'POST', signal, body: JSON.stringify({ prompt, width, height, count }) })
      if (answer.status === 503) return failed(new Problem('provider_busy', 'The press is busy.'))
      if (!answer.ok) return failed(new Problem('provider_rejected', `The press refused this with HTTP ${answer.status}.`))
      const { cards } = await answer.json() as { cards: string[] }
      return done({ made: cards.map(card => ({ bytes: Buffer.from(card, 'base64'), mime: 'image/png' })) })
    },
  }),
})
