/** `plantain batch` against a whole house: a sheet becomes a folder of pictures; what is wrong is said row by row; whoever leaves comes back. */
import assert from 'node:assert/strict'
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { testHouse, type TestHouse } from '../../server/test/kit/house.ts'
import { hintAt, nameFile, readMapping, readSetting, readTarget, showBar, showChecked, showMistakes, showRows, showTime, type BatchView } from '../src/batch.ts'
import { plantain, start } from './cli.ts'

let house: TestHouse
let cwd = ''
before(async () => {
  house = await testHouse()
  cwd = await mkdtemp(join(tmpdir(), 'plantain-batch-'))
})
after(async () => {
  await house.close()
  await rm(cwd, { recursive: true, force: true })
})
const env = (key: string) => ({ PLANTAIN_URL: house.url, PLANTAIN_KEY: key, INIT_CWD: cwd })
const call = (words: string[], key = house.testKey) => plantain(['batch', ...words], { cwd, env: env(key) })
const sheet = (name: string, text: string) => writeFile(join(cwd, name), text)
const small = ['--model', 'sandbox-1', '--set', 'resolution=512']

test('a sheet becomes a folder: pictures by row and name, and a table of results', async () => {
  await sheet('mugs.csv', 'name;product;seed\nred;a red mug;1\nblue;a blue mug;2\n')
  const { code, out, err } = await call(['run', 'mugs.csv', ...small, '--set', 'prompt=A picture of {{product}}', '--out', 'mugs'])
  assert.equal(code, 0, err)
  assert.match(err, /columns: name → name, seed → parameters\.seed\n2 rows, \$[\d.]+ of play money/)
  assert.match(out, /^mugs {2}2 pictures, results\.csv\ndone: 2 done of 2, \$[\d.]+ of play money \(test key\), batch [0-9a-f]{32}\n$/)
  assert.deepEqual(await readdir(join(cwd, 'mugs')), ['00002-red-1.png', '00003-blue-1.png', 'results.csv'])
  assert.match(await readFile(join(cwd, 'mugs/results.csv'), 'utf8'), /red,a red mug,1,2,red,done,/)
})

test('rows that are wrong are said, with what to do; nothing is made', async () => {
  await sheet('wrong.csv', 'prompt,seed\na,1\nb,many\n')
  const { code, err, out } = await call(['run', 'wrong.csv', ...small])
  assert.equal(code, 2, err)
  assert.equal(out, '')
  assert.match(err, /row 3 +seed +many +.*seed/)
  const id = /plantain batch errors ([0-9a-f]{32}) --out errors\.csv/.exec(err)![1]!
  assert.match((await call(['errors', id])).out, /row +column +value +what to do\n3 +seed +many/)
  assert.equal((await call(['errors', id, '--out', 'errors.csv'])).out, 'errors.csv\n')
  assert.match(await readFile(join(cwd, 'errors.csv'), 'utf8'), /3,seed,many,/)
  assert.equal((await call(['errors', id, '--out', 'errors.XLSX'])).out, 'errors.XLSX\n')
  assert.match((await readFile(join(cwd, 'errors.XLSX'))).toString('latin1'), /^PK.*xl\/worksheets\/sheet1\.xml.*many/s)
  const skipped = await call(['run', 'wrong.csv', ...small, '--skip-errors', '--out', 'skipped'])
  assert.equal(skipped.code, 1)
  assert.match(skipped.err, /1 row failed\. Why: plantain batch errors/)
  assert.deepEqual(await readdir(join(cwd, 'skipped')), ['00002-1.png', 'results.csv'])
})

test('a dry run makes nothing, and is made when it is resumed', async () => {
  await sheet('two.csv', 'Text\na\nb\n')
  const dry = await call(['run', 'two.csv', ...small, '--map', 'Text=prompt', '--dry-run'])
  assert.equal(dry.code, 0, dry.err)
  const id = dry.out.trim()
  assert.match(dry.err, new RegExp(`Nothing was made\\. To have it made as it was checked: plantain batch resume ${id}`))
  assert.match((await call(['get', id])).out, /state +paused/)
  const made = await call(['resume', id, '--out', 'later'])
  assert.equal(made.code, 0, made.err)
  assert.equal((await readdir(join(cwd, 'later'))).length, 3)
})

test('a Ctrl-C leaves the batch alone and says how to come back; pause, resume, cancel and list are there', async () => {
  await sheet('slow.csv', `prompt\n${'a rehearse:slow\n'.repeat(8)}`)
  const running = start(['batch', 'run', 'slow.csv', '--model', 'rehearsal-1', '--concurrency', '1'], { cwd, env: env(house.liveKey) })
  const count = async () => (await house.database.query<{ count: number }>(`select count(*)::int as count from task where model = 'rehearsal-1'`)).rows[0]!.count
  while (await count() === 0) await new Promise(setImmediate)
  running.child.kill('SIGINT')
  const { code, err } = await running.ended
  assert.equal(code, 130, err)
  const id = /plantain batch watch ([0-9a-f]{32})/.exec(err)![1]!
  assert.match((await call(['pause', id], house.liveKey)).out, /Paused after \d of 8 rows/)
  assert.match((await call(['list'], house.liveKey)).out, new RegExp(`${id} +paused +\\d/8 .*slow\\.csv`))
  const watched = await call(['watch', id], house.liveKey)
  assert.equal(watched.code, 1)
  assert.match(watched.err, /paused: Paused after .*plantain batch resume/)
  assert.equal((await call(['resume', id, '--detach'], house.liveKey)).out.trim(), id)
  assert.match((await call(['cancel', id], house.liveKey)).out, /Stopping/)
  const over = await call(['watch', id, '--json'], house.liveKey)
  assert.equal(over.code, 1)
  assert.equal(JSON.parse(over.out.split('\n')[0]!).state, 'cancelled')
})

