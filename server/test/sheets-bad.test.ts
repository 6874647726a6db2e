/** Tables and orders that are wrong: each is refused with what to do, and nothing of it is made, kept or charged. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { testHouse, type TestHouse } from './kit/house.ts'
import { sheetClient } from './kit/sheets.ts'
import { pack, packedArchive, workbook, workbookParts } from './kit/workbook.ts'

let house: TestHouse
before(async () => { house = await testHouse() })
after(() => house?.close())
const { ask, send, count } = sheetClient(() => house)

const target = { model: 'sandbox-1', parameters: { resolution: '512' } }
const rows = [{ prompt: 'a' }]
const stock = async () => JSON.stringify(await Promise.all(['task', 'execution', 'delivery', 'file', 'batch', 'batch_schedule'].map(table => count(table)).concat(count('ledger', `kind <> 'grant'`))))

/** Refused as a whole: no batch, no file, no task. */
const refused = (name: string, status: number, words: RegExp, call: () => Promise<{ status: number; text: string; body: any }>) => test(name, async () => {
  const had = await stock()
  const answer = await call()
  assert.equal(answer.status, status, answer.text.slice(0, 500))
  assert.match(answer.body.error.message, words)
  assert.ok(answer.body.error.request_id)
  assert.equal(await stock(), had, 'nothing happened')
})
const json = (name: string, body: unknown, words: RegExp, status = 400) => refused(name, status, words, () => ask('POST', '/batches', body))
const sheet = (name: string, file: () => Buffer | string | Promise<Buffer>, words: RegExp, { status = 400, fields = {} }: { status?: number; fields?: Record<string, unknown> } = {}) =>
  refused(name, status, words, async () => send(await file(), { target, ...fields }))

/** Refused row by row: a batch that tells what is wrong, and nothing made. */
const wrong = (name: string, body: object, column: string | null, words: RegExp) => test(name, async () => {
  const had = await Promise.all([count('task'), count('execution'), count('ledger')])
  const answer = await ask('POST', '/batches', { target, ...body })
  assert.equal(answer.status, 400, answer.text.slice(0, 500))
  const [error] = answer.body.batch.errors
  assert.deepEqual([error.column, answer.body.batch.state, answer.body.batch.cost.micros], [column, 'failed', 0])
  assert.match(error.message, words)
  assert.deepEqual(await Promise.all([count('task'), count('execution'), count('ledger')]), had)
})

// The order ----------------------------------------------------------------------------------------------------------------

