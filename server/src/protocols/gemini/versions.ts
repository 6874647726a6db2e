/** What the routes of this door have in common. */

/** Clients of this dialect have three habits; all three mean the same here. */
export const versions = ['v1beta', 'v1', 'v1alpha'] as const

export const tag = 'Gemini'

/** What Google takes inline. */
export const bodyMax = 100 * 1024 * 1024
