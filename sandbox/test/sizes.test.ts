import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { test } from 'node:test'
import { promisify } from 'node:util'
import sharp from 'sharp'
import { RenderError, pixelsMax, sideMax } from '../src/contract.ts'
import { paint } from '../src/compose.ts'
import { plan } from '../src/plan/plan.ts'
import { generate } from './pictures.ts'

/** The longest shapes a 4K catalogue entry has, and the plain ones. */
for (const [width, height] of [[12_288, 1536], [1536, 12_288], [5504, 3072], [4096, 4096], [16, 12_288]] as const) {
  test(`${width}x${height} comes out as large as asked`, async () => {
    const { bytes } = await generate('app icon of an apple', { width, height, format: 'jpeg' })
    const { width: w, height: h } = await sharp(bytes, { limitInputPixels: pixelsMax }).metadata()
    assert.deepEqual([w, h], [width, height])
  })
}

for (const [width, height] of [[sideMax + 1, 16], [15, 64], [12_288, 1537], [64.5, 64]] as const) {
  test(`${width}x${height} is refused`, () => assert.rejects(generate('a dog', { width, height }), RenderError))
}

test('a film keeps to smaller sides', () => assert.rejects(generate('a dog', { operation: 'video', width: 4097, height: 480, format: 'webp' }), /width must be a whole number between 16 and 4096/))

test('the refusal says what is possible', () => assert.rejects(generate('a dog', { width: 12_288, height: 12_288 }), /18 megapixels/))

const run = promisify(execFile)
const megabytesMax = 700

test(`a 4K panorama takes less than ${megabytesMax} MB`, async () => {
  const script = `
    const { render } = await import(${JSON.stringify(new URL('../src/index.ts', import.meta.url).href)})
    await render({ operation: 'generate', prompt: 'oil painting of a mountain lake', inputs: [], format: 'jpeg', width: 12288, height: 1536, seed: 3 })
    console.log(process.resourceUsage().maxRSS / 1024)`
  const { stdout } = await run(process.execPath, ['--input-type=module', '-e', script])
  assert.ok(Number(stdout) < megabytesMax, `${stdout.trim()} MB`)
})

test('a strip is drawn as quickly as a picture', () => {
  // Of the processor's time: what else the machine does meanwhile is not the strip's fault.
  const millisecondsFor = (width: number, height: number): number => {
    const startedAt = process.cpuUsage()
    paint(plan('a forest', { width, height, seed: 3 }), width, height)
    const { user, system } = process.cpuUsage(startedAt)
    return (user + system) / 1_000
  }
  const picture = Math.min(millisecondsFor(256, 256), millisecondsFor(256, 256))
  assert.ok(millisecondsFor(2048, 16) < picture * 12 + 200)
})
