/** (e) From nothing to the first picture: an empty data folder, the server as `npm start` runs it, one picture fetched; then a second start. */
import { spawn } from 'node:child_process'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pause, round, table } from './kit.ts'
import { freePort } from '../test/kit/port.ts'

export async function coldStart(): Promise<void> {
  const dataDir = await mkdtemp(join(tmpdir(), 'plantain-cold-'))
  const port = await freePort()
  const url = `http://127.0.0.1:${port}`
  const rows: Record<string, string | number>[] = []
  try {
    for (const start of ['first, empty data folder', 'second', 'third']) {
      const begun = performance.now()
      const server = spawn(process.execPath, [join(import.meta.dirname, '../src/main.ts')], { env: { PATH: process.env.PATH ?? '', PLANTAIN_DATA_DIR: dataDir, PORT: String(port), LOG_LEVEL: 'error' }, stdio: ['ignore', 'ignore', 'inherit'] })
      const ended = new Promise(resolve => { server.once('exit', resolve) })
      while (!await fetch(`${url}/healthz`).then(answer => answer.ok, () => false)) await pause(5)
      const up = performance.now() - begun
      const key = (await readFile(join(dataDir, 'first-key.txt'), 'utf8')).trim()
      const answer = await fetch(`${url}/plantain/v1/tasks?wait=60`, { method: 'POST', headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' }, body: JSON.stringify({ model: 'sandbox-1', prompt: `a mountain lake at dawn, ${start}` }) })
      const task = await answer.json() as { state: string; outputs: { url: string }[] }
      const picture = await fetch(task.outputs[0]!.url).then(file => file.arrayBuffer())
      const whole = performance.now() - begun
      server.kill('SIGTERM')
      const stopping = performance.now()
      await ended
      rows.push({ start, 'answers after s': round(up / 1000, 2), 'picture in hand after s': round(whole / 1000, 2), 'picture KB': Math.round(picture.byteLength / 1024), 'stop s': round((performance.now() - stopping) / 1000, 2) })
    }
  } finally { await rm(dataDir, { recursive: true, force: true, maxRetries: 10 }) }
  table('(e) Cold start to first picture (1024 × 1024)', rows)
}
