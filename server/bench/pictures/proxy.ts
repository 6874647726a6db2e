/** The least that can stand between: bytes in, bytes out. `node proxy.ts <upstream>` prints its address. */
import { Agent, createServer, request as ask } from 'node:http'
import type { AddressInfo } from 'node:net'

const agent = new Agent({ keepAlive: true, maxSockets: 64 })
const server = createServer((request, response) => {
  const onward = ask(process.argv[2] + request.url!, { method: request.method!, headers: request.headers, agent }, answer => {
    response.writeHead(answer.statusCode!, answer.headers)
    answer.pipe(response)
  })
  request.pipe(onward)
}).listen(0, '127.0.0.1', () => { console.log(JSON.stringify({ url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` })) })
