import { readdir } from 'node:fs/promises'

/** Files that belong to the kind and not to one of it. */
const shared = /^(contract|toolkit)\.ts$|\.test\.ts$|\.d\.ts$/

/**
 * Finds everything of one kind: each subfolder (its `index.ts`) and each file beside a `contract.ts`, sorted by id.
 *
 * Adding something is adding a folder or a file, and no list has to know. What does not fit is refused at boot with the path
 * and the reason, because a provider that is silently missing is only missed when somebody pays for it.
 *
 * @throws {Error} when a folder has code but no `index.ts`, has no default export, or its `id` is not its name
 * @example await loadFolders<Provider>(new URL('./providers/', import.meta.url))
 */
export async function loadFolders<T extends { id: string }>(folderUrl: URL): Promise<T[]> {
  const folder = new URL(folderUrl.href.endsWith('/') ? folderUrl.href : `${folderUrl.href}/`)
  const found: T[] = []
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    if (entry.isDirectory()) {
      const inside = await readdir(new URL(`${entry.name}/`, folder))
      if (inside.includes('index.ts')) found.push(await load<T>(new URL(`${entry.name}/index.ts`, folder), entry.name))
      else if (inside.some((name) => name.endsWith('.ts'))) throw new Error(`${new URL(entry.name, folder).pathname} has no index.ts. Add one with a default export, or move the folder.`)
    } else if (entry.name.endsWith('.ts') && !shared.test(entry.name)) {
      found.push(await load<T>(new URL(entry.name, folder), entry.name.slice(0, -3)))
    }
  }
  found.sort((one, other) => one.id < other.id ? -1 : 1)
  const twice = found.find((one, index) => one.id === found[index + 1]?.id)
  if (twice) throw new Error(`${folder.pathname} holds "${twice.id}" twice, as a file and as a folder. Keep one.`)
  return found
}

async function load<T extends { id: string }>(file: URL, name: string): Promise<T> {
  const { default: thing } = await import(file.href) as { default?: unknown }
  if (typeof thing !== 'object' || thing === null || !('id' in thing)) throw new Error(`${file.pathname} has no default export with an id. Export what the contract declares.`)
  if (thing.id !== name) throw new Error(`${file.pathname} calls itself "${String(thing.id)}". Its id must be its name, "${name}".`)
  return thing as T
}
