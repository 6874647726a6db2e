/** Cards of an operator's own: checked and compared where they lie, without a server. */
import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { after, before, test } from 'node:test'
import { plantain } from './cli.ts'

let cwd = ''
before(async () => { cwd = await mkdtemp(path.join(tmpdir(), 'plantain-cards-')) })
after(() => rm(cwd, { recursive: true, force: true }))

let nth = 0
const place = async (files: Record<string, unknown>): Promise<string> => {
  const folder = await mkdtemp(path.join(cwd, `cards-${++nth}-`))
  for (const [name, content] of Object.entries(files)) await writeFile(path.join(folder, name), typeof content === 'string' ? content : JSON.stringify(content))
  return path.relative(cwd, folder)
}
const call = (...words: string[]) => plantain(['models', ...words], { cwd, env: { INIT_CWD: cwd } })

const cheaper = { extends: 'z-image', prices: [{ from: '2026-12-01', source: 'Our contract', rows: [{ micros: 3000, per: 'image' }] }], life: { note: 'Ours.' } }

test('a route to a provider nobody knows here is in order, and said', async () => {
  const folder = await place({ 'z-image.json': { extends: 'z-image', routes: [{ provider: 'kei', model: 'z-image', order: 1, weight: 1 }, { provider: 'kie', model: 'z-image', order: 2, weight: 1 }] } })
  const { code, err } = await call('validate', folder)
  assert.equal(code, 0)
  assert.match(err, /^z-image: routes\/0\/provider: there is no provider kei here, .*\bkie\b/m)
  assert.doesNotMatch(err, /routes\/1/)
  assert.equal(JSON.parse((await call('validate', folder, '--json')).out).warnings.length, 1)
  // An account of an operator's own is a provider.
  assert.equal((await plantain(['models', 'validate', folder], { cwd, env: { INIT_CWD: cwd, PROVIDER_ACCOUNTS: 'kei=kie' } })).err, '')
})

test('a change of a few fields is in order, and shown as what it changes', async () => {
  const folder = await place({ 'z-image.json': cheaper })
  const validated = await call('validate', folder)
  assert.deepEqual([validated.code, validated.out.trim()], [0, 'One card is in order: z-image.'])
  const { code, out } = await call('diff', folder)
  assert.equal(code, 0)
  assert.deepEqual(out.trim().split('\n'), [
    `z-image changes ours (${folder}/z-image.json)`,
    '  prices/0/from', '    - "2026-10-01"', '    + "2026-12-01"',
    '  prices/0/source', '    - "kie.ai catalogue dump of 2026-10-01, 1 credit = $0.005"', '    + "Our contract"',
    '  prices/0/rows/0/micros', '    - 4000 ($0.004)', '    + 3000 ($0.003)',
    '  life/note', '    + "Ours."',
  ])
})
test('a single file is enough', async () => {
  const folder = await place({ 'z-image.json': cheaper })
  assert.equal((await call('validate', `${folder}/z-image.json`)).code, 0)
})
test('null takes a field away, and what is missing then is a mistake', async () => {
  const { code, err } = await call('validate', await place({ 'z-image.json': { extends: 'z-image', prompt: null } }))
  assert.equal(code, 1)
  assert.match(err, /z-image\.json\/: must have required properties prompt/)
})
test('every mistake is named with its file and place', async () => {
  const folder = await place({
    'flux-2-pro.json': { extends: 'flux-2-pro', prices: [{ from: '2026-12-01', source: 'x', rows: [{ when: { resolution: '1K' }, micros: 1, per: 'image' }] }], routes: [{ provider: 'kie', model: 'a', order: 1, weight: -1 }] },
    'no-such.json': { extends: 'flux-2-prro' },
    'renamed.json': { extends: 'z-image', id: 'renamed' },
    'broken.json': '{',
    'elsewhere.json': { extends: 'z-image', title: 'Mine' },
  })
  const { code, err } = await call('validate', folder)
  assert.equal(code, 1)
  const lines = err.trim().split('\n')
  for (const expected of [/flux-2-pro\.json\/routes\/0\/weight: must be >= 0/, /no-such\.json\/extends: there is no card "flux-2-prro" to change; did you mean flux-2-pro/, /renamed\.json\/id: a change of z-image keeps its id/, /broken\.json: .*JSON/, /elsewhere\.json\/id: a card called z-image belongs in z-image\.json/]) {
    assert.ok(lines.some((line) => expected.test(line)), `${String(expected)} in ${err}`)
  }
  assert.match(lines.at(-1)!, /^bad_cards: 5 mistakes\. A server would not start/)
  assert.ok(!err.includes(cwd), 'files are named as the caller would write them')
  const json = await call('validate', folder, '--json')
  assert.equal(json.code, 1)
  assert.equal(JSON.parse(json.out).mistakes.length, 5)
})
test('a price that leaves a case open is a mistake of the whole', async () => {
  const { err } = await call('validate', await place({ 'flux-2-pro.json': { extends: 'flux-2-pro', prices: [{ from: '2026-12-01', source: 'x', rows: [{ when: { resolution: '1K' }, micros: 1, per: 'image' }] }] } }))
  assert.match(err, /flux-2-pro\.json\/prices\/0: no row for .*"resolution":"2K"/)
})
test('a new card is told apart from a change', async () => {
  const card = JSON.parse(await (await import('node:fs/promises')).readFile(new URL('../../server/src/catalog/cards/z-image.json', import.meta.url), 'utf8'))
  const { out } = await call('diff', await place({ 'mine.json': { ...card, id: 'mine', dialects: {} } }))
  assert.match(out, /^mine is new/)
})
test('an empty or absent place is said', async () => {
  assert.match((await call('validate', await place({}))).err, /no cards in/)
  assert.match((await call('validate', 'nowhere')).err, /nowhere: ENOENT/)
  assert.match((await call('diff')).err, /PLANTAIN_CARDS/)
})
