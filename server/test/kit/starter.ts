/** A process that does nothing but run an embedded PostgreSQL, so that a test can kill it. Prints `{ pid, url }` as one line. */
import { startEmbedded } from '../../src/db/embedded/start.ts'
import { silent } from '../../src/db/log.ts'

if (import.meta.main) {
  try {
    const { pid, url } = await startEmbedded({ dataDir: process.argv[2] as string, log: silent })
    process.stdout.write(`${JSON.stringify({ pid, url })}\n`)
    setInterval(() => {}, 60_000)
  } catch (error) {
    process.stdout.write(`${JSON.stringify({ problem: (error as Error).message })}\n`)
  }
}
