/** Says what bytes are by how they begin, never by what somebody calls them. Pure. */
import { isUtf8 } from 'node:buffer'

export const imageMimes = ['image/png', 'image/jpeg', 'image/webp', 'image/gif', 'image/avif'] as const
export const videoMimes = ['video/mp4', 'video/quicktime', 'video/webm'] as const
/** Sounds are taken where somebody asks for them: a workflow, an upload of our own. */
export const soundMimes = ['audio/wav', 'audio/mpeg', 'audio/ogg', 'audio/mp4'] as const
export type ImageMime = (typeof imageMimes)[number]
export type VideoMime = (typeof videoMimes)[number]
export type SoundMime = (typeof soundMimes)[number]
export type Mime = ImageMime | VideoMime | SoundMime

export type Sniffed = { kind: 'image'; mime: ImageMime } | { kind: 'video'; mime: VideoMime } | { kind: 'refused'; what: string }

/** How many bytes `sniff` wants to see. */
export const sniffBytes = 4096

export const extensions: Record<Mime, string> = {
  'image/png': 'png', 'image/jpeg': 'jpg', 'image/webp': 'webp', 'image/gif': 'gif', 'image/avif': 'avif', 'video/mp4': 'mp4', 'video/quicktime': 'mov', 'video/webm': 'webm',
  'audio/wav': 'wav', 'audio/mpeg': 'mp3', 'audio/ogg': 'ogg', 'audio/mp4': 'm4a',
}

/** Formats people send that we do not take, by name, so that the refusal can say what the file is. */
const known: [what: string, begins: string | RegExp][] = [
  ['a PDF document', '%PDF-'],
  ['a ZIP archive or office document', 'PK\x03\x04'],
  ['an empty ZIP archive', 'PK\x05\x06'],
  ['a gzip archive', '\x1f\x8b'],
  ['a RAR archive', 'Rar!'],
  ['a 7z archive', '7z\xbc\xaf'],
  ['a BMP picture', /^BM.{4}\0\0\0\0/s],
  ['a TIFF or camera raw picture', 'II*\0'],
  ['a TIFF or camera raw picture', 'MM\0*'],
  ['a Windows icon', '\0\0\x01\0'],
  ['a Photoshop document', '8BPS'],
  ['a JPEG XL picture', '\xff\x0a'],
  ['a JPEG XL picture', '\0\0\0\x0cJXL '],
  ['a JPEG 2000 picture', '\0\0\0\x0cjP  '],
  ['an AVI film', /^RIFF.{4}AVI /s],
  ['a WAV sound', /^RIFF.{4}WAVE/s],
  ['an MP3 sound', 'ID3'],
  ['an Ogg file', 'OggS'],
  ['a FLAC sound', 'fLaC'],
  ['an FLV film', 'FLV\x01'],
  ['a program', '\x7fELF'],
  ['a program', /^MZ.{58}/s],
  ['a font', 'wOF'],
  ['a PostScript document', '%!PS'],
  ['a netpbm picture', /^P[1-7][\s#]/],
  ['JSON text', /^\s*[[{]/],
]

export function sniff(head: Uint8Array): Sniffed {
  const bytes = Buffer.from(head.buffer, head.byteOffset, Math.min(head.byteLength, sniffBytes))
  if (bytes.length === 0) return { kind: 'refused', what: 'nothing at all' }
  const text = bytes.toString('latin1')
  const image = (mime: ImageMime): Sniffed => ({ kind: 'image', mime })
  const video = (mime: VideoMime): Sniffed => ({ kind: 'video', mime })
  const refused = (what: string): Sniffed => ({ kind: 'refused', what })

  if (text.startsWith('\x89PNG\r\n\x1a\n')) return image('image/png')
  if (text.startsWith('\xff\xd8\xff')) return image('image/jpeg')
  if (text.startsWith('GIF87a') || text.startsWith('GIF89a')) return image('image/gif')
  if (/^RIFF.{4}WEBP/s.test(text)) return image('image/webp')
  if (text.slice(4, 8) === 'ftyp') return readBrands(bytes)
  if (/^.{4}(moov|mdat|wide|free|skip)/s.test(text)) return video('video/quicktime')
  if (text.startsWith('\x1a\x45\xdf\xa3')) return text.slice(0, 64).includes('webm') ? video('video/webm') : refused('a Matroska film')

  const found = known.find(([, begins]) => typeof begins === 'string' ? text.startsWith(begins) : begins.test(text))
  if (found) return refused(found[0])
  const written = text.replace(/^\xef\xbb\xbf/, '').replace(/^\xff\xfe|^\xfe\xff/, '').replaceAll('\0', '')
  if (/<svg[\s>]|<!DOCTYPE svg/i.test(written)) return refused('an SVG drawing')
  if (/^\s*(<!--.*?-->\s*)*<(!doctype html|html|head|body|script|title|meta|div|p|h1|a|iframe|table|!--)/is.test(written)) return refused('a web page')
  if (/^\s*<\?xml|^\s*<[a-z]/i.test(written)) return refused('XML text')
  return refused(isUtf8(bytes) && bytes.every(byte => byte >= 0x20 || byte === 9 || byte === 10 || byte === 13) ? 'text' : 'no kind of file we know')
}

/** What sound bytes are, for those who take any; null for everything else. */
export function sniffSound(head: Uint8Array): SoundMime | null {
  const text = Buffer.from(head.buffer, head.byteOffset, Math.min(head.byteLength, 64)).toString('latin1')
  if (/^RIFF.{4}WAVE/s.test(text)) return 'audio/wav'
  // An MP3 begins with its tag, or with the eleven set bits and the layer of its first frame.
  if (text.startsWith('ID3') || /^\xff[\xf2\xf3\xfa\xfb]/.test(text)) return 'audio/mpeg'
  if (text.startsWith('OggS')) return 'audio/ogg'
  return text.slice(4, 8) === 'ftyp' && /^M4[AB] /.test(text.slice(8)) ? 'audio/mp4' : null
}

/** ISO base media files say what they are in a list of four-letter brands. */
function readBrands(bytes: Buffer): Sniffed {
  const end = Math.min(bytes.length, Math.max(16, bytes.readUInt32BE(0)))
  const brands = [bytes.toString('latin1', 8, 12)]
  for (let at = 16; at + 4 <= end; at += 4) brands.push(bytes.toString('latin1', at, at + 4))
  const major = brands[0]!
  if (brands.some(brand => brand === 'avif' || brand === 'avis')) return { kind: 'image', mime: 'image/avif' }
  if (brands.some(brand => /^(heic|heix|heim|heis|hevc|hevx|mif1|msf1)$/.test(brand))) return { kind: 'refused', what: 'a HEIC picture' }
  if (major === 'qt  ') return { kind: 'video', mime: 'video/quicktime' }
  if (/^M4[AB] /.test(major)) return { kind: 'refused', what: 'an MPEG-4 sound' }
  if (brands.some(brand => /^(iso[2-9a]|isom|mp4[12]|M4V |avc1|dash|3gp[4-9]|MSNV|cmfc)$/.test(brand))) return { kind: 'video', mime: 'video/mp4' }
  return { kind: 'refused', what: 'a media file of a kind we do not know' }
}
