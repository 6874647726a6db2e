/** Templates by the command, against a whole house: from a file with a picture beside it to an order that names it. */
import assert from 'node:assert/strict'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import sharp from 'sharp'
import { testHouse, type TestHouse } from '../../server/test/kit/house.ts'
import { plantain } from './cli.ts'

let house: TestHouse
let cwd = ''
before(async () => {
  house = await testHouse()
  cwd = await mkdtemp(join(tmpdir(), 'plantain-templates-'))
})
after(async () => {
  await house?.close()
  await rm(cwd, { recursive: true, force: true })
})

const call = (...words: string[]) => plantain(words, { cwd, env: { PLANTAIN_URL: house.url, PLANTAIN_KEY: house.testKey } })
const write = (name: string, value: unknown) => writeFile(join(cwd, name), typeof value === 'string' ? value : JSON.stringify(value))
const read = async (name: string) => JSON.parse(await readFile(join(cwd, name), 'utf8')) as { revision: number; template: { prompt: string; inputs: object[] } }

test('a file becomes a draft, a version, a label and a picture', async () => {
  await writeFile(join(cwd, 'logo.png'), await sharp({ create: { width: 32, height: 32, channels: 3, background: '#123456' } }).png().toBuffer())
  await write('shot.json', { slug: 'shot', name: 'Shot', template: { model: 'sandbox-1', prompt: 'A {{thing}}', variables: [{ name: 'thing', type: 'text' }], parameters: { resolution: '512' }, inputs: [{ file: 'logo.png', role: 'style' }] } })
  assert.match((await call('templates')).err, /No templates yet/)
  assert.match((await call('templates', 'push', 'shot.json')).out, /^shot: draft at revision 1\./)
  assert.equal((await call('templates', 'publish', 'shot', '--label', 'production', '--note', 'first')).out, 'shot: version 1 (production)\n')
  const made = await call('generate', 'cup', '--model', 'template:shot', '--out', 'cup.png')
  assert.equal(made.code, 0, made.err)

  assert.equal((await call('templates', 'get', 'shot', '--out', 'fetched.json')).code, 0)
  const fetched = await read('fetched.json')
  assert.equal(fetched.template.inputs.length, 1)
  await write('fetched.json', { ...fetched, template: { ...fetched.template, prompt: 'One {{thing}}' } })
  assert.match((await call('templates', 'push', 'fetched.json')).out, /revision 2/)
  const stale = await call('templates', 'push', 'fetched.json')
  assert.match(stale.err, /^conflict: This template was changed meanwhile/)
  assert.notEqual(stale.code, 0)
  assert.match((await call('templates', 'push', 'fetched.json', '--force')).out, /revision 3/)
  assert.equal((await call('templates', 'publish', 'shot')).out, 'shot: version 2\n')
  assert.equal((await call('templates', 'label', 'shot', 'staging', '2')).out, 'template:shot@staging is version 2 from now on.\n')
  assert.match((await call('templates', 'list')).out, /shot +2 +(staging=2 production=1|production=1 staging=2) +sandbox-1/)
  assert.equal((JSON.parse((await call('templates', 'get', 'shot', '--template-version', '1')).out) as typeof fetched).template.prompt, 'A {{thing}}')
})

test('what is wrong is said, and leaves nothing', async () => {
  const fails = async (words: string[], said: RegExp) => {
    const { code, err } = await call('templates', ...words)
    assert.notEqual(code, 0, words.join(' '))
    assert.match(err, said)
  }
  await write('broken.json', '{')
  await write('empty.json', {})
  await write('bare.json', { slug: 'bare', template: { model: 'sandbox-1', prompt: 'x', inputs: [{ file: 'nowhere.png' }] } })
  await write('unsound.json', { slug: 'unsound', template: { model: 'sandbox-1', prompt: '{{x}}' } })
  await fails(['push', 'nowhere.json'], /There is no file nowhere\.json/)
  await fails(['push', 'broken.json'], /is no JSON/)
  await fails(['push', 'empty.json'], /needs a slug and a template/)
  await fails(['push', 'bare.json'], /There is no picture nowhere\.png/)
  await fails(['push', 'unsound.json'], /no such variable/)
  await fails(['get', 'nobody'], /There is no template nobody/)
  await fails(['get', 'No Slug'], /is no slug/)
  await fails(['publish', 'nobody'], /There is no template nobody/)
  await fails(['label', 'shot', 'draft', '1'], /A label is/)
  await fails(['label', 'shot', 'production', '9'], /has no version 9/)
  assert.doesNotMatch((await call('templates', 'list')).out, /bare|unsound/)
})
