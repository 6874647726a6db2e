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

async function run(file: string, cwd: string): Promise<{ code: number | null; said: string }> {
  const child = spawn(process.execPath, [file], { cwd, env: { PATH: process.env.PATH, HOME: cwd }, stdio: ['ignore', 'pipe', 'pipe'] })
  let said = ''
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', (text: string) => { said += text })
  const code = await new Promise<number | null>((resolve, reject) => { child.once('close', resolve).once('error', reject) })
  return { code, said }
}

for (const [index, { title, text }] of programs.entries()) {
  test(`${title}: program ${index + 1}`, async () => {
    assert.ok(text.includes(address) && text.includes(key), 'it names the address and the key')
    assert.ok((text.match(/\/\/ ←$/gm) ?? []).length <= 3, 'at most three lines change')
    const cwd = join(folder, String(index))
    await mkdir(cwd)
    await writeFile(join(cwd, 'photo.png'), await sharp({ create: { width: 96, height: 64, channels: 3, background: '#c83c28' } }).png().toBuffer())
    await writeFile(join(cwd, 'program.mjs'), atHouse(text))
    const { code, said } = await run('program.mjs', cwd)
    assert.equal(code, 0, said)
    const made = (await readdir(cwd)).filter(name => name.endsWith('.png') && name !== 'photo.png')
    assert.equal(made.length, 1)
    const { width, height } = await sharp(join(cwd, made[0]!)).metadata()
    assert.ok(width >= 512 && height >= 512, `${width} x ${height}`)
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
  const wanted = ['openai', '@google/genai', '@anthropic-ai/sdk', 'ai with @ai-sdk/openai', 'ai with @ai-sdk/google', 'ai with @ai-sdk/openai-compatible', 'Wisdom Gate', 'Kie.ai clients', 'Model Context Protocol']
  assert.deepEqual([...new Set(programs.map(({ title }) => title))], wanted)
  assert.equal(configurations.length, 2)
})
