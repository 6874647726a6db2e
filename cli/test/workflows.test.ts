/** Workflows by the command, against a whole house: from a file to files. */
import assert from 'node:assert/strict'
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import sharp from 'sharp'
import { testHouse, type TestHouse } from '../../server/test/kit/house.ts'
import { plantain, start } from './cli.ts'

let house: TestHouse
let cwd = ''
before(async () => {
  house = await testHouse()
  cwd = await mkdtemp(join(tmpdir(), 'plantain-workflows-'))
})
after(async () => {
  await house.close()
  await rm(cwd, { recursive: true, force: true })
})

const call = (...words: string[]) => plantain(words, { cwd, env: { PLANTAIN_URL: house.url, PLANTAIN_KEY: house.testKey } })
const wire = (from: string, to: string) => { const [[a, p], [b, q]] = [from.split('.'), to.split('.')]; return { from: { node: a, port: p }, to: { node: b, port: q } } }
const write = (name: string, value: unknown) => writeFile(join(cwd, name), JSON.stringify(value))
const picture = { id: 'picture', kind: 'generate', settings: { model: 'sandbox-1', parameters: { resolution: '512' } } }
/** A small picture for each prompt, and how they were asked for. */
const thumbs = {
  name: 'Thumbs', slug: 'thumbs', graph: {
    nodes: [{ id: 'prompts', kind: 'list' }, { id: 'each', kind: 'iterate' }, picture, { id: 'small', kind: 'resize', settings: { width: 90 } }, { id: 'all', kind: 'collect' }, { id: 'out', kind: 'output', settings: { name: 'thumbs' } }, { id: 'word', kind: 'text', settings: { text: 'as asked' } }, { id: 'said', kind: 'output', settings: { name: 'said' } }],
    edges: [wire('prompts.items', 'each.items'), wire('each.item', 'picture.prompt'), wire('picture.image', 'small.image'), wire('small.image', 'all.items'), wire('all.items', 'out.value'), wire('word.text', 'said.value')],
    inputs: [{ name: 'prompts', node: 'prompts', port: 'items' }],
  },
}

test('a file is checked, published, fetched and run; what comes out is saved', async () => {
  await write('thumbs.json', thumbs)
  const sound = await call('workflow', 'lint', 'thumbs.json')
  assert.deepEqual([sound.code, sound.out], [0, 'thumbs.json is sound: 8 nodes, 6 edges.\n'])
  const published = await call('workflow', 'publish', 'thumbs.json', '--name', 'production')
  assert.equal(published.out, 'thumbs is published as version 1, production. Run it with: plantain workflow run thumbs\n', published.err)
  assert.match((await call('workflow', 'list')).out, /thumbs +1 +8 /)
  const fetched = await call('workflow', 'get', 'thumbs', '--workflow-version', 'production')
  assert.deepEqual((JSON.parse(fetched.out) as typeof thumbs).graph.edges, thumbs.graph.edges)
  const plan = await call('workflow', 'run', 'thumbs', '--input', 'prompts=["a red fox","a teapot"]', '--estimate')
  assert.match(plan.out, /picture +generate +sandbox-1 +runs? +2×/)
  const run = await call('workflow', 'run', 'thumbs', '--input', 'prompts=["a red fox","a teapot"]', '--out', 'made')
  assert.equal(run.code, 0, run.err)
  assert.match(run.out, /^made\/said\.txt\nmade\/thumbs-1\.png {2}90x90 .*\nmade\/thumbs-2\.png {2}90x90 .*\n3 files, \$[0-9.]+ of play money \(test key\), execution [0-9a-f]{32}\n$/)
  assert.deepEqual((await readdir(join(cwd, 'made'))).sort(), ['said.txt', 'thumbs-1.png', 'thumbs-2.png'])
  assert.equal((await sharp(join(cwd, 'made', 'thumbs-2.png')).metadata()).width, 90)
  assert.equal(await readFile(join(cwd, 'made', 'said.txt'), 'utf8'), 'as asked\n')
  // The same again is the same version; a changed file replaces the draft and makes the next one.
  assert.match((await call('workflow', 'publish', 'thumbs.json')).out, /^thumbs is published as version 1\. /)
  await write('thumbs.json', { ...thumbs, graph: { ...thumbs.graph, nodes: thumbs.graph.nodes.map(one => one.id === 'small' ? { ...one, settings: { width: 80 } } : one) } })
  assert.match((await call('workflow', 'publish', 'thumbs.json')).out, /^thumbs is published as version 2\. /)
})

test('a picture goes in by its file, with inputs out of a file', async () => {
  await writeFile(join(cwd, 'photo.png'), await sharp({ create: { width: 200, height: 100, channels: 3, background: '#d03a2a' } }).png().toBuffer())
  await write('half.json', { nodes: [{ id: 'photo', kind: 'image' }, { id: 'small', kind: 'resize', settings: { width: 100 } }, { id: 'out', kind: 'output', settings: { name: 'half' } }], edges: [wire('photo.image', 'small.image'), wire('small.image', 'out.value')], inputs: [{ name: 'photo', node: 'photo', port: 'image' }] })
  await write('inputs.json', { photo: '@photo.png' })
  const { code, out, err } = await call('workflow', 'run', './half.json', '--inputs', 'inputs.json', '--out', 'half', '--json')
  assert.equal(code, 0, err + out)
  const { width, height } = await sharp(join(cwd, 'half', 'half.png')).metadata()
  assert.deepEqual([width, height, (JSON.parse(out) as { files: string[] }).files], [100, 50, [join(cwd, 'half', 'half.png')]])
})

