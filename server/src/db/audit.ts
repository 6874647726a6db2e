import type { Client } from './pool.ts'

/** An administrative act: who did what to whom. */
export interface Act {
  accountId: string | null
  projectId: string | null
  /** The key that did it; null for the operator. */
  keyId: string | null
  act: string
  subject: string
  details?: Record<string, unknown>
}

/** Writes an administrative act down, in the transaction of the act. */
export async function writeAct(client: Client, { accountId, projectId, keyId, act, subject, details = {} }: Act): Promise<void> {
  await client.query(
    { name: 'audit', text: 'insert into audit (account_id, project_id, key_id, act, subject, details) values ($1, $2, $3, $4, $5, $6)' },
    [accountId, projectId, keyId, act, subject, JSON.stringify(details)])
}
