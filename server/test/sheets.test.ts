/** Batches out of tables over HTTP: sent, mapped, checked, made, followed, paused, capped, tried again, and read back as tables and archives. */
import assert from 'node:assert/strict'
import { createServer, type IncomingHttpHeaders } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Readable } from 'node:stream'
import { after, before, describe, test } from 'node:test'
import sharp from 'sharp'
import { Webhook } from 'standardwebhooks'
import { openSheet } from '../src/kit/sheets/sheet.ts'
import { testHouse, type TestHouse } from './kit/house.ts'
import { farCron } from './kit/minute.ts'
import { readTable, sheetClient, unpack } from './kit/sheets.ts'
import { workbook } from './kit/workbook.ts'
import { wire } from './kit/workflow.ts'

let house: TestHouse
before(async () => { house = await testHouse() })
after(() => house?.close())
const { ask, send, until, batchOf, reaches, ended, rowsOf, count } = sheetClient(() => house)

const tiny = { model: 'sandbox-1', parameters: { resolution: '512' } }
const live = () => ({ key: house.liveKey })

// Whoever is called back, and a shop with tables and pictures ----------------------------------------------------------------

interface Letter { path: string; headers: IncomingHttpHeaders; body: string }
const letters: Letter[] = []
const pages = new Map<string, { body: Buffer; asked: number }>()
const shop = createServer((request, response) => {
  let body = ''
  request.setEncoding('utf8').on('data', text => { body += text }).on('end', () => {
    const page = pages.get(request.url!)
    if (page) { page.asked++; response.end(page.body); return }
    if (request.method === 'GET') { response.statusCode = 404; response.end(); return }
    letters.push({ path: request.url!, headers: request.headers, body })
    response.end()
  })
})
let shopUrl = ''
before(async () => {
  await new Promise<void>(resolve => { shop.listen(0, '127.0.0.1', resolve) })
  shopUrl = `http://127.0.0.1:${(shop.address() as AddressInfo).port}`
  for (const colour of ['red', 'blue']) pages.set(`/${colour}.png`, { asked: 0, body: await sharp({ create: { width: 80, height: 60, channels: 3, background: colour } }).png().toBuffer() })
})
after(() => { shop.closeAllConnections(); shop.close() })

