import assert from 'node:assert/strict'
import { test } from 'node:test'
import { pixelsMax, sideMax, sideMin } from '@plantain/sandbox'
import { sizeOf, tables } from '../../catalog/pixels.ts'

const ratios = ['1:1', '2:3', '3:2', '3:4', '4:3', '4:5', '5:4', '9:16', '16:9', '21:9', '9:21', '1:2', '2:1', '1:3', '3:1', '1:4', '4:1', '1:8', '8:1']
const resolutions = [null, '512', '1K', '2K', '4K']

for (const table of Object.keys(tables).filter(name => !name.startsWith('video'))) {
  test(`the renderer can draw every size of ${table}`, () => {
    for (const aspectRatio of ratios) for (const resolution of resolutions) {
      const { width, height } = sizeOf({ table, aspectRatio, resolution, ratios: [], first: null })!
      assert.ok(Math.max(width, height) <= sideMax && Math.min(width, height) >= sideMin && width * height <= pixelsMax, `${aspectRatio} at ${resolution}: ${width}x${height}`)
    }
  })
}
