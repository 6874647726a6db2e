/** The command against a whole house: from a prompt to a file on disk, and every way an order can end. */
import assert from 'node:assert/strict'
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import sharp from 'sharp'
import { testHouse, type TestHouse } from '../../server/test/kit/house.ts'
import { plantain, start } from './cli.ts'

let house: TestHouse
let cwd = ''
before(async () => {
  house = await testHouse()
  cwd = await mkdtemp(join(tmpdir(), 'plantain-journey-'))
})
after(async () => {
  await house.close()
  await rm(cwd, { recursive: true, force: true })
})

const call = (words: string[], key = house.testKey) => plantain(words, { cwd, env: { PLANTAIN_URL: house.url, PLANTAIN_KEY: key } })
interface Made { id: string; state: string; served_by: string; livemode: boolean; files: string[]; cost: { micros: number }; price: { micros: number }; warnings: string[]; problem: { code: string } | null }
const made = async (words: string[], key?: string): Promise<Made> => {
  const { code, out, err } = await call([...words, '--json'], key)
  assert.equal(code, 0, err + out)
  return JSON.parse(out) as Made
}

test('a prompt becomes a picture on disk', async () => {
  const { code, out, err } = await call(['generate', 'a lighthouse by the sea at sunset', '--aspect-ratio', '3:2', '--resolution', '512', '--out', 'first'])
  assert.equal(code, 0, err)
  const [name] = await readdir(join(cwd, 'first'))
  assert.match(name!, /^sandbox-1-[0-9a-f]{8}-1\.png$/)
  const { format, width, height } = await sharp(join(cwd, 'first', name!)).metadata()
  assert.equal(format, 'png')
  assert.ok(Math.abs(width / height - 1.5) < 0.05, `${width}x${height}`)
  assert.match(out, new RegExp(`^first/${name}  ${width}x${height}  .*\\n${name} cost \\$[0-9.]+ of play money \\(test key\\), task [0-9a-f]{32}\\n$`))
})

test('a photo and an instruction become an edited picture', async () => {
  await writeFile(join(cwd, 'photo.png'), await sharp({ create: { width: 160, height: 120, channels: 3, background: '#d03a2a' } }).png().toBuffer())
  const { files } = await made(['edit', 'photo.png', 'make it black and white', '--format', 'webp', '--out', 'edited.webp'])
  assert.deepEqual(files, [join(cwd, 'edited.webp')])
  const { format } = await sharp(files[0]!).metadata()
  const { data } = await sharp(files[0]!).removeAlpha().raw().toBuffer({ resolveWithObject: true })
  assert.equal(format, 'webp')
  assert.ok(Math.abs(data[0]! - data[1]!) < 12 && Math.abs(data[1]! - data[2]!) < 12, 'grey all the way')
})

test('a text is printed, and what it cost beside it', async () => {
  const written = await call(['write', 'Free shipping', '--system', 'Translate the text the user sends into German (de).', '--max-tokens', '100'])
  assert.deepEqual([written.code, written.out], [0, 'Kostenloser Versand\n'], written.err)
  assert.match(written.err, /the text cost \$0\.0\d+ of play money \(test key\), task [0-9a-f]{32}/)
  const described = await call(['write', 'Describe this in one sentence.', '--image', 'photo.png', '--json'])
  assert.match((JSON.parse(described.out) as { text: string }).text, /^A landscape picture, mostly red/)
})

test('a picture becomes larger, a cut-out, or a film, by model or by operation', async () => {
  await writeFile(join(cwd, 'small.png'), await sharp({ create: { width: 80, height: 60, channels: 3, background: '#2a6ad0' } }).png().toBuffer())
  const [larger] = (await made(['edit', 'small.png', '', '--model', 'topaz-image-upscale', '--out', 'larger'])).files
  const upscaled = await sharp(larger!).metadata()
  assert.deepEqual([upscaled.width, upscaled.height], [160, 120])
  const [cut] = (await made(['edit', 'small.png', '', '--operation', 'remove_background', '--out', 'cut'])).files
  assert.ok((await sharp(cut!).metadata()).hasAlpha)
  const { files: [film], warnings } = await made(['generate', 'a boat at sea', '--operation', 'video', '--param', 'duration_s=1', '--out', 'film'])
  const { format, pages = 0 } = await sharp(film!).metadata()
  assert.equal(format, 'webp')
  assert.ok(pages > 1, `${pages} pages`)
  assert.match(warnings.join(' '), /animated WebP without sound/)
})

test('the same seed is the same picture, and a count is as many files', async () => {
  const words = ['generate', 'a red apple on a table', '--resolution', '512', '--seed', '7', '--count', '2']
  const pixels = async (file: string) => (await sharp(file).raw().toBuffer()).toString('base64')
  const [one, other] = [await made([...words, '--out', 'one']), await made([...words, '--out', 'other'])]
  assert.equal(one.files.length, 2)
  assert.equal(await pixels(one.files[0]!), await pixels(other.files[0]!))
  assert.notEqual(await pixels(one.files[0]!), await pixels(one.files[1]!))
})