describe('a table becomes tasks', () => {
  const table = 'Name;Produkt;Prompt;seed;Bemerkung\nr1;Becher;"ein Becher;\nauf Eiche";7;x\n\nr2;Kanne;;8;"=HYPERLINK(""http://x"")"\n'

  test('columns fill fields, holes are filled, the rest is told; what came is a table again', async () => {
    const made = await send(table, { target: { ...tiny, prompt: 'Ein Bild: {{Produkt}}', metadata: { sku: '{{Name}}' } }, name: 'Katalog', metadata: { shop: '7' } })
    assert.equal(made.status, 201, made.text)
    const { body } = made
    assert.deepEqual(body.columns, [{ name: 'Name', field: 'name' }, { name: 'Produkt', field: null }, { name: 'Prompt', field: 'prompt' }, { name: 'seed', field: 'parameters.seed' }, { name: 'Bemerkung', field: null }])
    assert.deepEqual([body.unmapped, body.name, body.dialect, body.metadata, body.livemode, body.source], [['Bemerkung'], 'Katalog', 'native', { shop: '7' }, false, 'sheet.csv'])
    assert.equal(made.headers.get('location'), `/plantain/v1/batches/${body.id}`)
    const done = await ended(body.id)
    assert.deepEqual([done.state, done.rows.done, done.rows.total, done.progress, done.paused], ['done', 2, 2, 1, null])
    assert.deepEqual([done.price.min, done.price.max], [done.price.max, done.cost])
    assert.ok(done.cost.micros > 0)

    const [first, second] = await rowsOf(body.id)
    assert.deepEqual([first.row, first.name, second.row, second.name], [2, 'r1', 4, 'r2'])
    const task = (await ask('GET', `/tasks/${first.task}`)).body
    assert.deepEqual([task.prompt, task.parameters.seed, task.metadata, task.priority], ['ein Becher;\nauf Eiche', 7, { sku: 'r1' }, 'batch'])
    assert.equal((await ask('GET', `/tasks/${second.task}`)).body.prompt, 'Ein Bild: Kanne')
    assert.deepEqual(second.sent, { Name: 'r2', Produkt: 'Kanne', Prompt: '', seed: '8', Bemerkung: '=HYPERLINK("http://x")' })

    const csv = await ask('GET', `/batches/${body.id}/results.csv`)
    assert.match(csv.headers.get('content-disposition')!, /attachment; filename="Katalog-results.csv"/)
    const records = readTable(csv.text)
    assert.deepEqual(records.map(one => [one.Name, one.result_row, one.result_state, one.result_error]), [['r1', '2', 'done', ''], ['r2', '4', 'done', '']])
    assert.equal(records[1]!.Bemerkung, '\'=HYPERLINK("http://x")')
    assert.equal(records[0]!.result_id, first.task)
    const picture = await fetch(records[0]!.result_links!)
    assert.equal((await sharp(Buffer.from(await picture.arrayBuffer())).metadata()).width, 512)
    const jsonl = (await ask('GET', `/batches/${body.id}/results.jsonl`)).text.trimEnd().split('\n').map(line => JSON.parse(line))
    assert.deepEqual(jsonl.map(one => [one.row, one.outputs.length]), [[2, 1], [4, 1]])

    const zip = await fetch(`${house.url}/plantain/v1/batches/${body.id}/results.zip`, { headers: { authorization: `Bearer ${house.testKey}` } })
    assert.equal(zip.headers.get('content-type'), 'application/zip')
    const files = await unpack(Buffer.from(await zip.arrayBuffer()))
    assert.deepEqual([...files.keys()], ['00002-r1-1.png', '00004-r2-1.png', 'results.csv'])
    assert.equal((await sharp(files.get('00002-r1-1.png')!).metadata()).format, 'png')
    assert.deepEqual(readTable(files.get('results.csv')!.toString()).map(one => one.result_files), ['00002-r1-1.png', '00004-r2-1.png'])
    assert.deepEqual(readTable((await ask('GET', `/batches/${body.id}/errors.csv`)).text), [])
    assert.deepEqual(await house.audit(), [])
  })

  test('a workbook, with a map of its own and pictures by link: each address is asked once', async () => {
    const red = pages.get('/red.png')!
    const bytes = await workbook([['Artikel', 'Foto', 'Was', 'Format'], [101, `${shopUrl}/red.png`, 'auf Holz', 'jpeg'], [102, `${shopUrl}/red.png | ${shopUrl}/blue.png`, 'am Strand', null]])
    const made = await send(bytes, { target: { ...tiny, operation: 'edit', parameters: { resolution: '512', output_format: 'webp' } }, map: { Artikel: 'name', Foto: 'inputs.reference', Was: 'prompt', Format: 'parameters.output_format' } }, { name: 'liste.xlsx' })
    assert.equal(made.status, 201, made.text)
    assert.equal((await ended(made.body.id)).state, 'done')
    const [first, second] = await rowsOf(made.body.id)
    assert.deepEqual([first.name, first.outputs[0].mime, second.outputs[0].mime], ['101', 'image/jpeg', 'image/webp'])
    assert.equal(red.asked, 1)
    const tasks = await Promise.all([first, second].map(async row => (await ask('GET', `/tasks/${row.task}`)).body))
    assert.deepEqual(tasks.map(task => task.inputs.length), [1, 2])
    assert.equal(tasks[0].inputs[0].asset, tasks[1].inputs[0].asset)
  })

  test('lines of JSON, rows in the body, and a grid: every value with every other', async () => {
    const lines = await send('{"prompt":"a","parameters":{"seed":3}}\n{"prompt":"b","seed":4,"metadata":{"k":5}}\n', { target: tiny })
    assert.equal(lines.status, 201, lines.text)
    const rows = await ask('POST', '/batches', { target: { ...tiny, prompt: '{{product}} no. {{n}}' }, rows: [{ product: 'mug', n: 1 }, { product: 'jug', n: 2, seed: 9 }] })
    assert.deepEqual([rows.body.unmapped, rows.body.columns[0]], [[], { name: 'product', field: null }])
    const grid = await ask('POST', '/batches', { target: { parameters: { resolution: '512' } }, grid: { prompt: ['a fox', 'a hen'], model: ['sandbox-1'], 'parameters.aspect_ratio': ['1:1', '16:9'] } })
    assert.equal(grid.body.rows.total, 4, grid.text)
    for (const one of [lines, rows, grid]) assert.equal((await ended(one.body.id)).state, 'done')
    const prompts = async (id: string) => Promise.all((await rowsOf(id)).map(async row => { const task = (await ask('GET', `/tasks/${row.task}`)).body; return [task.prompt, task.parameters.seed ?? null, task.parameters.aspect_ratio] }))
    assert.deepEqual((await prompts(lines.body.id)).map(one => one.slice(0, 2)), [['a', 3], ['b', 4]])
    assert.deepEqual((await prompts(rows.body.id)).map(one => one[0]), ['mug no. 1', 'jug no. 2'])
    assert.deepEqual((await prompts(grid.body.id)).slice(0, 3), [['a fox', null, '1:1'], ['a fox', null, '16:9'], ['a hen', null, '1:1']])
  })

  test('a sheet that was sent before, looked into and named by its file', async () => {
    const seen = await ask('POST', '/sheets', await workbook([['prompt', 'x'], ['a', 1], ['b', 2]], 'Liste').then(bytes => { const form = new FormData(); form.append('file', new Blob([new Uint8Array(bytes)]), 'l.xlsx'); return form }))
    assert.equal(seen.status, 200, seen.text)
    assert.deepEqual([seen.body.kind, seen.body.sheets, seen.body.columns, seen.body.first.length, seen.body.first[0].cells], ['xlsx', ['Liste'], ['prompt', 'x'], 2, { prompt: 'a', x: 1 }])
    assert.deepEqual((await ask('GET', `/sheets/${seen.body.file}?sheet=Liste`)).body.columns, ['prompt', 'x'])
    const made = await ask('POST', '/batches', { target: tiny, file: seen.body.file })
    assert.deepEqual([made.status, made.body.file, (await ended(made.body.id)).rows.done], [201, seen.body.file, 2])
  })

  test('who is called as a field is fills it; who is only alike beside it is left aside, and told', async () => {
    const made = await ask('POST', '/batches?wait=60', { target: { ...tiny, prompt: 'x' }, rows: [{ id: 7, name: 'a mug', style: 'plain', Seed: 3 }], dry_run: true })
    assert.equal(made.status, 201, made.text)
    assert.deepEqual([made.body.columns.map((one: any) => one.field), made.body.unmapped], [[null, 'name', null, 'parameters.seed'], ['id', 'style']])
  })

  test('a template is a model by another name, and its variables are columns', async () => {
    const saved = await ask('POST', '/templates', { slug: 'poster', name: 'Poster', template: { model: 'sandbox-1', prompt: 'A poster for {{title}}, no. {{number}}', variables: [{ name: 'title', type: 'text' }, { name: 'number', type: 'integer' }], parameters: { resolution: '512' } } })
    assert.equal(saved.status, 201, saved.text)
    const published = await ask('POST', '/templates/poster/publish', { label: 'production' })
    assert.ok(published.status < 300, published.text)
    const made = await send('sku,title,number\na,1984,7\nb,Emma,8\n', { target: { model: 'template:poster@production', name: '{{sku}}' } })
    assert.equal(made.status, 201, made.text)
    assert.deepEqual(made.body.columns.map((one: any) => one.field), [null, 'variables.title', 'variables.number'])
    assert.equal((await ended(made.body.id)).rows.done, 2)
    assert.equal((await ask('GET', `/tasks/${(await rowsOf(made.body.id))[0].task}`)).body.prompt, 'A poster for 1984, no. 7')
    const wrong = await send('title,number\nEmma,many\n', { target: { model: 'template:poster@production' } })
    assert.deepEqual([wrong.status, wrong.body.batch?.errors[0].column], [400, 'number'])
  })

  test('the same call again is the same batch', async () => {
    const headers = { 'idempotency-key': 'sheet-once' }
    const files = await count('file')
    const first = await send('prompt\na', { target: tiny }, { headers })
    const again = await send('prompt\na', { target: tiny }, { headers })
    const other = await send('prompt\nb', { target: tiny }, { headers })
    assert.deepEqual([first.body.id, again.headers.get('idempotent-replayed'), other.status], [again.body.id, 'true', 422])
    assert.equal(await count('file'), files + 1)
    await ended(first.body.id)
    assert.equal(await count('batch_row', 'batch_id = $1', [first.body.id]), 1)
  })
})

