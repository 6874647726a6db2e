/** A person answers after the server was stopped and started again: nothing is made twice, and the link still opens. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { createLog } from '../src/kit/log.ts'
import { startHouse, type House } from '../src/house.ts'
import { testHouse, type TestHouse } from './kit/house.ts'
import { wire } from './kit/workflow.ts'

let first: TestHouse
let second: House | null = null
before(async () => { first = await testHouse() })
after(async () => { await second?.close(); await first?.close() })

const make = (id: string, count: number) => ({ id, kind: 'generate', settings: { model: 'sandbox-1', parameters: { resolution: '512', count } } })
/** A person chooses for each of a list; what was chosen is made small. */
const graph = {
  nodes: [{ id: 'all', kind: 'list' }, { id: 'each', kind: 'iterate' }, make('picture', 2), { id: 'choice', kind: 'approval' }, { id: 'small', kind: 'resize', settings: { width: 40 } }, { id: 'list', kind: 'collect' }, { id: 'out', kind: 'output', settings: { name: 'chosen' } }],
  edges: [wire('all.items', 'each.items'), wire('each.item', 'picture.prompt'), wire('picture.images', 'choice.candidates'), wire('choice.image', 'small.image'), wire('small.image', 'list.items'), wire('list.items', 'out.value')],
  inputs: [{ name: 'prompts', node: 'all', port: 'items' }],
}

test('reviews inside an iteration outlive the server: one is answered by key, one by its link', async () => {
  const ask = async (url: string, method: string, path: string, body?: unknown): Promise<any> => (await fetch(`${url}/plantain/v1${path}`, { method, headers: { authorization: `Bearer ${first.testKey}`, 'content-type': 'application/json' }, ...(body === undefined ? {} : { body: JSON.stringify(body) }) })).json()
  const begun = await ask(first.url, 'POST', '/executions?wait=60', { graph, inputs: { prompts: ['a green pear', 'a blue sphere'] } })
  assert.equal(begun.state, 'waiting_for_review', JSON.stringify(begun.problem))
  const open = (await ask(first.url, 'GET', '/reviews?state=open')).items
  assert.equal(open.length, 2)
  const link = new URL((await ask(first.url, 'POST', `/reviews/${open[1].id}/link`, {})).url)
  const tasks = async () => (await first.database.query<{ count: number }>('select count(*)::int as count from task')).rows[0]!.count
  const before = await tasks()

  await first.house.close()
  second = await startHouse(first.house.config, { log: createLog('error') })
  const url = second.url!
  assert.equal((await ask(url, 'GET', `/executions/${begun.id}`)).state, 'waiting_for_review')
  const answered = await ask(url, 'POST', `/reviews/${open[0].id}`, { action: 'approve', chosen: [1] })
  assert.deepEqual([answered.state, answered.chosen, typeof answered.decided_by, typeof answered.decided_at], ['approved', [1], 'string', 'string'])
  const page = await fetch(new URL(link.pathname, url), { method: 'POST', body: new URLSearchParams({ action: 'approve', chosen: '0', name: 'Ada' }) })
  assert.equal(page.status, 200, await page.text())
  const ended = await ask(url, 'GET', `/executions/${begun.id}?wait=60`)
  assert.deepEqual([ended.state, ended.outputs.chosen.map((one: any) => one.width), await tasks()], ['done', [40, 40], before])
  assert.match((await ask(url, 'GET', `/reviews/${open[1].id}`)).decided_by, /Ada/)
  assert.deepEqual(await first.audit(), [])
})
