/** Picks the Noto icons worth shipping: no flags, skin tones, clock faces or keycaps. Code point → SVG body on a 128 grid. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'

interface IconSet { icons: Record<string, { body: string }>; aliases?: Record<string, { parent: string }> }

const skipped = /keycap|input-|-button$|flag-for|^flag-|family|couple|kiss-|people-holding|oclock|thirty|^(man|woman|men|women)-(?!dancing)|person-.*(man|woman)/
const keptButtons = /check-mark-button/

export function buildIcons(packages: string): Record<string, string> {
  const set = JSON.parse(readFileSync(join(packages, '@iconify-json/noto/icons.json'), 'utf8')) as IconSet
  const characters = JSON.parse(readFileSync(join(packages, '@iconify-json/noto/chars.json'), 'utf8')) as Record<string, string>
  const icons: Record<string, string> = {}
  for (const [codePoint, name] of Object.entries(characters)) {
    if ((skipped.test(name) && !keptButtons.test(name)) || /^1f1[ef]|1f3f[b-f]/.test(codePoint)) continue
    const icon = set.icons[name] ?? set.icons[set.aliases?.[name]?.parent ?? '']
    if (icon) icons[codePoint] = icon.body
  }
  return icons
}
