/**
 * A bounded memory of what never changes: read once, then known. What was longest unused goes first.
 *
 * A reading that fails is not remembered.
 */
export function remember<Value>(max: number): (name: string, read: () => Promise<Value>) => Promise<Value> {
  const kept = new Map<string, Value>()
  return async (name, read) => {
    let value = kept.get(name)
    if (value === undefined) value = await read()
    kept.delete(name)
    kept.set(name, value)
    if (kept.size > max) kept.delete(kept.keys().next().value!)
    return value
  }
}
