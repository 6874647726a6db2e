/**
 * (f) A picture of 1.5 MB through a door that answers with the picture itself, against a loopback upstream: durable, stored and
 * ledgered here; beside a bare pass-through, one that also keeps the file, and `@portkey-ai/gateway`, which keeps nothing. And a 20 MB
 * picture inline in a body.
 *
 * Every party is a process of its own, so CPU and memory are its own (Linux only: they are read from /proc). All take turns, several
 * times: other work on the machine meets everybody, and the middle of the turns is told.
 */
import { spawn, spawnSync, type ChildProcess } from 'node:child_process'
import { randomBytes, randomFillSync } from 'node:crypto'
import { existsSync, readFileSync } from 'node:fs'
import { mkdir, mkdtemp, rename, rm, writeFile } from 'node:fs/promises'
import { Agent, request as ask } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import sharp from 'sharp'
import { testSettings } from '../test/kit/house.ts'
import { benchDatabase, pause, percentile, round, table } from './kit.ts'
import { freePort } from '../test/kit/port.ts'

const portkeyVersion = '1.15.2'
const concurrency = 16
const requests = 160
const turns = 3
const here = (name: string) => join(import.meta.dirname, 'pictures', name)

interface Party { child: ChildProcess; pid: number; told: Record<string, string>; /** The next line it prints. */ line(): Promise<string>; stop(): Promise<void> }

async function start(file: string, args: string[], environment: Record<string, string> = {}): Promise<Party> {
  const child = spawn(process.execPath, [file, ...args], { env: { PATH: process.env.PATH ?? '', ...environment }, stdio: ['pipe', 'pipe', 'inherit'] })
  const ended = new Promise(resolve => { child.once('exit', resolve) })
  const lines = createInterface(child.stdout!)[Symbol.asyncIterator]()
  const line = async () => {
    const { done, value } = await lines.next()
    if (done) throw new Error(`${file} ended early.`)
    return value
  }
  const first = await line()
  return {
    child, pid: child.pid!, line, told: first.startsWith('{') ? JSON.parse(first) as Record<string, string> : {},
    async stop() { child.stdin!.end(); if (!file.endsWith('house.ts')) child.kill(); await ended },
  }
}

/** Processor time of a process in ms, and its memory in MB. */
function usage(pid: number): { cpuMs: number; rssMB: number } {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').replace(/^.*\) /, '').split(' ')
  const pages = Number(readFileSync(`/proc/${pid}/statm`, 'utf8').split(' ')[1])
  return { cpuMs: (Number(fields[11]) + Number(fields[12])) * 10, rssMB: pages * 4096 / 2 ** 20 }
}

/** Processor time of PostgreSQL in ms: the postmaster and every connection that is open. */
function databaseCpuMs(pid: number): number {
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ').filter(Boolean).map(Number)
  return [pid, ...children].reduce((sum, one) => sum + (existsSync(`/proc/${one}/stat`) ? usage(one).cpuMs : 0), 0)
}

interface Target { name: string; url: string; path: string; headers: Record<string, string>; body: string; pid: number | null; /** Where its rows go. */ databasePid?: number }

async function once({ url, path, headers, body }: Omit<Target, 'name' | 'pid'>, agent: Agent): Promise<{ status: number; sizeBytes: number; text: string }> {
  return new Promise((resolve, reject) => {
    const request = ask(url + path, { method: 'POST', agent, headers: { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body), ...headers } }, answer => {
      let sizeBytes = 0
      let text = ''
      answer.on('data', (chunk: Buffer) => { sizeBytes += chunk.length; if (text.length < 500) text += chunk.toString('latin1', 0, 500) })
      answer.on('end', () => resolve({ status: answer.statusCode!, sizeBytes, text }))
      answer.on('error', reject)
    })
    request.on('error', reject)
    request.end(body)
  })
}

interface Turn { perSecond: number; latencies: number[]; cpuMs: number; databaseMs: number; peakMB: number; idleMB: number }

async function measure(target: Target): Promise<Turn> {
  const agent = new Agent({ keepAlive: true, maxSockets: concurrency })
  const one = async () => {
    const { status, sizeBytes, text } = await once(target, agent)
    if (status !== 200 || sizeBytes < 1_900_000) throw new Error(`${target.name} answered ${status} with ${sizeBytes} bytes: ${text.slice(0, 300)}`)
  }
  for (let warm = 0; warm < concurrency * 2; warm++) await one()
  await pause(500)
  const { pid, databasePid } = target
  const look = () => ({ ...pid === null ? { cpuMs: 0, rssMB: 0 } : usage(pid), databaseMs: databasePid === undefined ? 0 : databaseCpuMs(databasePid) })
  const idle = look()
  const latencies: number[] = []
  let left = requests
  let peakMB = 0
  const watch = setInterval(() => { if (pid !== null && existsSync(`/proc/${pid}/stat`)) peakMB = Math.max(peakMB, usage(pid).rssMB) }, 10)
  const begun = performance.now()
  await Promise.all(Array.from({ length: concurrency }, async () => {
    while (left-- > 0) {
      const at = performance.now()
      await one()
      latencies.push(performance.now() - at)
    }
  })).finally(() => clearInterval(watch))
  const seconds = (performance.now() - begun) / 1_000
  const after = look()
  agent.destroy()
  return { perSecond: requests / seconds, latencies, cpuMs: (after.cpuMs - idle.cpuMs) / requests, databaseMs: (after.databaseMs - idle.databaseMs) / requests, peakMB, idleMB: idle.rssMB }
}

