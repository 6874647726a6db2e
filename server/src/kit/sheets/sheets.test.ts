import assert from 'node:assert/strict'
import { Readable } from 'node:stream'
import { describe, test } from 'node:test'
import { Problem } from '../../domain/problem.ts'
import { pack, packedArchive, workbook, workbookParts } from '../../../test/kit/workbook.ts'
import { findDelimiter } from './csv.ts'
import { openSheet } from './sheet.ts'
import { letterOf, type SheetOptions, type SheetRow } from './table.ts'
import { cellMax, writeWorkbook, type WorkbookCell } from './workbook.ts'
import { writeRow } from './write.ts'

/** In small pieces, as a network brings them. */
const pieces = function* (bytes: Buffer, size: number) { for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size) }
const open = (bytes: Buffer | string, options: SheetOptions = {}, size = 7) => {
  const all = Buffer.from(bytes as Buffer)
  return openSheet({ head: all.subarray(0, 4_096), sizeBytes: all.length, stream: () => Readable.from(pieces(all, size), { objectMode: false }) }, options)
}
async function read(bytes: Buffer | string, options: SheetOptions = {}, size = 7): Promise<{ columns: string[] | null; rows: SheetRow[] }> {
  const sheet = await open(bytes, options, size)
  const rows: SheetRow[] = []
  for await (const row of sheet.rows()) rows.push(row)
  return { columns: sheet.columns, rows }
}
const cellsOf = async (bytes: Buffer | string, options: SheetOptions = {}) => (await read(bytes, options)).rows.map(row => Object.values(row.cells))
const refused = (bytes: Buffer | string, code: string, words: RegExp, options: SheetOptions = {}, size = 4_096) => assert.rejects(read(bytes, options, size), thrown => {
  assert.ok(thrown instanceof Problem, String((thrown as Error).stack))
  assert.equal(thrown.code, code, thrown.message)
  assert.match(thrown.message, words)
  return true
})

