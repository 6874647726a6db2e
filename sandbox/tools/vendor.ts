/**
 * Makes `sandbox/assets` anew: `node sandbox/tools/vendor.ts [folder with node_modules]`.
 *
 * Without a folder it installs the packages named in `package.json` beside this file in a temporary one. Nothing of it
 * is needed at run time.
 */
import { execFileSync } from 'node:child_process'
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { brotliCompressSync, constants } from 'node:zlib'
import { copyFonts } from './fonts.ts'
import { buildIcons } from './icons.ts'
import { buildLexicon } from './lexicon.ts'

const assets = join(import.meta.dirname, '../assets')

let home = process.argv[2]
if (!home) {
  home = mkdtempSync(join(tmpdir(), 'plantain-vendor-'))
  copyFileSync(join(import.meta.dirname, 'package.json'), join(home, 'package.json'))
  execFileSync('npm', ['install', '--ignore-scripts', '--no-audit', '--no-fund'], { cwd: home, stdio: 'inherit' })
}
const packages = join(home, 'node_modules')

const pack = (value: unknown) =>
  brotliCompressSync(JSON.stringify(value), { params: { [constants.BROTLI_PARAM_QUALITY]: 11, [constants.BROTLI_PARAM_LGWIN]: 24 } })

for (const part of ['fonts', 'fonts.json', 'icons.json.br', 'lexicon.json.br', 'LICENSES.md']) rmSync(join(assets, part), { recursive: true, force: true })
mkdirSync(assets, { recursive: true })
const fontBytes = copyFonts(packages, assets)
const icons = buildIcons(packages)
const lexicon = buildLexicon(packages, icons)
const iconBytes = pack(icons)
const lexiconBytes = pack(lexicon)
writeFileSync(join(assets, 'icons.json.br'), iconBytes)
writeFileSync(join(assets, 'lexicon.json.br'), lexiconBytes)
writeFileSync(join(assets, 'LICENSES.md'), licences())
const megabytes = (bytes: number) => `${(bytes / 1e6).toFixed(2)} MB`
console.log(`fonts ${megabytes(fontBytes)}; ${Object.keys(icons).length} icons ${megabytes(iconBytes.length)}; ${Object.keys(lexicon.words).length} words ${megabytes(lexiconBytes.length)}`)

/** Names every package the assets came from, with its version, and keeps the licence texts whole. */
function licences(): string {
  const rows: string[] = []
  const texts = new Map<string, string[]>()
  const names = ['@iconify-json/noto', 'cldr-annotations-full', 'emojibase-data', ...readdirSync(join(packages, '@fontsource')).map((name) => `@fontsource/${name}`)]
  const wanted = JSON.parse(readFileSync(join(import.meta.dirname, 'package.json'), 'utf8')).devDependencies as Record<string, string>
  for (const name of names.filter((each) => each in wanted)) {
    const manifest = JSON.parse(readFileSync(join(packages, name, 'package.json'), 'utf8'))
    rows.push(`| ${name} ${manifest.version} | ${typeof manifest.license === 'string' ? manifest.license : 'see below'} | ${whatFor(name)} |`)
    const file = readdirSync(join(packages, name)).find((each) => /^licen[cs]e/i.test(each))
    if (!file) continue
    const text = readFileSync(join(packages, name, file), 'utf8').trim()
    texts.set(text, [...texts.get(text) ?? [], name])
  }
  return [
    '# What lies in this folder, and whose it is', '',
    'Made by `sandbox/tools/vendor.ts` from these packages; the art and the type are used unchanged, the words are a selection.',
    'Noto Emoji art: Copyright Google LLC, Apache-2.0 (https://www.apache.org/licenses/LICENSE-2.0).',
    'CLDR: Copyright Unicode, Inc., Unicode-3.0 (https://www.unicode.org/license.txt).', '',
    '| package | licence | used for |', '| --- | --- | --- |', ...rows, '',
    ...[...texts].flatMap(([text, owners]) => [`## ${owners.join(', ')}`, '', '```', text, '```', '']),
  ].join('\n')
}

function whatFor(name: string): string {
  if (name.startsWith('@fontsource/')) return 'type, woff2 chunks'
  if (name.startsWith('@iconify')) return 'icons'
  return name.startsWith('cldr') ? 'words' : 'which icons are things'
}