/** What a file of 1.5 MB costs alone, written, synced and renamed: processor time in ms. */
async function bareWrite(folder: string): Promise<number> {
  const bytes = randomBytes(1_504_000)
  const before = process.cpuUsage()
  for (let index = 0; index < requests; index++) {
    await writeFile(join(folder, `${index}.new`), bytes, { flush: true })
    await rename(join(folder, `${index}.new`), join(folder, String(index)))
  }
  const { user, system } = process.cpuUsage(before)
  return (user + system) / 1_000 / requests
}

/** `@portkey-ai/gateway` from npm in a folder of its own; null where it cannot be had. */
async function startPortkey(folder: string): Promise<{ url: string; party: ChildProcess } | null> {
  const npm = spawnSync('npm', ['install', '--no-audit', '--no-fund', '--prefix', folder, `@portkey-ai/gateway@${portkeyVersion}`], { cwd: folder, stdio: 'ignore' })
  if (npm.status !== 0) return null
  const port = await freePort()
  const party = spawn(process.execPath, [join(folder, 'node_modules/@portkey-ai/gateway/build/start-server.js'), '--headless', `--port=${port}`], { cwd: folder, env: { PATH: process.env.PATH ?? '', NODE_ENV: 'production' }, stdio: 'ignore' })
  const url = `http://127.0.0.1:${port}`
  for (let look = 0; look < 200; look++) {
    if (await fetch(url).then(answer => answer.ok, () => false)) return { url, party }
    await pause(50)
  }
  party.kill()
  return null
}