describe('every row is looked through before the first is bought', () => {
  const mixed = 'prompt,seed,aspect_ratio,image\na,1,1:1,\nb,many,1:1,\nc,3,7:3,\nd,4,1:1,nowhere\ne,x,9:9,\n'

  test('one that is wrong refuses all; what is wrong is a table with row, column, value and what to do', async () => {
    const tasks = await count('task')
    const made = await send(mixed, { target: tiny })
    assert.equal(made.status, 400, made.text)
    assert.match(made.body.error.message, /4 of 5 rows cannot be made, so nothing was/)
    const { id } = made.body.batch
    assert.deepEqual(made.body.batch.errors.map((one: any) => [one.row, one.column, one.value]), [[3, 'seed', 'many'], [4, 'aspect_ratio', '7:3'], [5, 'image', 'nowhere'], [6, 'seed', 'x'], [6, 'aspect_ratio', '9:9']])
    const batch = await batchOf(id)
    assert.deepEqual([batch.state, batch.rows.failed, batch.rows.cancelled, batch.cost.micros], ['failed', 4, 1, 0])
    const errors = readTable((await ask('GET', `/batches/${id}/errors.csv`)).text)
    assert.deepEqual(errors.map(one => [one.row, one.column, one.value, one.prompt]), [['3', 'seed', 'many', 'b'], ['4', 'aspect_ratio', '7:3', 'c'], ['5', 'image', 'nowhere', 'd'], ['6', 'seed', 'x', 'e'], ['6', 'aspect_ratio', '9:9', 'e']])
    assert.match(errors[0]!.what_to_do!, /seed/)
    assert.equal(await count('task'), tasks)
    assert.equal((await ask('POST', `/batches/${id}/retry`, {})).status, 409)
    assert.equal((await ask('POST', `/batches/${id}/resume`, {})).status, 409)
  })

  describe('and comes back as a sheet to mend', () => {
    const mime = 'application/vnd.openxmlformats-officedocument.spreadsheetml.sheet'
    const fetched = async (path: string, headers: Record<string, string> = {}) => {
      const answer = await fetch(`${house.url}/plantain/v1${path}`, { headers: { authorization: `Bearer ${house.testKey}`, ...headers } })
      return { status: answer.status, type: answer.headers.get('content-type'), name: answer.headers.get('content-disposition'), bytes: Buffer.from(await answer.arrayBuffer()) }
    }
    const opened = async (bytes: Buffer) => {
      const sheet = await openSheet({ head: bytes.subarray(0, 4_096), sizeBytes: bytes.length, stream: () => Readable.from([bytes]) })
      const rows: Record<string, any>[] = []
      for await (const { cells } of sheet.rows()) rows.push(cells)
      return { columns: sheet.columns!, rows }
    }
    const again = ({ columns, rows }: Awaited<ReturnType<typeof opened>>) => workbook([columns, ...rows.map(row => columns.map(name => row[name]))])

    test('the whole of it where all was refused: mended and sent again it is made, and what was written beside it is left aside', async () => {
      const refused = await send(await workbook([['prompt', 'seed', 'sku', 'Note'], ['a', 1, '007', '=1+1'], ['b', 'many', '008', ''], ['c', -1, '009', 'x\ny']]), { target: { ...tiny, metadata: { sku: '{{sku}}' } } }, { name: 'mugs.xlsx' })
      assert.equal(refused.status, 400, refused.text)
      const { id, urls } = refused.body.batch
      const { status, type, name, bytes } = await fetched(urls.errors_xlsx.slice(urls.errors_xlsx.indexOf('/batches')))
      assert.deepEqual([status, type, name], [200, mime, `attachment; filename="batch-${id.slice(-8)}-errors.xlsx"`])
      const sheet = await opened(bytes)
      assert.deepEqual(sheet.columns, ['prompt', 'seed', 'sku', 'Note', 'result_row', 'result_error_code', 'result_error'])
      assert.deepEqual(sheet.rows.map(row => [row.prompt, row.seed, row.sku, row.Note, row.result_row]), [['a', 1, '007', '=1+1', 2], ['b', 'many', '008', '', 3], ['c', -1, '009', 'x\ny', 4]])
      assert.deepEqual(sheet.rows.map(row => row.result_error_code), ['', 'unsupported_parameter', 'unsupported_parameter'])
      assert.match(sheet.rows[1]!.result_error, /^seed: /)
      const page = (await unpack(bytes)).get('xl/worksheets/sheet1.xml')!.toString()
      assert.deepEqual([/r="B2" s="(\d)"/, /r="B3" s="(\d)"/, /r="B4" s="(\d)"/, /r="A3" s="(\d)"/].map(one => one.exec(page)![1]), ['0', '4', '3', '2'], 'what is wrong is coloured, and nothing else')

      sheet.rows[1]!.seed = 2
      const twice = await send(await again(sheet), { target: { ...tiny, metadata: { sku: '{{sku}}' } } }, { name: 'mugs.xlsx' })
      assert.equal(twice.status, 400, twice.text)
      assert.deepEqual(twice.body.batch.unmapped, ['Note', 'result_row', 'result_error_code', 'result_error'])
      const left = await opened((await fetched(`/batches/${twice.body.batch.id}/errors.xlsx`)).bytes)
      assert.deepEqual([left.columns, left.rows.map(row => row.result_error_code)], [sheet.columns, ['', '', 'unsupported_parameter']])

      left.rows[2]!.seed = '3'
      const made = await send(await again(left), { target: { ...tiny, metadata: { sku: '{{sku}}' } } }, { name: 'mugs.xlsx' })
      assert.equal(made.status, 201, made.text)
      assert.equal((await ended(made.body.id)).rows.done, 3)
      const [first] = await rowsOf(made.body.id)
      assert.deepEqual((await ask('GET', `/tasks/${first.task}`)).body.metadata, { sku: '007' })
    })

    test('only what failed where the others were made; by format, by Accept, as CSV to whoever says nothing', async () => {
      const made = await send(mixed, { target: tiny, on_errors: 'skip', name: 'Mixed' })
      await ended(made.body.id)
      const path = `/batches/${made.body.id}/errors`
      const book = await fetched(`${path}?format=xlsx`)
      const { rows } = await opened(book.bytes)
      assert.deepEqual(rows.map(row => [row.prompt, row.result_row]), [['b', 3], ['c', 4], ['d', 5], ['e', 6]])
      assert.match(rows[3]!.result_error, /^seed: .*\naspect_ratio: /)
      const kinds = async (headers: Record<string, string>, query = '') => (await fetched(path + query, headers)).type!.replace(/;.*/, '')
      assert.deepEqual(await Promise.all([kinds({ accept: mime }), kinds({ accept: `text/html, ${mime};q=0.9, */*;q=0.1` }), kinds({ accept: `text/csv, ${mime};q=0.9` }), kinds({}), kinds({ accept: '*/*' }), kinds({ accept: mime }, '?format=csv'), kinds({}, '?format=xlsx')]),
        [mime, mime, 'text/csv', 'text/csv', 'text/csv', 'text/csv', mime])
      for (const query of ['?format=ods', '?format=', '?formt=xlsx']) assert.equal((await ask('GET', path + query)).status, 400, query)
      const { testKey: key } = await house.newAccount()
      for (const one of [path, `${path}.xlsx`]) assert.equal((await ask('GET', one, undefined, { key })).status, 404)
    })

    test('what is too long for a cell is cut there, and said', async () => {
      const long = 'x'.repeat(40_000)
      const refused = await send(`prompt,seed,Note\na,many,${long}\n`, { target: tiny })
      const { rows: [row] } = await opened((await fetched(`/batches/${refused.body.batch.id}/errors.xlsx`)).bytes)
      assert.equal(row!.Note.length, 32_767)
      assert.match(row!.result_error, /\nNote: this is longer than a cell of a workbook may be.*errors\.csv has all of it/)
    })
  })

  test('or is left out, and the others are made', async () => {
    const made = await send(mixed, { target: tiny, on_errors: 'skip' })
    assert.equal(made.status, 201, made.text)
    const done = await ended(made.body.id)
    assert.deepEqual([done.state, done.rows.done, done.rows.failed, done.errors.length], ['done', 1, 4, 5])
    assert.deepEqual((await rowsOf(made.body.id, '&state=failed')).map(row => [row.row, row.task, row.cost.micros]), [[3, null, 0], [4, null, 0], [5, null, 0], [6, null, 0]])
    assert.equal((await ask('POST', `/batches/${made.body.id}/retry`, {})).status, 409)
  })

  test('a dry run checks and prices; it is made only when somebody lets it run', async () => {
    const tasks = await count('task')
    const checked = await send('prompt\na\nb\n', { target: { model: 'rehearsal-1' } }, { ...live(), path: '/batches/estimate' })
    assert.equal(checked.status, 200, checked.text)
    assert.deepEqual([checked.body.state, checked.body.paused.because, checked.body.price.max.micros, checked.body.rows.waiting], ['paused', 'dry_run', 80_000, 2])
    assert.equal(await count('task'), tasks)
    assert.equal((await send('prompt,nix\na,b', { target: tiny, map: { nix: 'parameters.nix' }, dry_run: 'true' })).body.errors[0].column, 'nix')
    assert.equal((await ask('POST', `/batches/${checked.body.id}/resume`, {}, live())).status, 200)
    const done = await ended(checked.body.id, house.liveKey)
    assert.deepEqual([done.state, done.rows.done, done.cost.micros], ['done', 2, 80_000])
  })
})

