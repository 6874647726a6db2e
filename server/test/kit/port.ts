import { createServer } from 'node:net'

/**
 * A port nobody listens on just now, for a process that must be told one.
 *
 * None the system gives away by itself (from 32768 on Linux, 49152 elsewhere): between this and the process's start, and each time it is started
 * again, another test's connection could have been given it.
 */
export async function freePort(): Promise<number> {
  for (let tries = 0; tries < 100; tries++) {
    const port = 20_000 + Math.floor(Math.random() * 12_000)
    const server = createServer()
    const isFree = await new Promise<boolean>(resolve => { server.once('error', () => resolve(false)).listen(port, '127.0.0.1', () => resolve(true)) })
    if (!isFree) continue
    await new Promise(resolve => { server.close(resolve) })
    return port
  }
  throw new Error('A hundred ports from 20000 to 32000 are taken.')
}
