/** `plantain mcp` as a process: what it says where, how it ends, and what an assistant hears when the server is not there. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { Client } from '@modelcontextprotocol/sdk/client/index.js'
import { StdioClientTransport } from '@modelcontextprotocol/sdk/client/stdio.js'
import { McpError, type CallToolResult } from '@modelcontextprotocol/sdk/types.js'
import { plantain } from './cli.ts'

const main = join(import.meta.dirname, '../src/main.ts')
const cwd = tmpdir()

let server: Server
let url = ''
before(async () => {
  server = createServer((_request, response) => { response.writeHead(401, { 'content-type': 'application/json' }).end('{"error":{"code":"unauthorized","message":"This key is not known here."}}') })
  await new Promise<void>((resume) => { server.listen(0, '127.0.0.1', resume) })
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
})
after(() => { server.close() })

async function withClient(env: Record<string, string>, use: (client: Client) => Promise<void>): Promise<void> {
  const client = new Client({ name: 'test', version: '1.0.0' })
  await client.connect(new StdioClientTransport({ command: process.execPath, args: [main, 'mcp'], cwd, env: { PATH: process.env.PATH ?? '', HOME: cwd, ...env }, stderr: 'ignore' }))
  try {
    await use(client)
  } finally {
    await client.close()
  }
}
const wordsOf = (result: unknown): string => ((result as CallToolResult).content[0] as { text: string }).text

test('standard output is the protocol\'s alone, and the end of the input is the end', async () => {
  const child = spawn(process.execPath, [main, 'mcp'], { cwd, env: { PATH: process.env.PATH, HOME: cwd, PLANTAIN_URL: url, PLANTAIN_KEY: 'sk-test-x' }, stdio: ['pipe', 'pipe', 'pipe'] })
  let out = ''
  let err = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => { out += text })
  child.stderr.setEncoding('utf8').on('data', (text: string) => { err += text })
  child.stdin.write('{"jsonrpc":"2.0","id":1,"method":"ping"}\nthis is no message\n{"jsonrpc":"2.0","id":2,"method":"tools/list"}\n')
  while (!out.includes('"id":2')) await new Promise(setImmediate)
  child.stdin.end()
  const code = await new Promise<number | null>((resume) => { child.once('close', resume) })
  assert.equal(code, 0)
  assert.deepEqual(out.trim().split('\n').map((line) => (JSON.parse(line) as { id: number }).id), [1, 2])
  assert.match(err, /Offering the tools of http/)
  assert.doesNotMatch(out + err, /sk-test-x/)
})

test('without a key it does not begin', async () => {
  const { code, err, out } = await plantain(['mcp'], { cwd, env: { PLANTAIN_DATA_DIR: join(cwd, 'nothing-is-here') } })
  assert.deepEqual([code, out], [4, ''])
  assert.match(err, /^unauthorized: No key/)
})

test('a server that is not there is said by the tools, which are offered all the same', () => withClient({ PLANTAIN_URL: 'http://127.0.0.1:9', PLANTAIN_KEY: 'sk-test-x' }, async (client) => {
  assert.ok((await client.listTools()).tools.length > 5)
  const result = await client.callTool({ name: 'generate_image', arguments: { prompt: 'a dog' } })
  assert.equal(result.isError, true)
  assert.match(wordsOf(result), /^unavailable: http:\/\/127\.0\.0\.1:9 does not answer/)
  await assert.rejects(client.readResource({ uri: 'plantain://models' }), McpError)
}))

test('a wrong key is said by the tools', () => withClient({ PLANTAIN_URL: url, PLANTAIN_KEY: 'sk-test-x' }, async (client) => {
  assert.match(wordsOf(await client.callTool({ name: 'get_balance', arguments: {} })), /^unauthorized: This key is not known here\./)
}))