describe('a batch under way', () => {
  test('its progress is a stream: how it stands, each change, the end; whoever comes again hears only what is new', async () => {
    const made = await ask('POST', '/batches', { target: { ...tiny, prompt: 'n {{n}} sandbox:slow=1500ms' }, rows: Array.from({ length: 6 }, (_, n) => ({ n })), concurrency: 2 })
    const follow = async (last?: string) => {
      const stream = await fetch(`${house.url}/plantain/v1/batches/${made.body.id}/events`, { headers: { authorization: `Bearer ${house.testKey}`, ...(last ? { 'last-event-id': last } : {}) } })
      assert.match(stream.headers.get('content-type')!, /event-stream/)
      return (await stream.text()).split('\n\n').flatMap(block => {
        const data = /^data: (.*)$/m.exec(block)?.[1]
        return data ? [{ id: /^id: (.*)$/m.exec(block)![1]!, event: /^event: (.*)$/m.exec(block)![1]!, data: JSON.parse(data) }] : []
      })
    }
    const events = await follow()
    assert.ok(events.length >= 3, `${events.length} events`)
    assert.equal(events.at(-1)!.event, 'batch.completed')
    assert.ok(events.slice(0, -1).every(one => one.event === 'batch.progressed'))
    const shares = events.map(one => one.data.progress as number)
    assert.deepEqual(shares, shares.toSorted((a, b) => a - b))
    assert.ok(events.every(one => one.data.rows.making <= 2), 'concurrency is kept')
    assert.ok(events.some(one => one.data.eta?.seconds > 0 && /rows ended in the last/.test(one.data.eta.reckoned)), 'there is a time it will take')
    // What is over is told once more, so that nobody waits for it.
    assert.deepEqual((await follow(events.at(-1)!.id)).map(one => one.event), ['batch.completed'])
  })

  test('pause begins no more, resume goes on, cancel gives up what waits', async () => {
    const made = await ask('POST', '/batches', { target: { model: 'rehearsal-1', prompt: '{{n}} rehearse:slow' }, rows: Array.from({ length: 12 }, (_, n) => ({ n })), concurrency: 2 }, live())
    const { id } = made.body
    await until(async () => (await batchOf(id, house.liveKey)).rows.making > 0, 'The first row')
    assert.equal((await ask('POST', `/batches/${id}/pause`, undefined, live())).body.state, 'paused')
    const still = await until(async () => { const batch = await batchOf(id, house.liveKey); return batch.rows.making === 0 ? batch : null }, 'The end of what was in the making')
    assert.deepEqual([still.state, still.paused.because, still.eta], ['paused', 'asked', null])
    assert.ok(still.rows.done >= 1 && still.rows.waiting >= 1)
    const tasks = await count('task')
    assert.equal((await ask('POST', `/batches/${id}/resume`, undefined, live())).body.state, 'running')
    assert.equal((await ask('POST', `/batches/${id}/resume`, {}, live())).status, 409)
    await until(async () => await count('task') > tasks, 'Another row')
    await ask('POST', `/batches/${id}/cancel`, undefined, live())
    const over = await ended(id, house.liveKey)
    assert.equal(over.state, 'cancelled')
    assert.deepEqual([over.rows.done + over.rows.cancelled, over.cost.micros], [12, over.rows.done * 40_000])
    assert.ok(over.rows.cancelled > 0)
    assert.deepEqual(await house.audit(), [])
    // And again, from where it stood.
    assert.equal((await ask('POST', `/batches/${id}/retry`, { states: ['cancelled'] }, live())).body.state, 'running')
    assert.deepEqual([(await ended(id, house.liveKey)).rows.done, await count('task', 'id in (select task_id from batch_row where batch_id = $1)', [id])], [12, 12])
  })

  test('a cap stops it in the middle, keeps what is paid, and is exact', async () => {
    const made = await ask('POST', '/batches', { target: { model: 'rehearsal-1', prompt: 'p {{n}}' }, rows: Array.from({ length: 10 }, (_, n) => ({ n })), budget_max_micros: 130_000, callback_url: `${shopUrl}/capped` }, live())
    const { id } = made.body
    const stopped = await reaches(id, ['paused'], house.liveKey)
    assert.deepEqual([stopped.paused.because, stopped.rows.done, stopped.cost.micros, stopped.rows.waiting], ['budget', 3, 120_000, 7])
    assert.match(stopped.paused.message, /higher budget_max_micros/)
    const paused = await until(async () => letters.find(one => one.path === '/capped'), 'The message')
    assert.equal(JSON.parse(paused.body).type, 'batch.paused')
    assert.equal((await ask('POST', `/batches/${id}/resume`, {}, live())).status, 409)
    assert.equal((await ask('POST', `/batches/${id}/resume`, { budget_max_micros: 240_000 }, live())).status, 200)
    assert.equal((await reaches(id, ['paused'], house.liveKey)).cost.micros, 240_000)
    await ask('POST', `/batches/${id}/resume`, { budget_max_micros: null }, live())
    assert.deepEqual([(await ended(id, house.liveKey)).cost.micros, await house.audit()], [400_000, []])
  })

  test('want of credits pauses it too, and no row is lost for it', async () => {
    const { liveKey: key, accountId } = await house.newAccount({ liveDollars: 0.1 })
    const made = await ask('POST', '/batches', { target: { model: 'rehearsal-1', prompt: 'q {{n}}' }, rows: Array.from({ length: 4 }, (_, n) => ({ n })), concurrency: 1 }, { key })
    const stopped = await reaches(made.body.id, ['paused'], key)
    assert.deepEqual([stopped.paused.because, stopped.rows.done, stopped.rows.failed, stopped.rows.waiting], ['credits', 2, 0, 2])
    await house.database.query(`update account set id = id where id = $1`, [accountId])
    const { grant } = await import('../src/ledger/ledger.ts')
    await house.database.transaction(client => grant(client, { accountId, livemode: true }, 1_000_000, 'more'))
    await ask('POST', `/batches/${made.body.id}/resume`, {}, { key })
    assert.equal((await ended(made.body.id, key)).rows.done, 4)
  })

  test('what failed is tried again, and only that; nothing is bought twice', async () => {
    const made = await ask('POST', '/batches', { target: { model: 'rehearsal-1', prompt: '{{p}}' }, rows: [{ p: 'fine' }, { p: 'no rehearse:refused' }, { p: 'fine too' }] }, live())
    const { id } = made.body
    const first = await ended(id, house.liveKey)
    assert.deepEqual([first.state, first.rows.done, first.rows.failed, first.cost.micros], ['done', 2, 1, 80_000])
    const before = await rowsOf(id, '', house.liveKey)
    const errors = readTable((await ask('GET', `/batches/${id}/errors.csv`, undefined, live())).text)
    assert.deepEqual(errors.map(one => [one.row, one.code, one.p]), [['2', 'content_rejected', 'no rehearse:refused']])
    assert.equal((await ask('POST', `/batches/${id}/retry`, {}, live())).status, 200)
    const again = await ended(id, house.liveKey)
    assert.deepEqual([again.rows.done, again.rows.failed, again.cost.micros], [2, 1, 80_000])
    const rows = await rowsOf(id, '', house.liveKey)
    assert.deepEqual(rows.map(row => row.attempt), [1, 2, 1])
    assert.deepEqual([rows[0].task, rows[1].earlier, rows[1].task === before[1].task], [before[0].task, [before[1].task], false])
    assert.equal((await ask('POST', `/batches/${id}/retry`, { states: ['cancelled'] }, live())).status, 409)
    assert.deepEqual(await house.audit(), [])
  })
})

