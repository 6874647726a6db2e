/** The lesser of two limits, where null is none. */
export const lesser = (one: number | null, other: number | null): number | null =>
  one === null ? other : other === null ? one : Math.min(one, other)

/** Does `limit` leave more room than `bound`? */
export const isLooser = (limit: number | null, bound: number | null): boolean => bound !== null && (limit === null || limit > bound)
