/**
 * The gate: who is asking, how often they may, and which keys there are.
 *
 * Invariants: a secret is never stored, logged or shown twice; every answer comes from the database of this moment. Absent
 * on purpose: executions a day and tasks at once, which the engine counts where it writes the task.
 */
import type { Database } from '../db/pool.ts'
import type { Caller } from '../domain/caller.ts'
import type { Json } from '../domain/outcome.ts'
import { createAuthenticate } from './authenticate.ts'
import { keepFeedback } from './feedback.ts'
import { createKeys, type Keys } from './keys.ts'
import { createOperator, type Operator } from './operator.ts'
import type { Project as ProjectSettings, ProjectChange } from '../protocols/contract.ts'
import { changeProject, createTemplatesOnly, readProject } from './project.ts'
import { createRate, type Rate } from './rate.ts'
import { createReplies, sweepReplies, type Replies } from './replies.ts'

export type { Account, FirstBoot, Grant, Project } from './operator.ts'
export type { Keys } from './keys.ts'
export type { Rate } from './rate.ts'

export interface Access extends Operator {
  /** Who a secret belongs to; null where it opens nothing: unknown, revoked, expired. */
  authenticate(secret: string): Promise<Caller | null>
  /** The same for those who tell a key that has expired from one that never was. */
  identify(secret: string): Promise<Caller | 'expired' | null>
  /** Whose a key is, for work that was begun with it; null where it opens nothing any more. */
  callerOf(keyId: string): Promise<Caller | null>
  /** Counts one request against the key's requests a minute, over all servers; null where it has no limit. */
  countRequest(caller: Pick<Caller, 'keyId' | 'limits'>): Promise<Rate | null>
  /** How much of its requests a minute a key has left, counting nothing. */
  peekRate(caller: Pick<Caller, 'keyId' | 'limits'>): Promise<Rate | null>
  replies: Replies
  feedback(caller: Caller, said: { protocol: string; category: string; title: string; body: string; context: Json }): Promise<string>
  keys: Keys
  projects: {
    read(caller: Caller): Promise<ProjectSettings>
    /** Whether orders have to name a template. */
    takesOnlyTemplates(caller: Pick<Caller, 'projectId'>): Promise<boolean>
    change(caller: Caller, change: ProjectChange): Promise<ProjectSettings>
  }
  /** Removes what nobody will ask for again. Once a minute is plenty. */
  sweep(): Promise<number>
  /** Settles when nothing is being written in the background. Call it before the database is closed. */
  drain(): Promise<void>
}

export interface AccessOptions {
  database: Database
  now(): Date
  log: { warn(fields: object, message: string): void }
}

export function createAccess({ database, now, log }: AccessOptions): Access {
  const { identify, authenticate, callerOf, drain } = createAuthenticate({ database, now, log })
  const { countRequest, peekRate, sweep: sweepRate } = createRate({ database, now })
  const takesOnlyTemplates = createTemplatesOnly(database)
  return {
    identify, authenticate, callerOf, countRequest, peekRate, drain,
    sweep: async () => await sweepRate() + await sweepReplies(database),
    replies: createReplies({ database }),
    feedback: (caller, said) => keepFeedback(database, caller, said),
    keys: createKeys({ database, now }),
    projects: {
      read: ({ projectId }) => readProject(database, projectId),
      takesOnlyTemplates: ({ projectId }) => takesOnlyTemplates(projectId),
      change: (caller, change) => changeProject(database, caller, change),
    },
    ...createOperator({ database, now }),
  }
}