export async function pictures(): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'plantain-pictures-'))
  const closers: (() => unknown)[] = [() => rm(folder, { recursive: true, force: true, maxRetries: 10 })]
  const party = async (...how: Parameters<typeof start>) => {
    const started = await start(...how)
    closers.push(() => started.stop())
    return started
  }
  try {
    const bench = await benchDatabase({ max: 2 })
    closers.push(() => bench.close())
    const upstream = await party(here('upstream.ts'), [])
    const proxy = await party(here('proxy.ts'), [upstream.told.url!])
    const kept = join(folder, 'kept')
    const bare = join(folder, 'bare')
    for (const made of [kept, bare]) await mkdir(made)
    const keeper = await party(here('keeper.ts'), [upstream.told.url!, kept])
    const house = await party(here('house.ts'), [], {
      ...testSettings({ databaseUrl: bench.url, dataDir: join(folder, 'data'), upstreamUrl: upstream.told.url! }), LOG_LEVEL: 'error', DATABASE_POOL: '16',
      OPENAI_API_KEY: 'x', OPENAI_BASE_URL: `${upstream.told.url}/v1`, OPENAI_PER_MINUTE: '100000', OPENAI_CONCURRENCY: '100',
    })
    const portkey = await startPortkey(folder)
    closers.push(() => portkey?.party.kill())
    if (!portkey) console.log(`(@portkey-ai/gateway could not be installed or started: left out)`)
    const path = '/v1/images/generations'
    const body = JSON.stringify({ model: 'gpt-image-2', prompt: 'a cat on a mat', n: 1 })
    const key = { authorization: `Bearer ${house.told.key}` }
    const ours = { url: house.told.houseUrl!, path, headers: key, pid: house.pid, databasePid: bench.pid }
    const targets: Target[] = [
      { name: 'upstream itself', url: upstream.told.url!, path, headers: {}, body, pid: null },
      { name: 'pass-through, 12 lines', url: proxy.told.url!, path, headers: {}, body, pid: proxy.pid },
      { name: 'pass-through that keeps the file, 25 lines', url: keeper.told.url!, path, headers: {}, body, pid: keeper.pid },
      ...portkey ? [{ name: `Portkey ${portkeyVersion}, keeps nothing`, url: portkey.url, path, headers: { authorization: 'Bearer x', 'x-portkey-provider': 'openai', 'x-portkey-custom-host': `${upstream.told.url}/v1` }, body, pid: portkey.party.pid! }] : [],
      { ...ours, name: 'Plantain, OpenAI door, upstream answers base64', body },
      { ...ours, name: 'Plantain, OpenAI door, upstream answers a link', body: JSON.stringify({ model: 'rehearsal-1', prompt: 'a cat on a mat', n: 1 }) },
    ]
    const found = new Map<Target, Turn[]>()
    // Before anybody has asked anything: what a process keeps after its first pictures is told as well.
    const freshMB = new Map(targets.flatMap(({ pid }) => pid === null ? [] : [[pid, usage(pid).rssMB] as const]))
    const writes: number[] = []
    for (let turn = 0; turn < turns; turn++) {
      writes.push(await bareWrite(bare))
      for (const target of targets) {
        const measured = await measure(target).catch(error => {
          if (target.pid !== portkey?.party.pid) throw error
          console.log(`(Portkey fell over: ${(error as Error).message})`)
          return null
        })
        if (measured) found.set(target, [...found.get(target) ?? [], measured])
      }
    }
    const middle = (of: Turn[], what: (turn: Turn) => number) => percentile(of.map(what), 0.5)
    const direct = middle(found.get(targets[0]!)!, turn => turn.perSecond)
    const told = (values: number[]) => `${round(percentile(values, 0.5))} (${round(Math.min(...values))})`
    const rows: Record<string, string | number>[] = [...found].map(([target, all]) => {
      const latencies = all.flatMap(turn => turn.latencies)
      return {
        through: target.name, 'pictures/s': round(middle(all, turn => turn.perSecond)), 'of direct': round(middle(all, turn => turn.perSecond) / direct, 2),
        'CPU ms each (best turn)': target.pid === null ? '' : told(all.map(turn => turn.cpuMs)), 'PostgreSQL ms': target.databasePid === undefined ? '' : told(all.map(turn => turn.databaseMs)),
        'p50 / p99 ms': `${round(percentile(latencies, 0.5))} / ${round(percentile(latencies, 0.99))}`,
        'MB fresh / idle / at most': target.pid === null ? '' : [freshMB.get(target.pid)!, middle(all, turn => turn.idleMB), Math.max(...all.map(turn => turn.peakMB))].map(Math.round).join(' / '),
        [`above idle, ${concurrency} in flight, MB`]: target.pid === null ? '' : Math.round(Math.max(...all.map(turn => turn.peakMB - turn.idleMB))),
      }
    })
    rows.push({ through: 'the file alone: written, synced, renamed', 'CPU ms each (best turn)': told(writes) })
    table(`(f) A picture of 1.5 MB (2 MB of base64), ${concurrency} callers, ${turns} turns of ${requests} pictures: the middle turn`, rows)

    const picture = await sharp(randomFillSync(Buffer.alloc(2580 * 2580 * 3)), { raw: { width: 2580, height: 2580, channels: 3 } }).png({ compressionLevel: 0 }).toBuffer()
    const large = JSON.stringify({ prompt: 'make it blue', image: picture.toString('base64') })
    const agent = new Agent()
    const inlineRows: Record<string, string | number>[] = []
    for (const [does, where] of [['the floor: bytes only counted', '/count'], ['decoded to a file and read', '/read'], ['decoded to a file and taken in as an asset', '/keep'], ['for comparison: parsed whole', '/whole']] as const) {
      const delays: number[] = []
      let peakMB = 0
      let idleMB = Infinity
      let tookMs = 0
      let cpuMs = 0
      for (let round = 0; round < 5; round++) {
        await pause(500)
        idleMB = Math.min(idleMB, usage(house.pid).rssMB)
        house.child.stdin!.write('\n')
        await house.line()
        const watch = setInterval(() => { peakMB = Math.max(peakMB, usage(house.pid).rssMB) }, 5)
        const begun = performance.now()
        const before = usage(house.pid).cpuMs
        const { status, text } = await once({ url: house.told.url!, path: where, headers: key, body: large }, agent)
        tookMs = performance.now() - begun
        cpuMs += (usage(house.pid).cpuMs - before) / 5
        clearInterval(watch)
        if (status !== 200) throw new Error(`${where} answered ${status}: ${text}`)
        house.child.stdin!.write('\n')
        delays.push((JSON.parse(await house.line()) as { delayMaxMs: number }).delayMaxMs)
      }
      inlineRows.push({ 'a picture inline in JSON': does, 'picture MB': round(picture.length / 1e6), 'took ms': Math.round(tookMs), 'CPU ms': Math.round(cpuMs), 'event loop held, longest ms (best / median / worst of 5)': `${round(Math.min(...delays))} / ${round(percentile(delays, 0.5))} / ${round(Math.max(...delays))}`, 'memory above idle MB': Math.round(peakMB - idleMB) })
    }
    agent.destroy()
    table('(f) A picture of 20 MB inline in a body', inlineRows)
  } finally {
    for (const close of closers.reverse()) await close()
  }
}
