/** Copies the woff2 chunks we set type with, and writes down which code points each one covers. */
import { copyFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

/** Package, weight, and which of its chunks to take (absent: all). */
const families: { name: string; weight: number; only?: RegExp }[] = [
  { name: 'anton', weight: 400 },
  { name: 'cinzel', weight: 700 },
  { name: 'inter', weight: 400 },
  { name: 'inter', weight: 700 },
  { name: 'limelight', weight: 400 },
  { name: 'monoton', weight: 400 },
  { name: 'oswald', weight: 700 },
  { name: 'pacifico', weight: 400 },
  { name: 'permanent-marker', weight: 400 },
  { name: 'playfair-display', weight: 700 },
  { name: 'press-start-2p', weight: 400 },
  { name: 'noto-sans', weight: 700, only: /^(latin|cyrillic|greek|vietnamese)/ },
  { name: 'noto-sans-arabic', weight: 700, only: /^arabic$/ },
  { name: 'noto-sans-bengali', weight: 700, only: /^bengali$/ },
  { name: 'noto-sans-devanagari', weight: 700, only: /^devanagari$/ },
  { name: 'noto-sans-hebrew', weight: 700, only: /^hebrew$/ },
  { name: 'noto-sans-tamil', weight: 700, only: /^tamil$/ },
  { name: 'noto-sans-thai', weight: 700, only: /^thai$/ },
  { name: 'noto-sans-sc', weight: 700, only: /^\d+$/ },
  { name: 'noto-sans-jp', weight: 700, only: /^\d+$/ },
  { name: 'noto-sans-kr', weight: 700, only: /^\d+$/ },
]

export function copyFonts(packages: string, assets: string) {
  const index: Record<string, { file: string; ranges: number[][] }[]> = {}
  let sizeBytes = 0
  for (const { name, weight, only } of families) {
    const folder = join(packages, '@fontsource', name)
    const coverage = JSON.parse(readFileSync(join(folder, 'unicode.json'), 'utf8')) as Record<string, string>
    const chunks = index[`${name}-${weight}`] = []  as { file: string; ranges: number[][] }[]
    mkdirSync(join(assets, 'fonts', name), { recursive: true })
    for (const [key, list] of Object.entries(coverage)) {
      const chunk = key.replaceAll(/[[\]]/g, '')
      const source = join(folder, 'files', `${name}-${chunk}-${weight}-normal.woff2`)
      if ((only && !only.test(chunk)) || !existsSync(source)) continue
      const file = `${name}/${chunk}-${weight}.woff2`
      copyFileSync(source, join(assets, 'fonts', file))
      sizeBytes += readFileSync(source).length
      chunks.push({ file, ranges: list.split(',').map(readRange) })
    }
  }
  writeFileSync(join(assets, 'fonts.json'), JSON.stringify(index))
  return sizeBytes
}

/** "U+1f304-1f308" → [0x1f304, 0x1f308] */
function readRange(text: string): number[] {
  const [first, last = first] = text.trim().replace(/^U\+/i, '').split('-')
  return [Number.parseInt(first!, 16), Number.parseInt(last!, 16)]
}