test('a row that was tried again does not end with what an earlier attempt came to', async () => {
  const { endRows, selectEndedMakings } = await import('../src/batches/rows.ts')
  const made = await ask('POST', '/batches', { target: { model: 'rehearsal-1', prompt: '{{p}}' }, rows: [{ p: 'rehearse:slow' }], dry_run: true }, live())
  const { id } = made.body
  const row = async () => (await house.database.query<{ state: string; turn: number; cost: number }>('select r.state, r.turn, b.cost_micros::float8 as cost from batch_row r join batch b on b.id = r.batch_id where b.id = $1', [id])).rows[0]!
  await ask('POST', `/batches/${id}/resume`, {}, live())
  const { turn } = await until(async () => { const one = await row(); return one.state === 'making' ? one : null }, 'The making of the row')
  // Another process saw the attempt before end, and says so only now.
  await endRows(house.database, id, [{ number: 1, turn: turn - 1, wasMade: true, state: 'failed', chargedMicros: 40_000 }])
  assert.deepEqual([(await row()).state, (await row()).cost], ['making', 0])
  const over = await ended(id, house.liveKey)
  assert.deepEqual([over.rows.done, over.rows.failed, over.cost.micros], [1, 0, 40_000])
  assert.deepEqual(await selectEndedMakings(house.database, id, 10), [])
})

test('the time of a batch stands still while it is paused, for what is in the making as well', async () => {
  const made = await ask('POST', '/batches', { target: { model: 'rehearsal-1', prompt: '{{p}}' }, rows: [{ p: 'rehearse:slow' }, { p: 'later' }], concurrency: 1 }, live())
  const { id } = made.body
  await until(async () => (await batchOf(id, house.liveKey)).rows.making === 1, 'The first row')
  await ask('POST', `/batches/${id}/pause`, undefined, live())
  await house.database.query(`update batch set ends_by = now() - interval '1 second', paused_at = paused_at - interval '1 hour' where id = $1`, [id])
  const still = await until(async () => { const batch = await batchOf(id, house.liveKey); return batch.rows.making === 0 ? batch : null }, 'The end of what was in the making')
  assert.deepEqual([still.state, still.rows.done, still.rows.waiting, still.rows.expired], ['paused', 1, 1, 0])
  await ask('POST', `/batches/${id}/resume`, {}, live())
  assert.deepEqual([(await ended(id, house.liveKey)).rows.done], [2])
})

test('what is being cancelled is not begun again by a retry', async () => {
  const made = await ask('POST', '/batches', { target: { model: 'rehearsal-1', prompt: '{{p}}' }, rows: [{ p: 'no rehearse:refused' }, { p: 'rehearse:slow' }, { p: 'waits' }], concurrency: 1 }, live())
  const { id } = made.body
  await until(async () => { const { rows } = await batchOf(id, house.liveKey); return rows.failed === 1 && rows.making === 1 }, 'The slow row')
  await ask('POST', `/batches/${id}/cancel`, undefined, live())
  const refused = await ask('POST', `/batches/${id}/retry`, {}, live())
  assert.deepEqual([refused.status, refused.body.error?.code], [409, 'conflict'], refused.text)
  assert.match(refused.body.error.message, /being cancelled/)
  const over = await ended(id, house.liveKey)
  assert.deepEqual([over.state, over.rows.failed, over.rows.cancelled >= 1], ['cancelled', 1, true])
  // Once it has ended, it may.
  assert.equal((await ask('POST', `/batches/${id}/retry`, {}, live())).body.state, 'running')
  await ended(id, house.liveKey)
})