test('mistakes are listed with what to do, and end the command with 1', async () => {
  await write('wrong.json', { nodes: [picture, { id: 'small', kind: 'resise' }], edges: [wire('picture.picture', 'small.image')] })
  const { code, out, err } = await call('workflow', 'lint', 'wrong.json')
  assert.deepEqual([code, err], [1, '2 to mend.\n'])
  assert.match(out, /^wrong +small +unknown-kind /m)
})

test('a failed run says how to go on, and resume pays nothing twice', async () => {
  await write('fails.json', { nodes: [{ ...picture, settings: { model: 'sandbox-1', parameters: { resolution: '512' } } }, { id: 'out', kind: 'output', settings: { name: 'picture' } }], edges: [wire('picture.image', 'out.value')], inputs: [{ name: 'prompt', node: 'picture', port: 'prompt' }] })
  const failed = await call('workflow', 'run', 'fails.json', '--input', 'prompt=sandbox:fail=501', '--json')
  assert.equal(failed.code, 1)
  const { error } = JSON.parse(failed.out) as { error: { message: string; execution: { id: string } } }
  assert.match(error.message, /plantain workflow resume [0-9a-f]{32}/)
  const again = await call('workflow', 'resume', error.execution.id)
  assert.deepEqual([again.code, /upstream|sandbox/i.test(again.err)], [1, true], again.err)
})

test('resume takes one item of a list, counted as errors count', async () => {
  await write('list-fails.json', { nodes: [{ id: 'all', kind: 'list' }, { id: 'each', kind: 'iterate' }, { ...picture, settings: { model: 'sandbox-1', parameters: { resolution: '512' } } }, { id: 'list', kind: 'collect' }, { id: 'out', kind: 'output', settings: { name: 'pictures' } }],
    edges: [wire('all.items', 'each.items'), wire('each.item', 'picture.prompt'), wire('picture.image', 'list.items'), wire('list.items', 'out.value')], inputs: [{ name: 'prompts', node: 'all', port: 'items' }] })
  const ran = await call('workflow', 'run', 'list-fails.json', '--input', 'prompts=["a bun sandbox:fail=501", "a roll", "a loaf sandbox:fail=501"]', '--out', 'rolls')
  assert.match(ran.err, /^picture \(item 1\): .+\npicture \(item 3\): .+\n2 steps failed/)
  const id = /plantain workflow resume ([0-9a-f]{32})/.exec(ran.err)![1]!
  await call('workflow', 'resume', id, '--node', 'picture', '--item', '3', '--out', 'rolls')
  const { items } = await (await fetch(`${house.url}/plantain/v1/executions/${id}/runs?node=picture`, { headers: { authorization: `Bearer ${house.testKey}` } })).json() as { items: { item: number[]; attempt: number }[] }
  assert.deepEqual(items.map(({ item, attempt }) => [...item, attempt]).sort(), [[0, 1], [1, 1], [2, 2]])
  const wrong = await call('workflow', 'resume', id, '--item', '0')
  assert.deepEqual([wrong.code, /counted from 1/.test(wrong.err)], [2, true])
})

test('a person is asked by a link while the command waits', async () => {
  await write('asks.json', { nodes: [picture, { id: 'choice', kind: 'approval', settings: { note: 'Good enough?' } }, { id: 'out', kind: 'output', settings: { name: 'chosen' } }], edges: [wire('picture.image', 'choice.candidates'), wire('choice.image', 'out.value')], inputs: [{ name: 'prompt', node: 'picture', port: 'prompt' }] })
  const running = start(['workflow', 'run', 'asks.json', '--input', 'prompt=a kettle', '--out', 'asked'], { cwd, env: { PLANTAIN_URL: house.url, PLANTAIN_KEY: house.testKey } })
  const link = await new Promise<string>(resolve => { running.child.stderr!.on('data', () => { const found = /https?:\S+/.exec(running.seen().err); if (found) resolve(found[0]) }) })
  assert.match(running.seen().err, /^choice waits for a person \(Good enough\?\): http/)
  const answer = await fetch(link, { method: 'POST', body: new URLSearchParams({ action: 'approve', chosen: '0', name: 'Ada' }) })
  assert.equal(answer.status, 200, await answer.text())
  assert.equal((await running.ended).code, 0)
  assert.deepEqual(await readdir(join(cwd, 'asked')), ['chosen.png'])
})

test('what cannot be read is said before anything runs', async () => {
  await writeFile(join(cwd, 'not.json'), '{')
  for (const [words, says] of [
    [['workflow', 'run', 'nowhere.json'], /nowhere\.json cannot be read \(ENOENT\)/], [['workflow', 'lint', 'not.json'], /not\.json is not JSON/], [['workflow', 'run', 'no-such-workflow'], /no such workflow/],
    [['workflow', 'run', 'thumbs', '--cost-max', 'much'], /amount in dollars/], [['workflow', 'run', 'thumbs', '--input', 'prompts'], /name=value/], [['workflow', 'wait', 'x'], /no execution id/], [['workflow', 'run', 'thumbs', '--input', 'prompts=["a"]', '--input', 'size=3'], /size/],
  ] as const) {
    const { code, err, out } = await call(...words)
    assert.deepEqual([code, says.test(err)], [2, true], `${words.join(' ')}: ${err}${out}`)
  }
})
