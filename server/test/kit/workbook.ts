/** Workbooks for tests, as spreadsheet programs write them, and as nobody should. */
import { makeZip } from 'client-zip'
import { deflateRawSync, crc32 } from 'node:zlib'

export type Cell = string | number | boolean | null | { formula: string; value?: string } | { error: string } | { date: number } | { inline: string }

const escape = (text: string) => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;')
const letter = (index: number): string => (index >= 26 ? letter(Math.floor(index / 26) - 1) : '') + String.fromCharCode(65 + index % 26)

export interface SheetSpec { name: string; rows: (Cell[] | null)[]; hidden?: boolean }

/** The parts of a workbook, to be changed before they are packed. */
export function workbookParts(sheets: SheetSpec[], { prefix = '' }: { prefix?: string } = {}): Record<string, string> {
  const strings: string[] = []
  const tag = (name: string) => `${prefix}${name}`
  const cell = (value: Cell, place: string): string => {
    if (value === null) return ''
    if (typeof value === 'string') return `<${tag('c')} r="${place}" t="s"><${tag('v')}>${strings.push(value) - 1}</${tag('v')}></${tag('c')}>`
    if (typeof value === 'number') return `<${tag('c')} r="${place}"><${tag('v')}>${value}</${tag('v')}></${tag('c')}>`
    if (typeof value === 'boolean') return `<${tag('c')} r="${place}" t="b"><${tag('v')}>${value ? 1 : 0}</${tag('v')}></${tag('c')}>`
    if ('formula' in value) return `<${tag('c')} r="${place}" t="str"><${tag('f')}>${escape(value.formula)}</${tag('f')}>${value.value === undefined ? '' : `<${tag('v')}>${escape(value.value)}</${tag('v')}>`}</${tag('c')}>`
    if ('error' in value) return `<${tag('c')} r="${place}" t="e"><${tag('v')}>${value.error}</${tag('v')}></${tag('c')}>`
    if ('date' in value) return `<${tag('c')} r="${place}" s="1"><${tag('v')}>${value.date}</${tag('v')}></${tag('c')}>`
    return `<${tag('c')} r="${place}" t="inlineStr"><${tag('is')}><${tag('t')}>${escape(value.inline)}</${tag('t')}></${tag('is')}></${tag('c')}>`
  }
  const namespace = `xmlns${prefix ? `:${prefix.slice(0, -1)}` : ''}="http://schemas.openxmlformats.org/spreadsheetml/2006/main" xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships"`
  const head = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
  const pages = Object.fromEntries(sheets.map(({ rows }, index) => [`xl/worksheets/sheet${index + 1}.xml`, `${head}<${tag('worksheet')} ${namespace}><${tag('sheetData')}>${rows.map((row, at) => row === null ? '' :
    `<${tag('row')} r="${at + 1}">${row.map((value, column) => cell(value, `${letter(column)}${at + 1}`)).join('')}</${tag('row')}>`).join('')}</${tag('sheetData')}></${tag('worksheet')}>`]))
  return {
    '[Content_Types].xml': `${head}<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types"/>`,
    'xl/workbook.xml': `${head}<${tag('workbook')} ${namespace}><${tag('sheets')}>${sheets.map(({ name, hidden }, index) => `<${tag('sheet')} name="${escape(name)}" sheetId="${index + 1}" r:id="rId${index + 1}"${hidden ? ' state="hidden"' : ''}/>`).join('')}</${tag('sheets')}></${tag('workbook')}>`,
    'xl/_rels/workbook.xml.rels': `${head}<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">${sheets.map((_, index) => `<Relationship Id="rId${index + 1}" Type="http://x/worksheet" Target="worksheets/sheet${index + 1}.xml"/>`).join('')}<Relationship Id="rIdS" Type="http://x/sharedStrings" Target="/xl/sharedStrings.xml"/></Relationships>`,
    'xl/styles.xml': `${head}<styleSheet ${namespace}><numFmts><numFmt numFmtId="164" formatCode="yyyy\\-mm\\-dd"/></numFmts><cellXfs><xf numFmtId="0"/><xf numFmtId="164"/></cellXfs></styleSheet>`,
    ...pages,
    'xl/sharedStrings.xml': `${head}<sst ${namespace}>${strings.map(text => `<si><t>${escape(text)}</t><rPh><t>reading</t></rPh></si>`).join('')}</sst>`,
  }
}

export async function pack(parts: Record<string, string | Uint8Array>): Promise<Buffer> {
  return Buffer.from(await new Response(makeZip(Object.entries(parts).map(([name, input]) => ({ name, input })))).arrayBuffer())
}

export const workbook = (rows: (Cell[] | null)[], name = 'Sheet1'): Promise<Buffer> => pack(workbookParts([{ name, rows }]))

/** An archive whose one large part is packed, and says of itself what it is told to say. */
export function packedArchive(parts: Record<string, string>, large: { name: string; bytes: Buffer; claims: number }): Buffer {
  const files = [...Object.entries(parts).map(([name, text]) => ({ name, raw: Buffer.from(text), claims: null as number | null })), { name: large.name, raw: large.bytes, claims: large.claims as number | null }]
  const locals: Buffer[] = []
  const centrals: Buffer[] = []
  let offset = 0
  for (const { name, raw, claims } of files) {
    const packed = deflateRawSync(raw)
    const size = claims ?? raw.length
    const local = Buffer.alloc(30)
    local.writeUInt32LE(0x04034b50, 0); local.writeUInt16LE(20, 4); local.writeUInt16LE(8, 8)
    local.writeUInt32LE(crc32(raw), 14); local.writeUInt32LE(packed.length, 18); local.writeUInt32LE(size, 22); local.writeUInt16LE(name.length, 26)
    const central = Buffer.alloc(46)
    central.writeUInt32LE(0x02014b50, 0); central.writeUInt16LE(20, 4); central.writeUInt16LE(20, 6); central.writeUInt16LE(8, 10)
    central.writeUInt32LE(crc32(raw), 16); central.writeUInt32LE(packed.length, 20); central.writeUInt32LE(size, 24); central.writeUInt16LE(name.length, 28); central.writeUInt32LE(offset, 42)
    locals.push(local, Buffer.from(name), packed)
    centrals.push(central, Buffer.from(name))
    offset += 30 + name.length + packed.length
  }
  const directory = Buffer.concat(centrals)
  const end = Buffer.alloc(22)
  end.writeUInt32LE(0x06054b50, 0); end.writeUInt16LE(files.length, 8); end.writeUInt16LE(files.length, 10); end.writeUInt32LE(directory.length, 12); end.writeUInt32LE(offset, 16)
  return Buffer.concat([...locals, directory, end])
}
