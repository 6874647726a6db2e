import { readdir, realpath } from 'node:fs/promises'
import { isBuiltin, registerHooks } from 'node:module'
import { sep } from 'node:path'
import { pathToFileURL } from 'node:url'

/** Files that belong to the kind and not to one of it; so does a folder `toolkit`. */
const shared = /^(contract|toolkit)\.ts$|\.test\.ts$|\.d\.ts$/

interface Found<T> { thing: T; file: URL }

/**
 * Finds everything of one kind: each subfolder (its `index.ts`) and each file beside a `contract.ts`, sorted by id.
 *
 * Adding something is adding a folder or a file, and no list has to know. What does not fit is refused at boot with the path
 * and the reason, because a provider that is silently missing is only missed when somebody pays for it.
 *
 * @throws {Error} when a folder has code but no `index.ts`, has no default export, its `id` is not its name, or a name is there twice
 * @example await loadFolders<Provider>(new URL('./providers/', import.meta.url))
 */
export async function loadFolders<T extends { id: string }>(...folders: URL[]): Promise<T[]> {
  const found: Found<T>[] = []
  for (const folder of folders) found.push(...await loadFolder<T>(folder))
  found.sort((one, other) => one.thing.id < other.thing.id ? -1 : 1)
  const twice = found.findIndex((one, index) => one.thing.id === found[index + 1]?.thing.id)
  if (twice >= 0) throw new Error(`"${found[twice]!.thing.id}" is there twice, as ${found[twice]!.file.pathname} and ${found[twice + 1]!.file.pathname}. Keep one.`)
  return found.map(({ thing }) => thing)
}

async function loadFolder<T extends { id: string }>(folderUrl: URL): Promise<Found<T>[]> {
  const folder = new URL(folderUrl.href.endsWith('/') ? folderUrl.href : `${folderUrl.href}/`)
  const found: Found<T>[] = []
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    if (entry.name === 'toolkit') continue
    if (entry.isDirectory()) {
      const inside = await readdir(new URL(`${entry.name}/`, folder))
      if (inside.includes('index.ts')) found.push(await load<T>(new URL(`${entry.name}/index.ts`, folder), entry.name))
      else if (inside.some((name) => name.endsWith('.ts'))) throw new Error(`${new URL(entry.name, folder).pathname} has no index.ts. Add one with a default export, or move the folder.`)
    } else if (entry.name.endsWith('.ts') && !shared.test(entry.name)) {
      found.push(await load<T>(new URL(entry.name, folder), entry.name.slice(0, -3)))
    }
  }
  return found
}

async function load<T extends { id: string }>(file: URL, name: string): Promise<Found<T>> {
  const { default: thing } = await import(file.href) as { default?: unknown }
  if (typeof thing !== 'object' || thing === null || !('id' in thing)) throw new Error(`${file.pathname} has no default export with an id. Export what the contract declares.`)
  if (thing.id !== name) throw new Error(`${file.pathname} calls itself "${String(thing.id)}". Its id must be its name, "${name}".`)
  return { thing: thing as T, file }
}

const guests = new Set<string>()

/**
 * Lets code in a folder outside this checkout import as if it stood inside, and gives the folder as `loadFolders` wants it.
 *
 * `@plantain/server/…` is then this very server: a `Problem` made out there is one in here. Other packages are looked for beside the
 * folder first and here if they are not there, so a provider of one file needs no `node_modules` of its own.
 *
 * @throws {Error} when there is no such folder
 */
export async function welcomeFolder(path: string): Promise<URL> {
  // Modules are known by their real path, links followed.
  const real = await realpath(path).catch(() => { throw new Error(`There is no folder ${path}.`) })
  const folder = pathToFileURL(real.endsWith(sep) ? real : `${real}${sep}`)
  if (guests.size === 0) {
    registerHooks({
      resolve(specifier, context, next) {
        const isGuest = context.parentURL !== undefined && [...guests].some(guest => context.parentURL!.startsWith(guest))
        const isPackage = /^(@[^/]+\/)?[^./:@][^:]*$/.test(specifier) && !isBuiltin(specifier)
        if (!isGuest || !isPackage) return next(specifier, context)
        const here = () => next(specifier, { ...context, parentURL: import.meta.url })
        if (specifier.startsWith('@plantain/')) return here()
        try { return next(specifier, context) } catch (thrown) {
          if ((thrown as { code?: unknown }).code === 'ERR_MODULE_NOT_FOUND') return here()
          throw thrown
        }
      },
    })
  }
  guests.add(folder.href)
  return folder
}