describe('csv', () => {
  test('commas, quotes, line breaks in cells; rows are counted as a spreadsheet does', async () => {
    assert.deepEqual(await read('prompt,seed\r\n"a, ""b""\nc",1\r\n\r\nd,2'), { columns: ['prompt', 'seed'], rows: [{ number: 2, cells: { prompt: 'a, "b"\nc', seed: '1' } }, { number: 4, cells: { prompt: 'd', seed: '2' } }] })
  })
  for (const delimiter of [',', ';', '\t', '|']) test(`"${delimiter}" is found out`, async () => assert.deepEqual(await cellsOf(`a${delimiter}"b,;|"\n1${delimiter}2`), [['1', '2']]))
  test('a delimiter that is said counts', async () => assert.deepEqual((await read('a,b;c\n1,2;3', { delimiter: ';' })).rows[0]!.cells, { 'a,b': '1,2', c: '3' }))
  test('the line that Excel writes before the names says the delimiter and is no row', async () => {
    for (const mark of ['', '\ufeff']) assert.deepEqual(await read(`${mark}sep=;\r\nprompt;seed\r\na, b;1\r\n`), { columns: ['prompt', 'seed'], rows: [{ number: 2, cells: { prompt: 'a, b', seed: '1' } }] })
    assert.deepEqual((await read(Buffer.from('\ufeffsep=|\r\na|b\r\n1,2|3', 'utf16le'))).rows[0]!.cells, { a: '1,2', b: '3' })
    assert.deepEqual((await read('sep=,size\n1,2')).columns, ['sep=', 'size'])
  })
  test('what stands in quotes is no delimiter', () => assert.equal(findDelimiter('"a;b;c",d\n;;;;'), ','))
  const text = 'größe;ß\nä;😀'
  const marked = (mark: number[], bytes: Buffer) => Buffer.concat([Buffer.from(mark), bytes])
  for (const [name, bytes] of [['UTF-8', Buffer.from(text)], ['UTF-8 with a mark', marked([0xef, 0xbb, 0xbf], Buffer.from(text))], ['UTF-16 little-endian', marked([0xff, 0xfe], Buffer.from(text, 'utf16le'))],
    ['UTF-16 big-endian', marked([0xfe, 0xff], Buffer.from(text, 'utf16le').swap16())], ['UTF-16 without a mark', Buffer.from('abc;def\nghi;jkl', 'utf16le')]] as const) {
    test(name, async () => assert.deepEqual(await cellsOf(bytes), name.endsWith('without a mark') ? [['ghi', 'jkl']] : [['ä', '😀']]))
  }
  test('fewer cells are empty ones, names without cells go', async () => assert.deepEqual(await read('a,b,,\n1'), { columns: ['a', 'b'], rows: [{ number: 2, cells: { a: '1', b: '' } }] }))
  test('more cells are a mistake of the row', async () => assert.match((await read('a,b\n1,2,3')).rows[0]!.flaw!.message, /more cells than the first row has names/))
  test('old text files of Windows', () => refused(Buffer.from('gr\u00f6\u00dfe\n1', 'latin1'), 'bad_request', /not UTF-8 text.*CSV UTF-8/))
  test('two columns of one name', () => refused('a,b,a\n1,2,3', 'bad_request', /Two columns are called "a"/))
  test('a column without a name', () => refused('a,,c\n1,2,3', 'bad_request', /Column B has no name/))
  test('nothing', () => refused('', 'bad_request', /empty/))
  test('blank names', () => refused(' , ,\n1,2', 'bad_request', /first row is empty/))
  test('a quote that is not closed', () => refused('a,b\n"1,2\n3,4', 'bad_request', /cannot be read as CSV.*quote/))
  test('a quote inside a cell', () => refused('a,b\n1 "x" 2,3', 'bad_request', /cannot be read as CSV/))
  test('too many columns', () => refused(`${Array.from({ length: 201 }, (_, index) => `c${index}`).join(',')}\n`, 'too_large', /200 columns/))
  test('a row without end', () => refused(`a,b\n${'x'.repeat(2_200_000)},2`, 'too_large', /longer than/, {}, 65_536))
  test('a picture', () => refused(Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a, 0, 0]), 'unsupported_media', /not a table/))
  test('bytes that are no text', () => refused(Buffer.from([0x61, 0, 0, 0, 0x62, 1, 2, 3, 0, 0, 0, 0]), 'unsupported_media', /not text/))
  test('an old workbook', () => refused(Buffer.from([0xd0, 0xcf, 0x11, 0xe0, 0xa1, 0xb1, 0x1a, 0xe1]), 'unsupported_media', /\.xls/))
  test('an OpenDocument table', async () => refused(await pack({ mimetype: 'application/vnd.oasis.opendocument.spreadsheet', 'content.xml': '<x/>' }), 'unsupported_media', /OpenDocument.*\.xlsx/))
  test('a binary workbook', async () => refused(await pack({ 'xl/workbook.bin': 'x' }), 'unsupported_media', /binary workbook/))
  test('a page that calls itself a workbook', () => refused('<html><body><table><tr><td>prompt</td></tr></table></body></html>', 'unsupported_media', /web page/))
  test('a sheet of what has none', () => refused('a\n1', 'bad_request', /Only a workbook/, { sheet: 'x' }))
})

describe('json lines', () => {
  test('objects, blank lines, a mark', async () => assert.deepEqual((await read('\ufeff{"a":1}\n\n{"b":[true], " c  d ":"x"}\n')).rows, [{ number: 1, cells: { a: 1 } }, { number: 3, cells: { b: [true], 'c d': 'x' } }]))
  test('a line that is broken is its own mistake', async () => {
    const { rows } = await read('{"a":1}\n{"a":\n[1]\n{"a":3}')
    assert.deepEqual(rows.map(row => [row.number, row.flaw !== undefined]), [[1, false], [2, true], [3, true], [4, false]])
    assert.match(rows[1]!.flaw!.message, /not JSON/)
  })
  test('a list', () => refused('[{"a":1}]', 'bad_request', /JSON list/))
  test('a line without end', () => refused(`{"a":"${'x'.repeat(2_200_000)}"}`, 'too_large', /Line 1 is longer/, {}, 65_536))
})