describe('rows become executions of a workflow', () => {
  const graph = (model = 'sandbox-1') => ({
    nodes: [{ id: 'photo', kind: 'image', settings: {} }, { id: 'words', kind: 'text', settings: { text: 'a scene' } }, { id: 'made', kind: 'generate', settings: { model, ...(model === 'sandbox-1' ? { parameters: { resolution: '512' } } : {}) } }, { id: 'small', kind: 'resize', settings: { width: 64 } }, { id: 'out', kind: 'output', settings: { name: 'thumb' } }, { id: 'caption', kind: 'output', settings: { name: 'caption' } }],
    edges: [wire('words.text', 'made.prompt'), wire('photo.image', 'made.images'), wire('made.image', 'small.image'), wire('small.image', 'out.value'), wire('words.text', 'caption.value')],
    inputs: [{ name: 'what', node: 'words', port: 'text' }, { name: 'photo', node: 'photo', port: 'image' }, { name: 'width', node: 'small', port: 'width' }],
  })

  test('columns fill its inputs, links are pictures, numbers are numbers', async () => {
    const { nodes, edges, inputs } = graph()
    const saved = await ask('POST', '/workflows', { name: 'Sheet thumbs', graph: { nodes, edges, inputs } })
    assert.equal(saved.status, 201, saved.text)
    await ask('POST', `/workflows/${saved.body.slug}/publish`, {})
    const made = await send(`sku,what,Foto,width\nA1,a mug,${shopUrl}/red.png,32\nA2,a jug,${shopUrl}/blue.png,\n`, { target: { workflow: saved.body.slug, name: '{{sku}}', metadata: { sku: '{{sku}}' } }, map: { Foto: 'photo' } })
    assert.equal(made.status, 201, made.text)
    assert.deepEqual(made.body.unmapped, [])
    // What is published later is not what was checked.
    await ask('POST', `/workflows/${saved.body.slug}/publish`, {})
    const done = await ended(made.body.id)
    assert.deepEqual([done.state, done.rows.done, done.cost.micros, done.price.max.micros], ['done', 2, done.price.max.micros, done.cost.micros])
    const rows = await rowsOf(made.body.id)
    assert.deepEqual(rows.map(row => [row.name, row.outputs[0].width, row.text]), [['A1', 32, 'a mug'], ['A2', 64, 'a jug']])
    const execution = (await ask('GET', `/executions/${rows[0].execution}`)).body
    assert.deepEqual([execution.trigger, execution.metadata, execution.version], [`batch ${made.body.id}`, { sku: 'A1' }, 1])
    assert.equal(await count('task', `priority = 'batch' and metadata->>'execution_id' = any($1)`, [rows.map(row => row.execution)]), 2)
    assert.deepEqual([...(await unpack(Buffer.from(await (await fetch(`${house.url}/plantain/v1/batches/${made.body.id}/results.zip`, { headers: { authorization: `Bearer ${house.testKey}` } })).arrayBuffer()))).keys()], ['00002-A1-1.png', '00003-A2-1.png', 'results.csv'])
  })

  test('a row that does not fit is found before anything runs', async () => {
    const executions = await count('execution')
    const made = await send(`what,width,photo\na,wide,${shopUrl}/red.png\nb,9,not a link\nc,9,\n`, { target: { workflow: 'sheet-thumbs' } })
    assert.equal(made.status, 400, made.text)
    assert.deepEqual(made.body.batch.errors.map((one: any) => [one.row, one.column]), [[2, 'width'], [3, 'photo'], [4, 'photo']])
    assert.equal(await count('execution'), executions)
  })

  test('what failed is begun anew and takes what it had paid for', async () => {
    const failing = { nodes: [{ id: 'one', kind: 'generate', settings: { model: 'rehearsal-1' } }, { id: 'two', kind: 'generate', settings: { model: 'rehearsal-1' } }, { id: 'out', kind: 'output', settings: {} }],
      edges: [wire('one.image', 'two.images'), wire('two.image', 'out.value')], inputs: [{ name: 'first', node: 'one', port: 'prompt' }, { name: 'second', node: 'two', port: 'prompt' }] }
    const saved = await ask('POST', '/workflows', { name: 'Two steps', graph: failing })
    assert.equal(saved.status, 201, saved.text)
    const made = await ask('POST', '/batches', { target: { workflow: 'two-steps' }, rows: [{ first: 'a', second: 'b rehearse:refused' }, { first: 'c', second: 'd' }], budget_max_micros: 1_000_000 }, live())
    assert.equal(made.status, 201, made.text)
    const first = await ended(made.body.id, house.liveKey)
    assert.deepEqual([first.rows.done, first.rows.failed, first.cost.micros], [1, 1, 120_000])
    await ask('POST', `/batches/${made.body.id}/retry`, {}, live())
    const again = await ended(made.body.id, house.liveKey)
    assert.deepEqual([again.rows.failed, again.cost.micros, await house.audit()], [1, 120_000, []])
  })

  test('one that comes with the house is named like any other', async () => {
    const made = await ask('POST', '/batches/estimate', { target: { workflow: 'ready:catalogue-refresh' }, rows: [{ photo: `${shopUrl}/red.png`, title: 'A mug', ground: 'oak' }] })
    assert.equal(made.status, 200, made.text)
    assert.deepEqual([made.body.state, made.body.unmapped, made.body.rows.checked], ['paused', [], 1])
    await ask('POST', `/batches/${made.body.id}/resume`, {})
    const done = await ended(made.body.id)
    assert.deepEqual([done.state, done.rows.done], ['done', 1], JSON.stringify(await rowsOf(made.body.id)))
    const [row] = await rowsOf(made.body.id)
    assert.deepEqual([row.outputs[0].mime, row.outputs[0].width, typeof row.text], ['image/webp', 1_200, 'string'])
    const missing = await ask('POST', '/batches', { target: { workflow: 'ready:none' }, rows: [{ a: 1 }] })
    assert.deepEqual([missing.status, missing.body.error.field], [404, 'target.workflow'])
  })

  test('under a cap on the batch, a row that came out dearer than it was checked is not bought, whatever a row may cost', async () => {
    // What a template's label means is asked anew for each row, and so may have become dearer; the workflow may not.
    const body = (model: string) => ({ model, prompt: 'dear {{what}}', variables: [{ name: 'what', type: 'text' }], ...(model === 'sandbox-1' ? { parameters: { resolution: '512' } } : {}) })
    assert.equal((await ask('POST', '/templates', { slug: 'dear', name: 'Dear', template: body('sandbox-1') })).status, 201)
    await ask('POST', '/templates/dear/publish', { label: 'production' })
    const drawn = { nodes: [{ id: 'made', kind: 'generate', settings: { model: 'template:dear@production' } }, { id: 'out', kind: 'output', settings: {} }], edges: [wire('made.image', 'out.value')], inputs: [{ name: 'prompt', node: 'made', port: 'prompt' }] }
    const saved = await ask('POST', '/workflows', { name: 'Grows dear', graph: drawn })
    const made = await ask('POST', '/batches', { target: { workflow: saved.body.slug, version: 'draft', cost_max_micros: 1_000_000 }, rows: [{ prompt: '{"what":"a dear one"}' }, { prompt: '{"what":"another"}' }], budget_max_micros: 2_000, dry_run: true }, live())
    assert.deepEqual([made.body.state, made.body.price?.max.micros], ['paused', 2_000], made.text)
    assert.equal((await ask('PATCH', '/templates/dear', { template: body('rehearsal-1'), revision: 1 })).status, 200)
    assert.equal((await ask('POST', '/templates/dear/publish', { label: 'production' })).status, 200)
    await ask('POST', `/batches/${made.body.id}/resume`, {}, live())
    const over = await ended(made.body.id, house.liveKey)
    assert.deepEqual([over.rows.failed, over.cost.micros], [2, 0])
    assert.match((await rowsOf(made.body.id, '', house.liveKey))[0].problem.code, /credits_required/)
    assert.deepEqual(await house.audit(), [])
  })

  describe('what they run is what was there when the batch was made', () => {
    const drawn = (text: string, calls: string | null) => ({
      nodes: [{ id: 'words', kind: 'text', settings: {} }, { id: 'said', kind: 'concat', settings: { text2: text, separator: ' ' } }, { id: 'out', kind: 'output', settings: { name: 'said' } },
        ...(calls === null ? [] : [{ id: 'other', kind: 'workflow', settings: { workflow: calls, into: 'words' } }, { id: 'heard', kind: 'output', settings: { name: 'heard' } }])],
      edges: [wire('words.text', 'said.text1'), wire('said.text', 'out.value'), ...(calls === null ? [] : [wire('words.text', 'other.value'), wire('other.value', 'heard.value')])],
      inputs: [{ name: 'words', node: 'words', port: 'text' }],
    })
    const change = async (slug: string, graph: object) => {
      const { revision, id } = (await ask('GET', `/workflows/${slug}`)).body
      const changed = await ask('PATCH', `/workflows/${id}`, { graph, revision })
      assert.equal(changed.status, 200, changed.text)
    }
    const graphsOf = async (id: string) => (await house.database.query<{ graph: string }>(`select distinct encode(graph_sha256, 'hex') as graph from execution where trigger = $1`, [`batch ${id}`])).rows.map(({ graph }) => graph)

    test('a draft that is edited meanwhile changes no row, nor does one that it calls', async () => {
      for (const [name, graph] of [['Called', drawn('called then', null)], ['Calls', drawn('then', 'called')]] as const) assert.equal((await ask('POST', '/workflows', { name, graph })).status, 201)
      const made = await ask('POST', '/batches', { target: { workflow: 'calls' }, rows: [{ words: 'a' }, { words: 'b' }], concurrency: 1, dry_run: true })
      assert.deepEqual([made.body.state, made.body.workflow.slug, made.body.workflow.version], ['paused', 'calls', null], made.text)
      assert.match(made.body.workflow.message, /runs the draft as it was when the batch was made/)
      await change('called', drawn('called now', null))
      await change('calls', drawn('now', 'called'))
      await ask('POST', `/batches/${made.body.id}/resume`, {})
      assert.equal((await ended(made.body.id)).rows.done, 2)
      assert.deepEqual((await rowsOf(made.body.id)).map(row => row.values), [{ said: 'a then', heard: 'a called then' }, { said: 'b then', heard: 'b called then' }])
      // The next one is made of what is there now.
      const next = await ask('POST', '/batches', { target: { workflow: 'calls' }, rows: [{ words: 'a' }] })
      assert.notEqual(next.body.workflow.graph_sha256, made.body.workflow.graph_sha256)
      await ended(next.body.id)
      assert.deepEqual((await rowsOf(next.body.id)).map(row => row.values), [{ said: 'a now', heard: 'a called now' }])
    })

    test('a row that is tried again runs the same graph, and the batch says which', async () => {
      const graph = (width: number) => ({ nodes: [{ id: 'made', kind: 'generate', settings: { model: 'rehearsal-1' } }, { id: 'small', kind: 'resize', settings: { width } }, { id: 'out', kind: 'output', settings: {} }], edges: [wire('made.image', 'small.image'), wire('small.image', 'out.value')], inputs: [{ name: 'prompt', node: 'made', port: 'prompt' }] })
      await ask('POST', '/workflows', { name: 'Retried', graph: graph(32) })
      const made = await ask('POST', '/batches', { target: { workflow: 'retried' }, rows: [{ prompt: 'x rehearse:refused' }] }, live())
      assert.equal((await ended(made.body.id, house.liveKey)).rows.failed, 1)
      await change('retried', graph(48))
      const again = await ask('POST', `/batches/${made.body.id}/retry`, {}, live())
      assert.deepEqual(again.body.workflow, made.body.workflow)
      assert.match(again.body.workflow.message, /every row that is tried again/)
      await ended(made.body.id, house.liveKey)
      assert.deepEqual(await graphsOf(made.body.id), [made.body.workflow.graph_sha256])
      assert.deepEqual([await count('execution', 'trigger = $1', [`batch ${made.body.id}`]), await house.audit()], [2, []])
    })
  })

  test('cancel stops its executions', async () => {
    const waiting = { nodes: [{ id: 'made', kind: 'generate', settings: { model: 'sandbox-1', parameters: { resolution: '512', count: 2 } } }, { id: 'choice', kind: 'approval', settings: {} }, { id: 'out', kind: 'output', settings: {} }],
      edges: [wire('made.images', 'choice.candidates'), wire('choice.image', 'out.value')], inputs: [{ name: 'prompt', node: 'made', port: 'prompt' }] }
    await ask('POST', '/workflows', { name: 'Asks', graph: waiting })
    const made = await ask('POST', '/batches', { target: { workflow: 'asks' }, rows: [{ prompt: 'a' }, { prompt: 'b' }] })
    await until(async () => (await ask('GET', '/reviews?state=open')).body.items.length === 2, 'Two reviews')
    await ask('POST', `/batches/${made.body.id}/cancel`)
    const over = await ended(made.body.id)
    assert.deepEqual([over.state, over.rows.cancelled], ['cancelled', 2])
    assert.equal((await ask('GET', '/reviews?state=open')).body.items.length, 0)
  })
})

