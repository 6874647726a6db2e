/** The receiver of webhooks as a thread: what it costs is not the house's, and does not hold up the house's loop. */
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { parentPort, workerData } from 'node:worker_threads'

const heard = new Int32Array(workerData as SharedArrayBuffer)
const server = createServer((request, response) => {
  request.resume()
  Atomics.add(heard, 0, 1)
  response.end()
}).listen(0, '127.0.0.1', () => parentPort!.postMessage((server.address() as AddressInfo).port, []))
