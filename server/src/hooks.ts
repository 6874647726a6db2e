/**
 * Where upstreams call back. Whatever they say there is a hint: the engine looks at the job by itself and believes what it finds.
 *
 * The address holds a signature of ours, so only an upstream we told it can make us look. Where the upstream signs as well
 * (`Connection.verify`), a call that is forged or old is refused, and one that comes again is taken and not looked at again.
 * Absent on purpose: anything read out of a body, any state of a task.
 */
import { createHash, createHmac } from 'node:crypto'
import type { Client } from './db/pool.ts'
import { Problem } from './domain/problem.ts'
import { isId } from './kit/id.ts'
import { readBytes } from './kit/json.ts'
import { protocol, type Protocol } from './protocols/contract.ts'
import type { Connection } from './providers/contract.ts'
import { isSame } from './providers/toolkit.ts'

export interface HooksOptions {
  secret: Buffer
  publicUrl(): string
  /** The connection of a provider that is set up here. */
  connectionOf(provider: string): Pick<Connection, 'verify'> | null
  /** Whether a genuine call is heard for the first time. */
  hear(provider: string, id: string): Promise<boolean>
  /** Look at this task. A task that has ended is no mistake: the call came late. */
  nudge(taskId: string): Promise<void>
  log: { info(fields: object, message: string): void; warn(fields: object, message: string): void }
}

/** Call backs carry a task's state and links; pictures are fetched. */
const bodyMax = 4_000_000
const verifyWithinMs = 10_000

/** The address a provider is given for one task. */
export const hookUrl = (publicUrl: string, secret: Buffer, provider: string, taskId: string): string =>
  `${publicUrl}/hooks/${provider}/${tokenOf(secret, provider, taskId)}`

/** A task's id with a signature, good at one provider's address only: another's might sign nothing. */
const tokenOf = (secret: Buffer, provider: string, taskId: string): string =>
  `${taskId}-${createHmac('sha256', secret).update(`hook:${provider}:${taskId}`).digest('hex').slice(0, 32)}`

/**
 * Notes a genuine call back; false for one that was heard before, within the last day. Its signature is good for minutes only.
 *
 * It is noted before anybody looks. Should the look be lost with this process, the job is looked at when it is due, as without any call.
 */
export async function hearOnce(client: Client, provider: string, id: string): Promise<boolean> {
  const { rowCount } = await client.query({ name: 'hooks hear', text: 'insert into callback_seen (provider, id_sha256) values ($1, $2) on conflict do nothing' },
    [provider, createHash('sha256').update(id).digest()])
  return rowCount === 1
}

export const hooks = ({ secret, publicUrl, connectionOf, hear, nudge, log }: HooksOptions): Protocol => protocol({
  id: 'hooks', title: 'Callbacks of upstreams', prefixes: ['/hooks/'], readSecret: () => null,
  refuse: problem => Response.json({ error: { code: problem.code, message: problem.message } }, { status: problem.status }),
  routes: [{
    method: 'POST', path: '/hooks/:provider/:token', scope: null, counts: false, body: 'stream',
    async handle({ params, path, query, headers, stream, signal }) {
      const { provider = '', token = '' } = params
      const taskId = token.slice(0, 32)
      const connection = connectionOf(provider)
      if (!connection || !isId(taskId) || !isSame(token, tokenOf(secret, provider, taskId))) throw new Problem('not_found', 'There is no such address.')
      const body = await readBytes(stream!, bodyMax)
      if (connection.verify) {
        const search = query.size > 0 ? `?${query.toString()}` : ''
        const verdict = await connection.verify({ headers, query, body, url: `${publicUrl()}${path}${search}` }, AbortSignal.any([signal, AbortSignal.timeout(verifyWithinMs)]))
        if (verdict.kind === 'forged') {
          log.warn({ provider, taskId, why: verdict.why }, 'a forged call back was refused')
          throw new Problem('unauthorized', `This call back is not genuine. ${verdict.why}`)
        }
        // Not a no: upstreams that deliver at least once would send it on and on.
        if (verdict.kind === 'genuine' && verdict.id !== undefined && !await hear(provider, verdict.id)) return Response.json({ received: true, repeated: true })
      }
      await nudge(taskId)
      return Response.json({ received: true })
    },
  }],
})