describe('who is told', () => {
  const verified = (letter: Letter, secret: string) => new Webhook(secret).verify(letter.body, letter.headers as Record<string, string>) as any

  test('a batch\'s end goes to endpoints that listen and to its own address, signed; other doors\' batches too', async () => {
    const { body: endpoint, text } = await ask('POST', '/webhooks', { url: `${shopUrl}/all`, events: ['batch.completed', 'batch.failed', 'batch.cancelled'] })
    assert.match(endpoint.secret ?? '', /^whsec_/, text)
    const callbackSecret = (await ask('GET', '/webhooks/callback-secret')).body.secret
    const made = await ask('POST', '/batches', { target: { ...tiny, prompt: 'x' }, rows: [{ n: 1 }], callback_url: `${shopUrl}/mine` })
    const mine = await until(async () => letters.find(one => one.path === '/mine'), 'The call back')
    const told = await until(async () => letters.find(one => one.path === '/all' && one.body.includes(made.body.id)), 'The message')
    for (const message of [verified(mine, callbackSecret), verified(told, endpoint.secret)]) {
      assert.deepEqual([message.type, message.data.id, message.data.state, message.data.rows.done], ['batch.completed', made.body.id, 'done', 1])
    }
    const refused = await ask('POST', '/batches', { target: tiny, rows: [{ prompt: 'x', seed: 'y' }] })
    assert.equal(refused.status, 400)
    assert.equal(verified(await until(async () => letters.find(one => one.path === '/all' && one.body.includes('batch.failed')), 'The refusal'), endpoint.secret).data.rows.failed, 1)

    const form = new FormData()
    form.append('purpose', 'batch')
    form.append('file', new Blob([`${JSON.stringify({ custom_id: 'a', method: 'POST', url: '/v1/images/generations', body: { model: 'gpt-image-2', size: '256x256', quality: 'low', prompt: 'x' } })}\n`]), 'rows.jsonl')
    const headers = { authorization: `Bearer ${house.testKey}` }
    const file = await (await fetch(`${house.url}/v1/files`, { method: 'POST', headers, body: form })).json() as { id: string }
    const openai = await (await fetch(`${house.url}/v1/batches`, { method: 'POST', headers: { ...headers, 'content-type': 'application/json' }, body: JSON.stringify({ input_file_id: file.id, endpoint: '/v1/images/generations', completion_window: '24h' }) })).json() as { id: string }
    const id = openai.id.replace('batch_', '')
    const other = verified(await until(async () => letters.find(one => one.path === '/all' && one.body.includes(id)), 'The message'), endpoint.secret)
    assert.deepEqual([other.type, other.data.dialect, other.data.rows.done], ['batch.completed', 'openai', 1])
    const list = (await ask('GET', '/batches?limit=2')).body
    assert.deepEqual([list.data[0].id, list.data[0].dialect, list.data[1].dialect], [id, 'openai', 'native'])
    assert.equal((await ask('GET', `/batches?limit=1&after=${list.data[0].id}`)).body.data[0].id, list.data[1].id)
    assert.equal((await rowsOf(id))[0].outputs.length, 1)
    const deliveries = (await ask('GET', '/deliveries')).body.data
    assert.ok(deliveries.some((one: any) => one.event === 'batch.completed' && one.state === 'delivered'))
  })
})

