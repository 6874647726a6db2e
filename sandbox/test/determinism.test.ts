import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { readFileSync, readdirSync } from 'node:fs'
import { test } from 'node:test'
import { paint } from '../src/compose.ts'
import { readPixels } from '../src/kernel/canvas.ts'
import { plan } from '../src/plan/plan.ts'

const folder = new URL('../src/', import.meta.url)

/** Sources without their comments: those may name what the code may not. */
const sources = readdirSync(folder, { recursive: true, encoding: 'utf8' })
  .filter((name) => name.endsWith('.ts') && !name.endsWith('.test.ts'))
  .map((name) => ({ name, text: readFileSync(new URL(name, folder), 'utf8').replace(/\/\*[\s\S]*?\*\/|(?<=\s|^)\/\/.*$/gm, '') }))

const forbidden: [what: string, pattern: RegExp][] = [
  ["V8's own sine, power and the like, which differ between processors and versions", /\bMath\.(?:a?sinh?|a?cosh?|a?tanh?|atan2|exp|expm1|pow|log1p|log2|log10)\b/],
  ['chance without a seed', /\bMath\.random\b|\brandomUUID\b|\brandomBytes\b/],
  ['powers other than squares', /\*\*\s*(?!2\b)[\w.(]/],
  ["Skia's radial and conic gradients", /\bcreate(?:Radial|Conic)Gradient\b/],
  ["Skia's blend modes", /globalCompositeOperation\s*=\s*'(?:screen|multiply|overlay|lighter|lighten|darken|soft-light|hard-light|color-dodge|color-burn|difference|exclusion|hue|saturation|color|luminosity)'/],
]

/** The worker pool and the service's own timing may look at the clock; what draws may not. */
const clock = /\bDate\.now\b|\bnew Date\(\)|\bperformance\.now\b/

test('the sources are read', () => assert.ok(sources.length > 50))

for (const [what, pattern] of forbidden) {
  test(`no source uses ${what}`, () => {
    assert.deepEqual(sources.filter(({ text }) => pattern.test(text)).map(({ name, text }) => `${name}: ${pattern.exec(text)![0]}`), [])
  })
}

test('nothing that draws looks at the clock', () => {
  const drawing = sources.filter(({ name }) => /^(?:kernel|plan|scenes|subjects|layouts|type|styles|compose)/.test(name))
  assert.deepEqual(drawing.filter(({ text }) => clock.test(text)).map(({ name }) => name), [])
})

const hash = (prompt: string, seed?: number, variation?: number): string => {
  const canvas = paint(plan(prompt, { width: 96, height: 96, seed, variation }), 96, 96)
  return createHash('sha256').update(readPixels(canvas)).digest('hex')
}

const prompts = ['a dog in a meadow', 'a red bicycle in the city at night, rain', 'poster that says "HELLO" in gold art-deco letters', 'watercolor of a lake', 'a robot in space', 'logo for "Acme"']

for (const prompt of prompts) test(`"${prompt}" is the same picture twice`, () => assert.equal(hash(prompt), hash(prompt)))

test('another seed, and another variation, is another picture', () => {
  assert.equal(new Set([hash('a dog in a meadow', 1), hash('a dog in a meadow', 2), hash('a dog in a meadow', 1, 1)]).size, 3)
})