test('a cap pauses it with a number for scripts; a higher one lets it go on; results come as one archive', async () => {
  await sheet('three.csv', 'prompt\na\nb\nc\n')
  const capped = await call(['run', 'three.csv', '--model', 'rehearsal-1', '--budget', '0.08', '--json'], house.liveKey)
  assert.equal(capped.code, 1)
  const { error } = JSON.parse(capped.out) as { error: { code: string; message: string; batch: string } }
  assert.deepEqual([error.code, /Paused after 2 of 3 rows, \$0\.08/.test(error.message)], ['paused', true])
  const done = await call(['resume', error.batch, '--budget', '1'], house.liveKey)
  assert.equal(done.code, 0, done.err)
  assert.equal((await call(['results', error.batch, '--zip', 'all.zip'], house.liveKey)).out, 'all.zip\n')
  assert.equal((await readFile(join(cwd, 'all.zip'))).subarray(0, 2).toString(), 'PK')
  assert.match((await call(['results', error.batch, '--out', 'again'], house.liveKey)).out, /again {2}3 pictures/)
})

test('slips are said before anything is sent', async () => {
  for (const [words, reason] of [[['run', 'nowhere.csv', ...small], /nowhere\.csv cannot be read/], [['run', 'two.csv', '--model', 'a', '--workflow', 'b'], /not both/], [['run', 'two.csv', '--map', 'x'], /--map takes/], [['watch', 'x'], /no batch id/],
    [['run', 'two.csv', '--budget', 'much'], /dollars/]] as const) {
    const { code, err } = await call([...words])
    assert.equal(code, 2, err)
    assert.match(err, reason)
  }
})

test('names that are no field are parameters of the model, or inputs of the workflow', () => {
  assert.deepEqual(readTarget({ model: 'm', set: { prompt: 'p', seed: 1, 'metadata.sku': '{{sku}}', 'parameters.size': 2 } }), { model: 'm', prompt: 'p', parameters: { seed: 1, size: 2 }, metadata: { sku: '{{sku}}' } })
  assert.deepEqual(readTarget({ workflow: 'w', workflowVersion: 2, set: readSetting('parallelism=4', { prompt: 'p' }) }), { workflow: 'w', version: 2, inputs: { prompt: 'p' }, parallelism: 4 })
  assert.deepEqual(readSetting('a={{b}} = c', readSetting('l=[1]')), { l: [1], a: '{{b}} = c' })
  assert.deepEqual(readMapping('a=b=prompt', readMapping('c=')), { c: null, 'a=b': 'prompt' })
})

test('one mistake of many rows is one line, with what to type', () => {
  const missing = (row: number) => ({ row, column: null, code: 'bad_request', message: 'prompt is missing; m needs words to make something by.' })
  assert.deepEqual(showMistakes([missing(2), missing(3), { row: 4, column: 'seed', value: 'x', code: 'bad_request', message: 'no' }, missing(6)]), ['rows 2–3, 6           prompt is missing; m needs words to make something by.', 'row 4        seed  x  no'])
  assert.equal(showRows([1, 3, 5, 7, 9, 11]), 'rows 1, 3, 5, 7, 9, …')
  assert.equal(hintAt({ errors: [missing(2)], unmapped: ['product'] }), ' Say which column is the prompt with --map "product=prompt", or write it with --set "prompt=… {{product}}".')
  assert.match(hintAt({ errors: [missing(2)], unmapped: ['sku', 'product'] }), /--map "<column>=prompt", .* \(columns left aside: sku, product\)\.$/)
  assert.match(hintAt({ errors: [{ ...missing(2), message: 'model is missing.' }], unmapped: [] }), /--model/)
  assert.equal(hintAt({ errors: [{ ...missing(2), message: 'seed must be a whole number.' }], unmapped: ['a'] }), '')
})

test('a sheet of which no row can be made is not to be begun without its rows', async () => {
  await writeFile(join(cwd, 'no-words.csv'), 'product\nmug\ncup\n')
  const { code, err } = await call(['run', 'no-words.csv', ...small])
  assert.equal(code, 2, err)
  assert.match(err, /rows 2–3 +prompt is missing/)
  assert.match(err, /--map "product=prompt"/)
  assert.doesNotMatch(err, /--skip-errors/)
})

test('the line that moves says how far it is, what it cost and how long it will take', () => {
  const batch = { state: 'running', livemode: true, rows: { total: 1000, checked: 1000, waiting: 400, making: 80, done: 510, failed: 10, cancelled: 0, expired: 0 }, progress: 0.52, eta: { seconds: 130 }, cost: { micros: 1, usd: '1.23' }, price: null, columns: [], unmapped: [] } as unknown as BatchView
  assert.equal(showBar(batch, 0), '⠋ ██████████░░░░░░░░░░  52 %  520/1000 rows, 10 failed  $1.23  about 2 min left')
  assert.equal(showBar({ ...batch, rows: { ...batch.rows, total: 10_000, done: 5_000, failed: 250 }, cost: { micros: 1, usd: '1,234.56' } }, 0).length, 79)
  assert.match(showBar({ ...batch, rows: { ...batch.rows, failed: 0, done: 5, total: 9 }, eta: null }, 0), /^⠋ █{12}░{12} /)
  assert.deepEqual(showChecked(batch), ['1000 rows, 10 of them wrong'])
  assert.deepEqual([5, 130, 7_200].map(showTime), ['5 s', '2 min', '2.0 h'])
  assert.equal(nameFile({ row: 7, name: '../Größe: 1/2' }, 0, 'image/webp'), '00007-Größe-1-2-1.webp'.normalize('NFKD').replace(/[^\p{L}\p{N}._-]+/gu, '-'))
})