describe('by the clock', () => {
  test('an address is asked anew each time, once a time; a schedule whose key is gone says so', async () => {
    pages.set('/list.csv', { asked: 0, body: Buffer.from('prompt\none\n') })
    const made = await ask('POST', '/batch-schedules', { name: 'Nightly', cron: farCron(), time_zone: 'Europe/Berlin', missed: 'once', batch: { url: `${shopUrl}/list.csv`, target: tiny } })
    assert.equal(made.status, 201, made.text)
    const { id } = made.body
    assert.ok(new Date(made.body.next_at) > new Date())
    const due = () => house.database.query(`update batch_schedule set next_at = date_trunc('minute', now()) - interval '3 days' where id = $1`, [id])
    await due()
    const first = await until(async () => (await ask('GET', `/batch-schedules/${id}`)).body.last_batch, 'The batch')
    assert.equal((await ended(first)).rows.done, 1)
    pages.get('/list.csv')!.body = Buffer.from('prompt\none\ntwo\n')
    // The same time once more brings the batch it has brought; another time another one.
    await due()
    await until(async () => new Date((await ask('GET', `/batch-schedules/${id}`)).body.next_at) > new Date(), 'The next time')
    assert.equal((await ask('GET', `/batch-schedules/${id}`)).body.last_batch, first)
    assert.equal((await ask('PATCH', `/batch-schedules/${id}`, { missed: 'skip' })).status, 200)
    await house.database.query('update batch_schedule set next_at = now() where id = $1', [id])
    const second = await until(async () => { const { last_batch } = (await ask('GET', `/batch-schedules/${id}`)).body; return last_batch !== first ? last_batch : null }, 'The second batch')
    assert.equal((await ended(second)).rows.done, 2)
    const now = await ask('POST', `/batch-schedules/${id}/run`)
    assert.deepEqual([now.status, (await ended(now.body.id)).rows.done], [201, 2])

    const { testKey: key } = await house.newAccount()
    const lost = await ask('POST', '/batch-schedules', { name: 'Lost', cron: '0 2 * * *', missed: 'all', batch: { url: `${shopUrl}/list.csv`, target: tiny } }, { key })
    const keys = (await ask('GET', '/keys', undefined, { key })).body.data
    await house.database.query('update batch_schedule set next_at = $2 where id = $1', [lost.body.id, new Date(Date.now() + 60_000)])
    await house.database.query('update api_key set revoked_at = now() where id = $1', [keys.find((one: any) => !one.livemode).id])
    await house.database.query(`update batch_schedule set next_at = now() where id = $1`, [lost.body.id])
    const { rows: [row] } = await until(async () => { const found = await house.database.query<{ last_problem: { code: string } | null }>('select last_problem from batch_schedule where id = $1', [lost.body.id]); return found.rows[0]!.last_problem ? found : null }, 'The refusal')
    assert.equal(row!.last_problem!.code, 'unauthorized')
  })

  test('switched off it makes nothing; changed and removed it is gone', async () => {
    const made = await ask('POST', '/batch-schedules', { name: 'Off', cron: '*/5 * * * *', batch: { url: `${shopUrl}/list.csv`, target: tiny } })
    const { id } = made.body
    assert.equal((await ask('PATCH', `/batch-schedules/${id}`, { enabled: false, name: 'Still' })).body.next_at, null)
    assert.deepEqual([(await ask('PATCH', `/batch-schedules/${id}`, { cron: '0 0 1 1 *', enabled: true })).body.enabled, (await ask('GET', '/batch-schedules')).body.data.some((one: any) => one.name === 'Still')], [true, true])
    assert.equal((await ask('DELETE', `/batch-schedules/${id}`)).status, 204)
    assert.equal((await ask('GET', `/batch-schedules/${id}`)).status, 404)
  })
})

test('a batch belongs to its project and mode, and its end can be forgotten', async () => {
  const made = await ask('POST', '/batches', { target: { ...tiny, prompt: 'x' }, rows: [{ n: 1 }] })
  const { id } = made.body
  const { testKey } = await house.newAccount()
  for (const key of [testKey, house.liveKey]) {
    for (const path of ['', '/rows', '/events', '/results.csv', '/results.zip', '/errors.csv']) assert.equal((await ask('GET', `/batches/${id}${path}`, undefined, { key })).status, 404, path)
    for (const verb of ['pause', 'resume', 'cancel', 'retry']) assert.equal((await ask('POST', `/batches/${id}/${verb}`, undefined, { key })).status, 404, verb)
  }
  await ended(id)
  assert.equal((await ask('DELETE', `/batches/${id}`)).status, 204)
  assert.equal((await ask('GET', `/batches/${id}`)).status, 404)
})