json('no body', '', /must be an object/)
json('a list', [], /must be an object/)
json('no target', { rows }, /target is missing/)
json('no rows from anywhere', { target }, /exactly one of file, url, rows, grid/)
json('rows from two places', { target, rows, grid: { prompt: ['a'] } }, /not from rows and grid/)
json('no rows', { target, rows: [] }, /no rows/)
json('a field that is none', { target, rows, colour: 'red' }, /no field colour/)
json('a field of the target that is none', { target: { ...target, colour: 'red' }, rows }, /no field target\.colour/)
json('a target of both kinds', { target: { ...target, workflow: 'x' }, rows }, /no field target\.(model|parameters)/)
json('a workflow that is not there', { target: { workflow: 'nowhere' }, rows }, /no workflow nowhere/, 404)
json('a file that is not there', { target, file: '0190a3c8d2f07abc8def0123456789ab' }, /no file/, 404)
json('a file that is no id', { target, file: 'sheet.csv' }, /no file sheet\.csv/, 404)
json('a sheet of rows', { target, rows, sheet: 'x' }, /sheet is for a file/)
json('an address that is none', { target, url: 'sheet.csv' }, /begins with https/)
json('an address that does not answer', { target, url: 'http://127.0.0.1:9/x.csv' }, /./)
json('a map of a column that is not there', { target, rows, map: { promt: 'prompt' } }, /map names the column "promt", and there is none.*prompt/)
json('a map to no field', { target, rows, map: { prompt: 'promt' } }, /promt, which is no field.*prompt/)
json('two columns for one field', { target, rows: [{ words: 'a', text: 'b' }], map: { text: 'prompt', words: 'prompt' } }, /both fill prompt/)
json('a hole no column fills', { target: { ...target, prompt: 'a {{product}}' }, rows }, /\{\{product\}\}, and there is no such column/)
json('a grid without fields', { target, grid: {} }, /1 to 20 fields/)
json('a grid with no values', { target, grid: { prompt: [] } }, /at least 1/)
json('a grid that is too large', { target, grid: { prompt: Array.from({ length: 101 }, (_, n) => `p${n}`), seed: Array.from({ length: 100 }, (_, n) => n) } }, /10100 combinations/, 413)
json('too many rows', { target, rows: Array.from({ length: 10_001 }, () => ({ p: 1 })) }, /at most 10000 rows/, 413)
json('no concurrency', { target, rows, concurrency: 0 }, /concurrency must be between 1 and 128/)
json('a budget below nothing', { target, rows, budget_max_micros: -1 }, /budget_max_micros/)
json('an end too soon', { target, rows, end_within_s: 5 }, /end_within_s/)
json('something else on errors', { target, rows, on_errors: 'ignore' }, /on_errors must be one of stop, skip/)
json('a call back to nowhere', { target, rows, callback_url: 'ftp://x' }, /webhook address begins with https/)
json('a target without end', { target: { ...target, prompt: 'x'.repeat(300_000) }, rows }, /target may have 262144 characters/, 413)
json('metadata that is too long', { target, rows, metadata: { a: 'x'.repeat(600) } }, /metadata\.a/)
refused('an idempotency key with spaces', 400, /Idempotency-Key/, () => ask('POST', '/batches', { target, rows }, { headers: { 'idempotency-key': 'a b' } }))
refused('a wait that is none', 400, /wait/, () => ask('POST', '/batches?wait=900', { target, rows }))
refused('a form without a table', 400, /exactly one of/, () => { const form = new FormData(); form.append('target', JSON.stringify(target)); return ask('POST', '/batches', form) })
refused('a form whose target is no JSON', 400, /target must be JSON/, () => send('prompt\na', { target: '{' }))
refused('a form that says it twice', 400, /target is given twice/, () => send('prompt\na', { batch: { target }, target }))
refused('a key that may only read', 403, /tasks:write/, async () => {
  const { testKey } = await house.newAccount({ scopes: ['tasks:read'] })
  return ask('POST', '/batches', { target, rows }, { key: testKey })
})

// The table ----------------------------------------------------------------------------------------------------------------

sheet('an empty file', () => '', /empty/)
sheet('names and no rows', () => 'prompt,seed\r\n', /no rows/)
sheet('a cover before the table', () => pack(workbookParts([{ name: 'Cover', rows: [['Catalogue']] }, { name: 'Products', rows: [['prompt'], ['a mug']] }])), /\("Catalogue"\) and no rows.*name another sheet of the workbook: .*"Products"/)
sheet('a table without names', () => '\n\n', /first row is empty/)
sheet('text of an old Windows', () => Buffer.from('prompt\nK\u00f6ln', 'latin1'), /not UTF-8 text/)
sheet('two columns of one name', () => 'prompt,prompt\na,b', /Two columns are called "prompt"/)
sheet('a column without a name', () => 'prompt,,seed\na,b,1', /Column B has no name/)
sheet('an open quote', () => 'prompt,seed\n"a,1\n', /cannot be read as CSV/)
sheet('ten thousand and one rows', () => `prompt\n${'a\n'.repeat(10_001)}`, /at most 10000 rows/, { status: 413 })
sheet('a picture', () => Buffer.from('89504e470d0a1a0a0000', 'hex'), /not a table/, { status: 415 })
sheet('an old workbook', () => Buffer.from('d0cf11e0a1b11ae1', 'hex'), /\.xls/, { status: 415 })
sheet('some archive', () => pack({ 'a.txt': 'x' }), /not an Excel workbook/, { status: 415 })
sheet('a sheet that is not in the workbook', () => workbook([['prompt'], ['a']]), /no sheet "Two"/, { fields: { sheet: 'Two' } })
sheet('a workbook that unpacks to gigabytes', () => {
  const { ['xl/worksheets/sheet1.xml']: _, ...parts } = workbookParts([{ name: 'S', rows: [['prompt'], ['a']] }])
  return packedArchive(parts, { name: 'xl/worksheets/sheet1.xml', bytes: Buffer.from('x'), claims: 4_000_000_000 })
}, /unpacks to more/, { status: 413 })
sheet('a workbook with entities', () => {
  const parts = workbookParts([{ name: 'S', rows: [['prompt'], ['a']] }])
  return pack({ ...parts, 'xl/sharedStrings.xml': parts['xl/sharedStrings.xml']!.replace('<sst', '<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><sst') })
}, /document type/)
sheet('a list in place of lines', () => '[{"prompt":"a"}]', /JSON list/)