describe('xlsx', () => {
  test('text, numbers, truth, dates, formulas with their value', async () => {
    const bytes = await workbook([['prompt', 'seed', 'ok', 'day', 'sum'], null, ['a <mug> & co', 7.5, true, { date: 45_000 }, { formula: 'A1&"x"', value: 'cached' }], [{ inline: 'two_x000D_lines' }, null, false, { date: 45_000.5 }, '']])
    assert.deepEqual(await read(bytes, {}, 64), { columns: ['prompt', 'seed', 'ok', 'day', 'sum'], rows: [
      { number: 3, cells: { prompt: 'a <mug> & co', seed: 7.5, ok: true, day: '2023-03-15', sum: 'cached' } },
      { number: 4, cells: { prompt: 'two\rlines', seed: '', ok: false, day: '2023-03-15T12:00:00', sum: '' } }] })
  })
  test('the first sheet that is not hidden, or one by name; whatever prefix the writer likes', async () => {
    const bytes = await pack(workbookParts([{ name: 'Old', rows: [['a'], ['hidden']], hidden: true }, { name: 'Now', rows: [['a'], ['now']] }, { name: 'Then', rows: [['a'], ['then']] }], { prefix: 'x:' }))
    assert.deepEqual(await cellsOf(bytes), [['now']])
    assert.deepEqual(await cellsOf(bytes, { sheet: 'Then' }), [['then']])
    assert.deepEqual((await open(bytes)).sheets, ['Old', 'Now', 'Then'])
    await refused(bytes, 'bad_request', /no sheet "Never".*Old, Now, Then/, { sheet: 'Never' })
  })
  for (const [name, cell, words] of [['a formula that was never reckoned', { formula: 'A1' }, /never reckoned/], ['an error', { error: '#REF!' }, /#REF!/]] as const) {
    test(name, async () => {
      const { flaw } = (await read(await workbook([['a', 'b'], ['x', cell]]))).rows[0]!
      assert.equal(flaw!.column, 'b')
      assert.match(flaw!.message, words)
    })
  }
  test('cells far to the right', async () => refused(await workbook([['a'], [...Array.from({ length: 200 }, () => null), 'x']]), 'too_large', /column GS/))
  test('an empty one', async () => refused(await workbook([]), 'bad_request', /is empty/))
  test('any other archive', async () => refused(await pack({ 'readme.txt': 'x' }), 'unsupported_media', /not an Excel workbook/))
  test('half of one', async () => refused((await workbook([['a'], ['b']])).subarray(0, 300), 'bad_request', /not a whole ZIP/))
  const parts = () => workbookParts([{ name: 'S', rows: [['a'], ['b']] }])
  test('XML that is broken', async () => refused(await pack({ ...parts(), 'xl/worksheets/sheet1.xml': '<worksheet><sheetData><row r="1">' }), 'bad_request', /XML is not in order/))
  const bomb = '<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;">]>'
  for (const part of ['xl/sharedStrings.xml', 'xl/worksheets/sheet1.xml', 'xl/workbook.xml', 'xl/styles.xml']) {
    test(`entities in ${part}`, async () => { const all = parts(); await refused(await pack({ ...all, [part]: all[part]!.replace('?>\n', `?>${bomb}`) }), 'bad_request', /document type/) })
  }
  test('an entity nobody declared', async () => refused(await pack({ ...parts(), 'xl/sharedStrings.xml': '<sst><si><t>&file;</t></si></sst>' }), 'bad_request', /XML is not in order/))
  test('an archive that unpacks to more than it says', async () => {
    const { ['xl/worksheets/sheet1.xml']: _page, ...rest } = parts()
    const large = Buffer.alloc(3_000_000, ' ')
    await refused(packedArchive(rest, { name: 'xl/worksheets/sheet1.xml', bytes: large, claims: 1_000 }), 'bad_request', /XML is not in order|cannot be unpacked/)
  })
  test('an archive that unpacks to gigabytes and says so', async () => {
    const { ['xl/worksheets/sheet1.xml']: _page, ...rest } = parts()
    await refused(packedArchive(rest, { name: 'xl/worksheets/sheet1.xml', bytes: Buffer.from('x'), claims: 3_000_000_000 }), 'too_large', /unpacks to more/)
  })
  test('a row of long texts', async () => refused(await workbook([['a', 'b', 'c'], Array.from({ length: 3 }, () => 'x'.repeat(1_000_000))]), 'too_large', /Row 2 is longer/))
  test('texts that unpack to more than is taken', async () => {
    const { ['xl/sharedStrings.xml']: _strings, ...rest } = parts()
    const large = Buffer.concat([Buffer.from('<sst><si><t>'), Buffer.alloc(70 * 1024 * 1024, 'a'), Buffer.from('</t></si></sst>')])
    await refused(packedArchive(rest, { name: 'xl/sharedStrings.xml', bytes: large, claims: large.length }), 'too_large', /unpacks to more/)
  })
})

test('columns as a spreadsheet calls them', () => assert.deepEqual([0, 25, 26, 701, 702].map(letterOf), ['A', 'Z', 'AA', 'ZZ', 'AAA']))
test('what a spreadsheet would run is defused; numbers stay', () => {
  assert.equal(writeRow(['=1+1', '+cmd', '-2', '@x', '\tx', 'a"b', 'x,y', '-cmd|x', null, 3, true, '1\n2']), `'=1+1,'+cmd,-2,'@x,"'\tx","a""b","x,y",'-cmd|x,,3,true,"1\n2"\r\n`)
})

describe('a workbook that is written', () => {
  const written = async (columns: string[], rows: WorkbookCell[][]) => Buffer.from(await new Response(writeWorkbook({ sheet: 'A & "B"', columns, wide: [], rows: (async function* () { yield* rows })(), at: new Date(0) })).arrayBuffer())
  const back = async (...cells: WorkbookCell[]) => Object.values((await read(await written(cells.map((_, index) => `c${index}`), [cells]), {}, 4_096)).rows[0]!.cells)
  const same = (title: string, ...cells: (string | number | boolean)[]) => test(`reads back as it was: ${title}`, async () => assert.deepEqual(await back(...cells), cells))
  same('texts, numbers, truth', 'a <mug> & "co"', 7.5, -1e21, true, false)
  same('what looks like numbers, dates and formulas', '007', '1e3', '2026-01-31', '=HYPERLINK("x")', '+1', '@a', '-')
  same('line ends, tabs, blanks around', 'two\nlines', 'two\r\nlines', '\ttab', '  blanks  ')
  same('letters that XML has no place for, and what looks like their numbers', '\u0001\u001f\u000b', 'a_x0041_b', '_x000D_', '_x', '\ufffe', '\u{1f98a}')
  test('keeps its names, and what is to be looked at', async () => {
    assert.deepEqual((await read(await written(['a', 'b'], [[{ look: 'x' }, { look: 7 }], [{ look: null }, { look: '' }], [null, 'y']]), {}, 4_096)), { columns: ['a', 'b'], rows: [{ number: 2, cells: { a: 'x', b: 7 } }, { number: 4, cells: { a: '', b: 'y' } }] })
    assert.deepEqual((await open(await written(['a'], []))).sheets, ['A & "B"'])
  })
  test('cuts what no spreadsheet program would take', async () => assert.equal(String((await back('x'.repeat(cellMax + 1)))[0]).length, cellMax))
})

test('whoever reads a long table lets others in', async () => {
  const words = 'a mug that is red, '.repeat(10)
  const rows = [Array.from({ length: 21 }, (_, index) => `c${index}`), ...Array.from({ length: 1_500 }, (_, row) => [`mug ${row}`, ...Array.from({ length: 20 }, () => words)])]
  const csv = Buffer.from(rows.map(row => row.map(cell => `"${cell}"`).join(',')).join('\n'))
  const blank = Buffer.concat([Buffer.from('{"a":1}\n'), Buffer.alloc(200_000, '\n'), Buffer.from('{"a":2}\n')])
  for (const [what, bytes] of [['a workbook that is not packed', await workbook(rows)], ['csv', csv], ['lines with nothing on them', blank]] as const) {
    let turns = 0
    let isOver = false
    const turn = () => { turns++; if (!isOver) setImmediate(turn) }
    setImmediate(turn)
    await read(bytes, {}, 4_000_000).finally(() => { isOver = true })
    // Each takes a good part of a second, and waiting for what is there already lets nobody in.
    assert.ok(turns > 10, `${what}: ${turns}`)
  }
})
