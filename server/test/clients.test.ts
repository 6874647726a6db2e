/** The programs of docs/clients.md, each as it stands there but for address and key: they end well and leave a picture behind. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { delimiter, dirname, join } from 'node:path'
import { after, before, test } from 'node:test'
import { Client } from '@modelcontextprotocol/sdk/client/index.js'
import { StdioClientTransport } from '@modelcontextprotocol/sdk/client/stdio.js'
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js'
import sharp from 'sharp'
import { testHouse, type TestHouse } from './kit/house.ts'

interface Block { title: string; language: string; text: string }

/** Every fenced block of a page, under the heading it stands beneath. */
function readBlocks(page: string): Block[] {
  const blocks: Block[] = []
  let title = ''
  let open: Block | null = null
  for (const line of page.split('\n')) {
    const [, mark] = /^```(\w*)$/.exec(line) ?? []
    if (open && mark === '') {
      blocks.push(open)
      open = null
    } else if (open) open.text += `${line}\n`
    else if (mark !== undefined) open = { title, language: mark, text: '' }
    else if (line.startsWith('## ')) title = line.slice(3)
  }
  return blocks
}

const root = join(import.meta.dirname, '../..')
const blocks = readBlocks(await readFile(join(root, 'docs/clients.md'), 'utf8'))
const programs = blocks.filter(({ language }) => language === 'js')
const scripts = blocks.filter(({ title, language }) => title === 'curl' && language === 'sh')
const pythons = blocks.filter(({ language }) => language === 'python')
const configurations = blocks.filter(({ language }) => language === 'json')

let house: TestHouse
let folder = ''
before(async () => {
  [house, folder] = await Promise.all([testHouse(), mkdtemp(join(tmpdir(), 'plantain-clients-'))])
  await symlink(join(root, 'node_modules'), join(folder, 'node_modules'))
})
after(async () => {
  await house?.close()
  await rm(folder, { recursive: true, force: true })
})

const address = 'http://127.0.0.1:7700'
const key = 'sk-test-your-key'
const atHouse = (text: string) => text.replaceAll(address, house.url).replaceAll(key, house.testKey).replaceAll('/path/to/plantain', root)

/** Runs a program to its end. Its code is null where there is nothing of that name to run it. */
async function run(command: string, args: string[], cwd: string): Promise<{ code: number | null; said: string }> {
  const child = spawn(command, args, { cwd, env: { PATH: process.env.PATH, HOME: cwd }, stdio: ['ignore', 'pipe', 'pipe'] })
  let said = ''
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', (text: string) => { said += text })
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once('close', resolve).once('error', (error: NodeJS.ErrnoException) => { if (error.code === 'ENOENT') resolve(null); else reject(error) })
  })
  return { code, said }
}

function checkLines(text: string): void {
  assert.ok(text.includes(address) && text.includes(key), 'it names the address and the key')
  const changed = (text.match(/(?:\/\/|#) ←$/gm) ?? []).length
  assert.ok(changed >= 2 && changed <= 3, 'two or three lines change')
}

const folderFor = async (name: string): Promise<string> => {
  const cwd = join(folder, name)
  await mkdir(cwd)
  return cwd
}

async function checkMade(cwd: string): Promise<void> {
  const made = (await readdir(cwd)).filter(name => name.endsWith('.png') && name !== 'photo.png')
  assert.equal(made.length, 1)
  const { width, height } = await sharp(join(cwd, made[0]!)).metadata()
  assert.ok(width >= 512 && height >= 512, `${width} x ${height}`)
}

for (const [index, { title, text }] of programs.entries()) {
  test(`${title}: program ${index + 1}`, async () => {
    checkLines(text)
    const cwd = await folderFor(String(index))
    await writeFile(join(cwd, 'photo.png'), await sharp({ create: { width: 96, height: 64, channels: 3, background: '#c83c28' } }).png().toBuffer())
    await writeFile(join(cwd, 'program.mjs'), atHouse(text))
    const { code, said } = await run(process.execPath, ['program.mjs'], cwd)
    assert.equal(code, 0, said)
    await checkMade(cwd)
  })
}

for (const { title, text } of scripts) {
  test(title, async t => {
    checkLines(text)
    const cwd = await folderFor('curl')
    if ((await run('curl', ['--version'], cwd)).code !== 0) return t.skip('there is no curl on this machine')
    const { code, said } = await run('sh', ['-e', '-c', atHouse(text)], cwd)
    assert.equal(code, 0, said)
    await checkMade(cwd)
  })
}

for (const { title, text } of pythons) {
  test(`${title}: Python`, async t => {
    checkLines(text)
    const cwd = await folderFor('python')
    if ((await run('python3', ['-c', 'import openai'], cwd)).code !== 0) return t.skip('there is no openai for Python on this machine; its call is made in wisdom-gate.test.ts')
    const { code, said } = await run('python3', ['-c', atHouse(text)], cwd)
    assert.equal(code, 0, said)
    const link = said.trim()
    assert.ok(link.startsWith(`${house.url}/files/`), said)
    assert.equal((await sharp(Buffer.from(await (await fetch(link)).arrayBuffer())).metadata()).width, 1024)
  })
}

interface Configuration { mcpServers: { plantain: { url: string; headers: Record<string, string> } | { command: string; args: string[]; env: Record<string, string> } } }

for (const [index, { title, text }] of configurations.entries()) {
  test(`${title}: configuration ${index + 1}`, async () => {
    const { mcpServers: { plantain } } = JSON.parse(atHouse(text)) as Configuration
    const transport = 'url' in plantain
      ? new StreamableHTTPClientTransport(new URL(plantain.url), { requestInit: { headers: plantain.headers } })
      : new StdioClientTransport({ ...plantain, env: { PATH: dirname(process.execPath) + delimiter + (process.env.PATH ?? ''), HOME: folder, ...plantain.env }, stderr: 'ignore' })
    const client = new Client({ name: 'test', version: '1.0.0' })
    try {
      await client.connect(transport)
      const { isError, content } = await client.callTool({ name: 'generate_image', arguments: { prompt: 'A red bicycle' } })
      assert.ok(!isError, JSON.stringify(content).slice(0, 500))
    } finally {
      await client.close()
    }
  })
}

test('the page has a program for every client', () => {
  const wanted = ['openai', '@google/genai', '@anthropic-ai/sdk', 'ai with @ai-sdk/openai', 'ai with @ai-sdk/google', 'ai with @ai-sdk/openai-compatible', 'Wisdom Gate', 'Kie.ai clients', 'Wireflow clients', 'Model Context Protocol']
  assert.deepEqual([...new Set(programs.map(({ title }) => title))], wanted)
  assert.deepEqual([configurations.length, scripts.length, pythons.length], [2, 1, 1])
})