// Its rows -----------------------------------------------------------------------------------------------------------------

wrong('a model that is not there', { rows: [{ prompt: 'a', model: 'no-such-model' }] }, 'model', /no-such-model/)
wrong('no model at all', { target: {}, rows }, null, /model is missing/)
wrong('a prompt that is missing', { rows: [{ prompt: '', seed: 1 }] }, 'prompt', /prompt/i)
wrong('a number that is none', { rows: [{ prompt: 'a', seed: 'seven' }] }, 'seed', /seed/)
wrong('a value that is not allowed', { rows: [{ prompt: 'a', aspect_ratio: '5:99' }] }, 'aspect_ratio', /aspect_ratio/)
wrong('a parameter the model does not know', { rows: [{ prompt: 'a', 'parameters.colour': 'red' }] }, 'parameters.colour', /colour/)
wrong('an operation that is none', { rows: [{ prompt: 'a', operation: 'paint' }] }, 'operation', /operation/)
wrong('a picture that is not there', { rows: [{ prompt: 'a', image: '0190a3c8d2f07abc8def0123456789ab' }] }, 'image', /not there|no asset/)
wrong('a picture that is no link', { rows: [{ prompt: 'a', image: 'photo.png' }] }, 'image', /neither the id of an asset nor a link/)
wrong('a picture that does not answer', { rows: [{ prompt: 'a', image: 'http://127.0.0.1:9/a.png' }] }, 'image', /./)
wrong('a picture in the sheet itself', { rows: [{ prompt: 'a', image: 'data:image/png;base64,AAAA' }] }, 'image', /Upload this one first/)
wrong('a word for tests that is none', { rows: [{ prompt: 'a sandbox:nonsense' }] }, 'prompt', /sandbox:/)
wrong('parameters that are no object', { rows: [{ prompt: 'a', parameters: 'seed=1' }] }, 'parameters', /written as JSON/)
wrong('metadata that is too long', { rows: [{ prompt: 'a', 'metadata.k': 'x'.repeat(600) }] }, 'metadata.k', /512/)

test('a formula that was never reckoned, more cells than names, a broken line: each is its row\'s mistake', async () => {
  for (const [file, words] of [[await workbook([['prompt'], [{ formula: 'A9' }]]), /never reckoned/], ['prompt\na,b', /more cells/], ['{"prompt":"a"}\n{"prompt":', /not JSON/]] as const) {
    const had = await count('task')
    const answer = await send(file, { target })
    assert.equal(answer.status, 400)
    assert.match(answer.body.batch.errors[0].message, words)
    assert.equal(await count('task'), had)
  }
})

// Schedules and what is asked of batches -------------------------------------------------------------------------------------

const schedule = (name: string, body: object, words: RegExp, status = 400) => refused(name, status, words, () => ask('POST', '/batch-schedules', { name: 'S', cron: '0 2 * * *', batch: { url: 'https://example.com/a.csv', target }, ...body }))
schedule('a time that is none', { cron: 'every night' }, /is no schedule/)
schedule('a time that never comes', { cron: '0 0 31 2 *' }, /is no schedule/)
schedule('a zone that is none', { time_zone: 'Middle/Earth' }, /There is no time zone Middle/)
schedule('rows that stand in the order', { batch: { rows, target } }, /from a file or a url/)
schedule('a schedule that only checks', { batch: { url: 'https://example.com/a.csv', target, dry_run: true } }, /leave dry_run out/)
schedule('an order that is wrong', { batch: { url: 'https://example.com/a.csv', target: { ...target, colour: 1 } } }, /no field target\.colour/)
refused('a batch that is not there', 404, /no batch/i, () => ask('GET', '/batches/0190a3c8d2f07abc8def0123456789ab'))
refused('an id that is none', 404, /no batch/i, () => ask('POST', '/batches/nothing/pause'))
refused('a state of rows that is none', 400, /state/, () => ask('GET', '/batches/0190a3c8d2f07abc8def0123456789ab/rows?state=lost'))

test('nothing of all this was charged', async () => {
  assert.equal(await count('task'), 0)
  assert.equal(await count('ledger', `kind <> 'grant'`), 0)
  assert.deepEqual(await house.audit(), [])
})
