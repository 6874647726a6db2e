/** Writes `server/openapi.json` anew: `node server/src/http/write-openapi.ts`. */
import { readFile, writeFile } from 'node:fs/promises'
import { loadFolders } from '../kit/loader.ts'
import type { Protocol } from '../protocols/contract.ts'
import { describe } from './openapi.ts'

export const openapiFile = new URL('../../openapi.json', import.meta.url)

/** The description as it should stand in the file. */
export async function writeOpenapi(): Promise<string> {
  const protocols = await loadFolders<Protocol>(new URL('../protocols/', import.meta.url))
  const { version } = JSON.parse(await readFile(new URL('../../package.json', import.meta.url), 'utf8')) as { version: string }
  return `${JSON.stringify(describe(protocols, { version }), null, 1)}\n`
}

if (import.meta.main) await writeFile(openapiFile, await writeOpenapi())
