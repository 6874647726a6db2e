import assert from 'node:assert/strict'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { test } from 'node:test'
import { pathToFileURL } from 'node:url'
import { loadFolders } from './loader.ts'

const loaded = async (files: Record<string, string>): Promise<string[]> => {
  const folder = await mkdtemp(join(tmpdir(), 'loader-'))
  try {
    for (const [name, text] of Object.entries(files)) {
      await mkdir(dirname(join(folder, name)), { recursive: true })
      await writeFile(join(folder, name), text)
    }
    return (await loadFolders<{ id: string }>(pathToFileURL(folder))).map(({ id }) => id)
  } finally { await rm(folder, { recursive: true }) }
}
const as = (id: string) => `export default { id: '${id}' }`
const refuses = (what: string, files: Record<string, string>, message: RegExp) => test(what, () => assert.rejects(loaded(files), message))

test('folders and files beside a contract are found and sorted', async () => {
  const files = {
    'contract.ts': 'export default 1', 'toolkit.ts': 'throw new Error()', 'toolkit/words.ts': 'throw new Error()', 'zebra.test.ts': 'throw new Error()', 'notes.md': '',
    'fixtures/a.json': '{}', 'zebra.ts': as('zebra'), 'apple/index.ts': as('apple'), 'apple/wire.ts': 'throw new Error()',
  }
  assert.deepEqual(await loaded(files), ['apple', 'zebra'])
})
test('nothing beside a contract is nothing', async () => assert.deepEqual(await loaded({ 'contract.ts': '' }), []))
refuses('an id that is not the name is refused', { 'acme/index.ts': as('other') }, /acme\/index\.ts calls itself "other".*"acme"/)
refuses('a file without a default export is refused', { 'acme.ts': 'export const id = 1' }, /acme\.ts has no default export/)
refuses('a folder of code without an index is refused', { 'acme/wire.ts': '' }, /acme has no index\.ts/)
refuses('a file and a folder of one name are refused', { 'acme.ts': as('acme'), 'acme/index.ts': as('acme') }, /"acme" is there twice, as .*acme\.ts and .*acme\/index\.ts|"acme" is there twice, as .*acme\/index\.ts and .*acme\.ts/)
