import type { Client } from '../db/pool.ts'
import type { Caller } from '../domain/caller.ts'
import type { Json } from '../domain/outcome.ts'
import { Problem } from '../domain/problem.ts'
import { newId } from '../kit/id.ts'

const perHour = 10

/**
 * Keeps what a caller has to say.
 *
 * @throws {Problem} `rate_limited` beyond ten an hour and key; two at the same moment may both be the tenth
 */
export async function keepFeedback(client: Client, caller: Caller, { protocol, category, title, body, context }: { protocol: string; category: string; title: string; body: string; context: Json }): Promise<string> {
  const id = newId()
  const { rowCount } = await client.query(`
    insert into feedback (id, project_id, key_id, protocol, category, title, body, context)
    select $1, $2, $3, $4, $5, $6, $7, $8 where (select count(*) from feedback where key_id = $3 and created_at > now() - interval '1 hour') < $9`,
  [id, caller.projectId, caller.keyId, protocol, category, title, body, JSON.stringify(context), perHour])
  if (rowCount === 0) throw new Problem('rate_limited', `A key may say ${perHour} things an hour here. Try again later.`, { reason: 'feedback', retryAfterS: 3_600 })
  return id
}
