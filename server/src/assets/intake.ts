/** Takes a caller's picture or film in: read with caps, checked, freed of the place it was made at, and durably stored. */
import { createHash, hash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import fs from 'node:fs/promises'
import type { StoredBlob } from '../domain/asset.ts'
import { giveBack } from '../kit/blocks.ts'
import { inTurns } from '../kit/turns.ts'
import type { Upload } from '../protocols/contract.ts'
import type { BlobStore } from './contract.ts'
import { stripLocation } from './location.ts'
import { receive, type Received, type Receiving } from './receive.ts'
import { checkFilm, checkPicture, decodeOnce, upright } from './verify.ts'

export async function takeIn(upload: Upload, store: BlobStore, receiving: Receiving): Promise<StoredBlob> {
  const received = await receive(upload, receiving)
  if (received.kind === 'video') return storeFilm(received, store)
  const { mime, bytes } = received
  try {
    const header = await checkPicture(bytes, mime, receiving.limits)
    const decoded = await decodeOnce(bytes, mime, header, receiving.limits)
    const clean = await inTurns(stripLocation(bytes, mime, header))
    const blob = { sha256: await hashOf(clean), mime, sizeBytes: clean.length, ...upright({ ...decoded, orientation: header.orientation }) }
    await store.put(blob.sha256, clean, { mime })
    return blob
  } finally {
    giveBack(bytes)
  }
}

export async function storeFilm({ file, sizeBytes, mime }: Extract<Received, { kind: 'video' }>, store: BlobStore): Promise<StoredBlob> {
  try {
    const { seconds } = await checkFilm(file, sizeBytes, mime)
    const sum = createHash('sha256')
    for await (const chunk of createReadStream(file)) sum.update(chunk as Buffer)
    const blob = { sha256: sum.digest('hex'), mime, sizeBytes, width: null, height: null, ...(seconds === null ? {} : { seconds }) }
    await store.put(blob.sha256, { file, sizeBytes }, { mime })
    return blob
  } finally {
    await fs.rm(file, { force: true })
  }
}

const pieceBytes = 4 * 1024 * 1024

/** SHA-256 in hexadecimal; large pictures in pieces, so that others get their turn in between. */
export async function hashOf(bytes: Buffer): Promise<string> {
  if (bytes.length <= pieceBytes) return hash('sha256', bytes, 'hex')
  const sum = createHash('sha256')
  for (let at = 0; at < bytes.length; at += pieceBytes) {
    sum.update(bytes.subarray(at, at + pieceBytes))
    await new Promise(resolve => { setImmediate(resolve) })
  }
  return sum.digest('hex')
}