test('a task left alone is fetched later', async () => {
  const { out } = await call(['generate', 'a dog', '--resolution', '512', '--no-wait'])
  const id = out.trim()
  const waited = await call(['task', 'wait', id, '--out', 'later'])
  assert.equal(waited.code, 0, waited.err)
  assert.equal((await readdir(join(cwd, 'later'))).length, 1)
  assert.match((await call(['task', 'get', id])).out, /state +done/)
  const list = await call(['task', 'list'])
  assert.equal(list.code, 0, list.err)
  assert.match(list.out, new RegExp(id))
})

test('a task that waits is cancelled', async () => {
  const id = (await call(['generate', 'a dog sandbox:slow=600s', '--no-wait'])).out.trim()
  const { code, out } = await call(['task', 'cancel', id])
  assert.deepEqual([code, out], [0, 'cancelled, charged $0.00\n'])
  const waited = await call(['task', 'wait', id])
  assert.equal(waited.code, 1)
  assert.match(waited.err, /^cancelled: /)
})

const fails = (trigger: string, code: number, problem: RegExp) => test(`sandbox:${trigger} ends with ${code}`, async () => {
  const { code: ended, err, out } = await call(['generate', `a dog sandbox:${trigger}`])
  assert.equal(ended, code, out + err)
  assert.match(err, problem)
})
fails('moderation', 1, /^content_rejected: /)
fails('fail=501', 1, /^provider_failed: /)
fails('expired_url', 1, /^output_expired: /)
fails('lost', 1, /^outcome_unknown: /)
fails('timeout', 1, /^provider_timeout: /)
fails('bad_image', 1, /^bad_output: /)
fails('credits', 5, /^credits_required: /)
fails('slw=2s', 2, /^bad_request: There is no trigger "sandbox:slw=2s"/)

test('sandbox:busy is made at the third attempt', async () => {
  const { state, files } = await made(['generate', 'a dog sandbox:busy', '--resolution', '512', '--out', 'busy'])
  assert.deepEqual([state, files.length], ['done', 1])
})
test('sandbox:partial makes three of four and charges three', async () => {
  const { files, warnings, cost, price } = await made(['generate', 'a dog sandbox:partial', '--model', 'nano-banana-2', '--resolution', '512', '--count', '4', '--out', 'partial'])
  assert.equal(files.length, 3)
  assert.ok(price.micros > 0)
  assert.equal(cost.micros * 4, price.micros * 3)
  assert.match(warnings.join(' '), /3 of 4/)
})

test('a wrong key, an unknown model and a wrong size end with their own numbers', async () => {
  assert.equal((await call(['generate', 'a dog'], 'sk-test-wrong')).code, 4)
  const unknown = await call(['generate', 'a dog', '--model', 'nano-bananna'])
  assert.equal(unknown.code, 2)
  assert.match(unknown.err, /unknown_model/)
  const size = await call(['generate', 'a dog', '--resolution', '3K'])
  assert.equal(size.code, 2)
  assert.match(size.err, /resolution.*4K/)
})

test('under a live key the upstream is asked once, and its trouble is survived', async () => {
  house.upstream.reset()
  const { served_by, livemode, files, id } = await made(['generate', 'a dog rehearse:cut_after', '--model', 'rehearsal-1', '--out', 'live'], house.liveKey)
  assert.deepEqual([served_by, livemode, files.length], ['rehearsal', true, 1])
  assert.deepEqual(Object.entries(house.upstream.stats().tasks).map(([task, { accepted }]) => [task, accepted]), [[id, 1]])
  assert.equal((await readFile(files[0]!)).subarray(1, 4).toString(), 'PNG')
})

test('Ctrl-C leaves the task in the making', async () => {
  const running = start(['generate', 'a dog sandbox:slow=6s', '--resolution', '512'], { cwd, env: { PLANTAIN_URL: house.url, PLANTAIN_KEY: house.testKey } })
  const waiting = async () => (await house.database.query<{ id: string }>(`select id from task where prompt = 'a dog sandbox:slow=6s' and state = 'waiting'`)).rows[0]?.id
  let id: string | undefined
  while ((id = await waiting()) === undefined) await new Promise(setImmediate)
  running.child.kill('SIGINT')
  const { code, err } = await running.ended
  assert.equal(code, 130)
  assert.match(err, new RegExp(`plantain task wait ${id}`))
  assert.equal((await call(['task', 'wait', id, '--out', 'after'])).code, 0)
})

test('models are listed with their prices', async () => {
  const { code, out } = await call(['models'])
  assert.equal(code, 0)
  assert.match(out, /nano-banana-pro +nano-banana +generate, edit +from \$\d/)
})

test('what was made adds up', async () => assert.deepEqual(await house.audit(), []))
