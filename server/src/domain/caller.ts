/** What a key may do. `admin` may do everything within its account, also to keys; what concerns the whole house (its routes) takes `operator`, which only an operator gives. */
export const scopes = ['tasks:read', 'tasks:write', 'assets:read', 'assets:write', 'usage:read', 'webhooks:write', 'admin', 'operator'] as const
export type Scope = (typeof scopes)[number]

export interface KeyLimits {
  requestsPerMinute: number | null
  executionsPerDay: number | null
  /** Tasks in the making at once, of the whole account. */
  concurrent: number | null
}

/** What a project wants of a retired model: to hear of it, or to have its replacement make the order. */
export const retiredChoices = ['refuse', 'replace'] as const
export type RetiredModels = (typeof retiredChoices)[number]

/** Who is asking: a key, and through it a project and an account, in test or live mode. */
export interface Caller {
  keyId: string
  keyName: string
  keyPrefix: string
  accountId: string
  projectId: string
  livemode: boolean
  scopes: Scope[]
  limits: KeyLimits
  /** The project's choice; absent means `refuse`. */
  retiredModels?: RetiredModels
  /** Whether the project takes orders by template only; absent where nobody has looked. */
  templatesOnly?: boolean
}

export const mayUse = (caller: Caller, scope: Scope): boolean => caller.scopes.includes(scope) || scope !== 'operator' && caller.scopes.includes('admin')
