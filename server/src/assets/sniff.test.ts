import assert from 'node:assert/strict'
import { test } from 'node:test'
import { sniff, sniffSound } from './sniff.ts'

const ftyp = (major: string, ...others: string[]) => {
  const brands = Buffer.from(`ftyp${major}\0\0\0\0${others.join('')}`, 'latin1')
  const bytes = Buffer.concat([Buffer.alloc(4), brands])
  bytes.writeUInt32BE(bytes.length, 0)
  return bytes.toString('latin1')
}
const taken: [string, string][] = [
  ['\x89PNG\r\n\x1a\n', 'image/png'], ['\xff\xd8\xff\xe0', 'image/jpeg'], ['GIF87a', 'image/gif'], ['GIF89a', 'image/gif'], ['RIFF\x10\0\0\0WEBPVP8 ', 'image/webp'],
  [ftyp('avif', 'mif1', 'miaf'), 'image/avif'], [ftyp('mif1', 'avif'), 'image/avif'], [ftyp('avis', 'avif'), 'image/avif'],
  [ftyp('isom', 'iso2', 'avc1', 'mp41'), 'video/mp4'], [ftyp('mp42'), 'video/mp4'], [ftyp('qt  '), 'video/quicktime'], ['\0\0\0\x08wide\0\0\0\0mdat', 'video/quicktime'],
  ['\x1a\x45\xdf\xa3\x9fB\x86\x81\x01B\xf7\x81\x01B\xf2\x81\x04B\xf3\x81\x08B\x82\x84webm', 'video/webm'],
]
const refused: [string, RegExp][] = [
  ['', /nothing at all/], ['<svg xmlns="http://www.w3.org/2000/svg">', /SVG/], ['<?xml version="1.0"?><!-- x --><svg ', /SVG/], ['\xef\xbb\xbf  <SVG >', /SVG/], ['\xff\xfe<\0s\0v\0g\0 \0', /SVG/],
  ['<!DOCTYPE html><html>', /web page/], ['\n <html lang="en">', /web page/], ['<!-- hi --><head>', /web page/], ['<script>alert(1)</script>', /web page/], ['<rss version="2.0">', /XML/],
  ['%PDF-1.7', /PDF/], ['PK\x03\x04', /ZIP/], ['\x1f\x8b\x08', /gzip/], ['Rar!\x1a\x07', /RAR/], ['BM\x36\0\0\0\0\0\0\0', /BMP/], ['II*\0', /TIFF/], ['MM\0*', /TIFF/], ['\0\0\x01\0', /icon/],
  ['8BPS', /Photoshop/], ['\xff\x0a', /JPEG XL/], [ftyp('heic', 'mif1'), /HEIC/], [ftyp('mif1', 'heic'), /HEIC/], [ftyp('M4A '), /sound/], [ftyp('zzzz'), /do not know/],
  ['RIFF\x10\0\0\0AVI LIST', /AVI/], ['RIFF\x10\0\0\0WAVEfmt ', /WAV/], ['ID3\x03', /MP3/], ['OggS', /Ogg/], ['\x7fELF', /program/], [`MZ${'\0'.repeat(60)}`, /program/],
  ['\x1a\x45\xdf\xa3\x01\x00matroska', /Matroska/], ['{"error":"no"}', /JSON/], ['just words', /text/], ['\0\0\0\0\0\0\0\0', /no kind of file/], ['\x89PNG\n', /no kind of file/], ['\xff\xd8', /no kind of file/],
  ['#!/bin/sh', /text/], ['P6 1 1 255 ', /netpbm/], ['ftyp', /text/], ['\0\0\0\x08ftyp', /do not know/],
]

test('pictures and films are known by how they begin', () => {
  for (const [head, mime] of taken) { const found = sniff(Buffer.from(head, 'latin1')); assert.equal('mime' in found ? found.mime : found.what, mime) }
})

test('everything else is called by its name', () => {
  for (const [head, what] of refused) { const found = sniff(Buffer.from(head, 'latin1')); assert.match('what' in found ? found.what : found.mime, what, JSON.stringify(head)) }
})

test('a view into a larger buffer is read from its own beginning', () => {
  assert.deepEqual(sniff(new Uint8Array(Buffer.from('xxGIF89a')).subarray(2)), { kind: 'image', mime: 'image/gif' })
})

const sounds: [string, string | null][] = [
  ['RIFF\x10\0\0\0WAVEfmt ', 'audio/wav'], ['ID3\x03', 'audio/mpeg'], ['\xff\xfb\x90\x64', 'audio/mpeg'], ['OggS', 'audio/ogg'], [ftyp('M4A '), 'audio/mp4'],
  ['\xff\xd8\xff\xe0', null], ['RIFF\x10\0\0\0WEBPVP8 ', null], [ftyp('isom'), null], ['', null], ['fLaC', null],
]
for (const [bytes, mime] of sounds) test(`${JSON.stringify(bytes.slice(0, 12))} is ${mime ?? 'no sound we take'}`, () => assert.equal(sniffSound(Buffer.from(bytes, 'latin1')), mime))
