/**
 * Where workflows may put what they make: a folder and a bucket that the operator opened.
 *
 * Everything stands under mode and project (`live/<project>/…`), so that nobody writes over somebody else's. A path keeps to that place; a
 * file is there whole or not at all, and writing it again changes nothing. Absent on purpose: deleting, and credentials from anywhere but
 * the settings.
 */
import { constants } from 'node:fs'
import { lstat, mkdir, open, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { S3mini } from 's3mini'
import { asProblem, Problem } from './domain/problem.ts'
import type { PublishTo } from './nodes/contract.ts'
import { newId } from './kit/id.ts'

export interface PublishOptions {
  /** A folder of this machine; null where none is opened. */
  folder: string | null
  /** How the world reaches that folder, where a web server shows it. */
  folderUrl: string | null
  s3: { endpoint: string; region: string; accessKeyId: string; secretAccessKey: string; url: string | null } | null
  /** May reach the bucket's address, and no private one besides. */
  fetch: typeof globalThis.fetch
}

export interface Publish {
  (to: PublishTo, owner: { projectId: string; livemode: boolean }, path: string, bytes: Uint8Array, mime: string): Promise<string>
  /** Whether something may be written there, without writing it. @throws {Problem} `bad_request` */
  check(to: PublishTo, path: string): void
}

export function createPublish({ folder, folderUrl, s3, fetch }: PublishOptions): Publish {
  const bucket = s3 && new S3mini({ ...s3, fetch })
  const check = (to: PublishTo, path: string): void => {
    if (to === 'folder' && folder === null) throw new Problem('bad_request', 'This server has no folder to publish to. Its operator sets PLANTAIN_PUBLISH_DIR.', { field: 'to' })
    if (to === 's3' && bucket === null) throw new Problem('bad_request', 'This server has no bucket to publish to. Its operator sets PLANTAIN_PUBLISH_S3_ENDPOINT and its keys.', { field: 'to' })
    segmentsOf(path)
  }
  const publish = async (to: PublishTo, owner: { projectId: string; livemode: boolean }, path: string, bytes: Uint8Array, mime: string): Promise<string> => {
    check(to, path)
    const key = [owner.livemode ? 'live' : 'test', owner.projectId.replaceAll('-', ''), ...segmentsOf(path)]
    if (to === 'folder') {
      await write(folder!, key, bytes)
      return addressOf(folderUrl, key) ?? key.join('/')
    }
    await bucket!.putObject(key.join('/'), bytes, mime).catch((thrown: unknown) => { throw readFailure(thrown) })
    return addressOf(s3!.url ?? s3!.endpoint, key)!
  }
  return Object.assign(publish, { check })
}

/** The names a path is made of, none of which leads elsewhere. @throws {Problem} `bad_request` */
export function segmentsOf(path: string): string[] {
  const segments = path.split('/')
  const bad = segments.find(name => name === '' || name.startsWith('.') || Buffer.byteLength(name) > 200 || /[\\\p{Cc}<>:"|?*]/u.test(name) || !name.isWellFormed() || name !== name.trim())
  if (bad === undefined && Buffer.byteLength(path) <= 700) return segments.map(name => name.normalize('NFC'))
  throw new Problem('bad_request', `${JSON.stringify(path.slice(0, 100))} is no path to publish to. Names with / between them, up to 200 bytes each and 700 in all, none of them empty or beginning with a dot, without \\ : * ? " < > |.`, { field: 'path', value: path.slice(0, 100) })
}

const addressOf = (base: string | null, key: string[]): string | null => base === null ? null : `${base.replace(/\/+$/, '')}/${key.map(encodeURIComponent).join('/')}`

/** Beside its place first, then there in one move: whoever looks sees the old file or the new one. */
async function write(root: string, key: string[], bytes: Uint8Array): Promise<void> {
  let parent = root
  await mkdir(root, { recursive: true })
  for (const name of key.slice(0, -1)) {
    parent = join(parent, name)
    await mkdir(parent).catch((error: NodeJS.ErrnoException) => { if (error.code !== 'EEXIST') throw error })
    // A link in the folder would lead out of it.
    if (!(await lstat(parent)).isDirectory()) throw new Problem('bad_request', `${name} is no folder in the place to publish to. Take another path.`, { field: 'path' })
  }
  const place = join(parent, key.at(-1)!)
  const beside = join(parent, `.${newId()}.part`)
  try {
    const handle = await open(beside, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL, 0o644)
    try {
      await handle.writeFile(bytes)
      await handle.sync()
    } finally { await handle.close() }
    await rename(beside, place)
  } catch (error) {
    await rm(beside, { force: true })
    if ((error as NodeJS.ErrnoException).code === 'EISDIR' || (error as NodeJS.ErrnoException).code === 'ENOTEMPTY') throw new Problem('bad_request', `There is a folder at ${key.at(-1)}. Take another path.`, { field: 'path' })
    throw error
  }
}

function readFailure(thrown: unknown): unknown {
  if (thrown instanceof Problem) return thrown
  const { status, serviceCode } = thrown as { status?: number; serviceCode?: string }
  if (typeof status !== 'number') return asProblem(thrown)
  const problem = status >= 500 ? 'provider_down' : 'provider_rejected'
  return new Problem(problem, `The bucket answered ${status}${serviceCode && serviceCode !== 'Unknown' ? ` (${serviceCode})` : ''}. ${status === 403 || status === 401 ? 'Its operator looks at the keys and what they may write.' : status === 404 ? 'Its operator looks at the endpoint, which ends with the bucket.' : 'Try again later.'}`, { upstreamCode: String(status), cause: thrown })
}
