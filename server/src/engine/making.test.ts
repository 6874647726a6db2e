import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Json } from '../domain/outcome.ts'
import { differencesOf } from './making.ts'

const png = (width: number | null, height: number | null, mime = 'image/png') => ({ width, height, mime })
const check = (parameters: Record<string, Json>, blobs: (ReturnType<typeof png> & { seconds?: number })[], expected: string[]) => assert.deepEqual(differencesOf({ width: 1024, height: 768, parameters }, blobs), expected)

test('what came as it was asked needs no word', () => check({ output_format: 'png' }, [png(1024, 768), png(1024, 768)], []))
test('another size is said, once for all that have it', () => check({}, [png(1024, 768), png(512, 384), png(512, 384)], ['1024x768 was asked and 512x384 was made.']))
test('another format is said, by the bytes and not by the name', () => check({ output_format: 'jpeg' }, [png(1024, 768)], ['jpeg was asked and image/png was made; the file is kept as it came.']))
test('jpg and jpeg are one', () => check({ output_format: 'jpg' }, [png(1024, 768, 'image/jpeg')], []))
test('what was left to the upstream is not different', () => {
  check({ size: 'auto' }, [png(1, 1)], [])
  check({ aspect_ratio: 'auto', resolution: '1K' }, [png(1, 1)], [])
  check({ output_format: 'auto' }, [png(1024, 768, 'image/webp')], [])
})
test('a film’s size is not known here', () => check({}, [png(null, null, 'video/mp4')], []))
test('a film that is shorter or longer than it was ordered is said', () => {
  check({ duration_s: 8 }, [{ ...png(null, null, 'video/mp4'), seconds: 4.08 }], ['8 s were asked and 4.1 s were made.'])
  check({ duration_s: 5 }, [{ ...png(null, null, 'video/mp4'), seconds: 5.04 }], [])
  check({}, [{ ...png(null, null, 'video/mp4'), seconds: 5.04 }], [])
})
