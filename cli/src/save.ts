import { mkdir, rename, rm } from 'node:fs/promises'
import { createWriteStream } from 'node:fs'
import { dirname, extname, join, relative, resolve } from 'node:path'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { Exit, exitCodes } from './exit.ts'
import type { Remote, TaskView } from './remote.ts'
import { formatBytes, type Terminal } from './terminal.ts'

/** By type; `.bin` where it is another one. */
export const extensionOf = (mime: string): string => extensions[mime] ?? '.bin'
const extensions: Record<string, string> = {
  'image/png': '.png', 'image/jpeg': '.jpg', 'image/webp': '.webp', 'image/gif': '.gif', 'image/avif': '.avif', 'video/mp4': '.mp4', 'video/webm': '.webm',
}
const isFileName = (out: string) => Object.values(extensions).includes(extname(out).toLowerCase()) || extname(out).toLowerCase() === '.jpeg'

/**
 * Where each picture of a task goes. Pure.
 *
 * The end of the id tells tasks apart; its beginning is the time, and the same for a minute. `out` is a folder, or a file where
 * it ends like one (then further pictures get `-2`, `-3`).
 */
export function nameFiles({ id, model, outputs }: Pick<TaskView, 'id' | 'model' | 'outputs'>, out: string | undefined): string[] {
  if (out !== undefined && isFileName(out)) {
    const end = extname(out)
    return outputs.map((_, index) => index === 0 ? out : `${out.slice(0, -end.length)}-${index + 1}${end}`)
  }
  const stem = `${model.replace(/[^A-Za-z0-9._-]+/g, '-').replace(/^[.-]+/, '')}-${id.slice(-8)}`
  return outputs.map(({ mime }, index) => join(out ?? '.', `${stem}-${index + 1}${extensionOf(mime)}`))
}

export interface SavedFile { path: string; width: number | null; height: number | null; bytes: number }

/** Saves what a task made. A file is there whole or not at all. */
export async function saveOutputs(task: TaskView, out: string | undefined, remote: Remote, terminal: Terminal): Promise<SavedFile[]> {
  const names = nameFiles(task, out)
  return await Promise.all(task.outputs.map(async ({ url, width, height }, index) => {
    const path = resolve(terminal.folder, names[index]!)
    return { path, width, height, bytes: await saveFile(url, path, remote, `plantain task wait ${task.id}`) }
  }))
}

/** Saves what a link leads to; says how many bytes it had. `again` is the command that gives a new link. @throws {Exit} */
export async function saveFile(url: string, path: string, remote: Remote, again: string): Promise<number> {
  const response = await remote.download(url)
  if (!response.ok || !response.body) throw new Exit(exitCodes.failed, 'output_expired', `The picture could not be fetched (HTTP ${response.status}). Get a new link with: ${again}`)
  return saveBody(response, path, `; the picture is kept: ${again}`)
}

/** Writes a body into a file, which is there whole or not at all; says how many bytes it had. `kept` goes on where the advice ends. @throws {Exit} `not_saved` */
export async function saveBody({ body }: Response, path: string, kept = '.'): Promise<number> {
  const part = `${path}.${process.pid}.part`
  let bytes = 0
  try {
    await mkdir(dirname(path), { recursive: true })
    await pipeline(Readable.fromWeb(body as Parameters<typeof Readable.fromWeb>[0]), async function* count(parts: AsyncIterable<Uint8Array>) {
      for await (const bit of parts) { bytes += bit.length; yield bit }
    }, createWriteStream(part))
    await rename(part, path)
    return bytes
  } catch (thrown) {
    await rm(part, { force: true })
    const { code, message } = thrown as NodeJS.ErrnoException
    throw new Exit(exitCodes.failed, 'not_saved', `${path} could not be saved (${code ?? message}). Choose another place with --out${kept}`)
  }
}

/** A path as a person would write it from here. */
export function showPath(path: string, folder: string): string {
  const near = relative(folder, path)
  return near === '' || near.startsWith('..') ? path : near
}

export const showFile = ({ path, width, height, bytes }: SavedFile, folder: string): string =>
  [showPath(path, folder), ...(width && height ? [`${width}x${height}`] : []), formatBytes(bytes)].join('  ')
