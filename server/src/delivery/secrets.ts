/** What a project signs with apart from its endpoints: call backs asked for in a request, and Kie's headers. */
import { createHmac } from 'node:crypto'
import { writeAct } from '../db/audit.ts'
import type { Client, Database } from '../db/pool.ts'
import { newKieKey, newWebhookSecret } from './signature.ts'
import { overlapUntil, type Owner } from './owner.ts'

/** The secrets that sign now: the present one first, and the one it replaced while their overlap lasts. */
export function liveSecrets({ secret, old, oldUntil }: { secret: string | null; old: string | null; oldUntil: Date | null }, now: Date): string[] {
  const secrets = secret === null ? [] : [secret]
  if (old !== null && oldUntil !== null && oldUntil > now) secrets.push(old)
  return secrets
}

type Mode = Pick<Owner, 'projectId' | 'livemode'>

/** The secret of the project's call backs, made now if this is the first time it is needed. */
export async function makeCallbackSecret(client: Client, { projectId, livemode }: Mode): Promise<string> {
  await client.query(
    `insert into callback_secret (project_id, livemode, secret) values ($1, $2, $3) on conflict do nothing`, [projectId, livemode, newWebhookSecret()])
  const { rows: [row] } = await client.query<{ secret: string }>('select secret from callback_secret where project_id = $1 and livemode = $2', [projectId, livemode])
  return row!.secret
}

/**
 * What signs the pictures a workflow publishes to an address. A secret of its own, worked out from that of the call backs: with theirs, whoever may
 * draw a workflow could send the project's own receiver a body that passes for a call back.
 */
export const publishSecretOf = (callbackSecret: string): string => `whsec_${createHmac('sha256', callbackSecret).update('publish').digest('base64')}`

/** Replaces the secret of the project's call backs; the old one signs as well for `overlapHours`. */
export async function rotateCallbackSecret(database: Database, owner: Owner, overlapHours: number, now: Date): Promise<string> {
  const until = overlapUntil(overlapHours, now)
  return database.transaction(async client => {
    await makeCallbackSecret(client, owner)
    const { rows: [row] } = await client.query<{ secret: string }>(
      `update callback_secret set old_secret = case when $4::timestamptz is null then null else secret end, old_secret_until = $4, secret = $3
       where project_id = $1 and livemode = $2 returning secret`,
      [owner.projectId, owner.livemode, newWebhookSecret(), until])
    await writeAct(client, { ...owner, act: 'callback_secret.rotated', subject: owner.projectId, details: { livemode: owner.livemode, overlapHours } })
    return row!.secret
  })
}

/** Whether messages also carry a signature of the house's own key. */
export async function hasHouseSignature(client: Client, { projectId, livemode }: Mode): Promise<boolean> {
  const { rows: [row] } = await client.query<{ house_signature: boolean }>('select house_signature from callback_secret where project_id = $1 and livemode = $2', [projectId, livemode])
  return row?.house_signature ?? false
}

export async function changeHouseSignature(database: Database, owner: Owner, enabled: boolean): Promise<boolean> {
  await database.transaction(async client => {
    await makeCallbackSecret(client, owner)
    await client.query('update callback_secret set house_signature = $3 where project_id = $1 and livemode = $2', [owner.projectId, owner.livemode, enabled])
    await writeAct(client, { ...owner, act: 'house_signature.changed', subject: owner.projectId, details: { livemode: owner.livemode, enabled } })
  })
  return enabled
}

export async function findKieKey(client: Client, { projectId, livemode }: Mode): Promise<{ created: Date } | null> {
  const { rows: [row] } = await client.query<{ created_at: Date }>('select created_at from kie_key where project_id = $1 and livemode = $2', [projectId, livemode])
  return row ? { created: row.created_at } : null
}

/** Makes the key of Kie's headers. Kie knows no overlap: its header holds one signature. */
export async function rotateKieKey(database: Database, owner: Owner, now: Date): Promise<string> {
  const key = newKieKey()
  await database.transaction(async client => {
    await client.query(
      `insert into kie_key (project_id, livemode, key, created_at) values ($1, $2, $3, $4)
       on conflict (project_id, livemode) do update set key = excluded.key, created_at = excluded.created_at`, [owner.projectId, owner.livemode, key, now])
    await writeAct(client, { ...owner, act: 'kie_key.rotated', subject: owner.projectId, details: { livemode: owner.livemode } })
  })
  return key
}
