/** `npm run make:pictures`: runs every ready-made workflow on the sandbox and writes the pictures of docs/workflows.md. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import sharp from 'sharp'
import { readConfig } from '../../server/src/config.ts'
import type { Media } from '../../server/src/domain/graph/graph.ts'
import type { Json } from '../../server/src/domain/outcome.ts'
import { startHouse } from '../../server/src/house.ts'

const dataDir = await mkdtemp(join(tmpdir(), 'plantain-pictures-'))
const house = await startHouse(readConfig({ PLANTAIN_DATA_DIR: dataDir, LOG_LEVEL: 'error', PORT: '0' }), { roles: ['work'] })
try {
  const { rows: [key] } = await house.database.query<{ id: string }>('select id from api_key where not livemode limit 1')
  const desk = house.deskFor((await house.access.callerOf(key!.id))!)
  const bytesOf = async (media: Media) => Buffer.concat(await (await desk.assets.open((await desk.assets.find(media.asset))!)).stream().toArray() as Buffer[])
  /** Pictures for the inputs that take one: a product and a wide view. */
  const draw = async (prompt: string, aspect_ratio: string) => (await desk.make({ model: 'sandbox-1', prompt, parameters: { resolution: '2K', aspect_ratio, seed: 5 }, inputs: [] }, { waitMs: 60_000, signal: AbortSignal.timeout(60_000) })).task.outputs[0]!.id
  const photos: Record<string, [string, string]> = { photo: ['product photo of a green sneaker on a plain white background', '1:1'], picture: ['a red fox in a meadow', '3:2'] }

  for (const { slug, graph, example } of desk.workflows.readyMade()) {
    const inputs: Record<string, Json> = { ...example }
    for (const { name } of graph.exposed) if (!(name in inputs)) inputs[name] = await draw(...photos[name]!)
    // A comparison shows something once there is a baseline, and one of the pictures has changed.
    if (slug === 'visual-regression') {
      const { execution } = await desk.workflows.begin({ workflowId: `ready:${slug}`, inputs })
      await desk.workflows.settled(execution.id, 120_000)
      inputs.fixtures = (inputs.fixtures as string[]).with(1, 'a red car in the city')
    }
    const { execution } = await desk.workflows.begin({ workflowId: `ready:${slug}`, inputs })
    let ended = await desk.workflows.settled(execution.id, 120_000)
    // Whoever is asked says yes to the first.
    while (ended?.state === 'running') {
      for (const review of await desk.workflows.reviews({ state: 'open', executionId: execution.id, limit: 100, after: null })) await desk.workflows.answer(review.id, { kind: 'approve', chosen: [0] }, 'the picture maker')
      ended = await desk.workflows.settled(execution.id, 5_000)
    }
    if (ended?.state !== 'done') throw new Error(`${slug} ended as ${ended?.state}: ${ended?.problem?.message}`)
    const outputs = ended.outputs as Record<string, Json>
    const sheet = (outputs.sheet ?? outputs.storyboard) as unknown as Media | undefined
    const pictures = sheet ? [await bytesOf(sheet)] : await Promise.all([...Object.keys(photos).flatMap(name => inputs[name] && typeof inputs[name] === 'string' ? [desk.assets.find(inputs[name] as string).then(asset => bytesOf({ asset: asset!.id } as Media))] : []), ...Object.values(outputs).flat().filter(one => typeof one === 'object').map(one => bytesOf(one as unknown as Media))])
    if (slug === 'visual-regression') pictures.push(await bytesOf((outputs.differences as unknown as Media[])[1]!))
    await (pictures.length === 1 && sheet ? sharp(pictures[0]).resize({ width: 1_200, withoutEnlargement: true }) : await inARow(pictures, 300)).webp({ quality: 80 }).toFile(join(import.meta.dirname, `${slug}.webp`))
    console.log(`${slug}: $${ended.costMicros / 1e6} of play money, ${Object.values(ended.counts).reduce((sum, one) => sum + one, 0)} steps`)
  }
} finally {
  await house.close()
  await rm(dataDir, { recursive: true, force: true })
}

async function inARow(pictures: Buffer[], height: number) {
  const small = await Promise.all(pictures.map(one => sharp(one).resize({ height }).png().toBuffer({ resolveWithObject: true })))
  const gap = 12
  let left = gap
  const placed = small.map(({ data, info }) => { const at = { input: data, left, top: gap }; left += info.width + gap; return at })
  return sharp({ create: { width: left, height: height + 2 * gap, channels: 3, background: '#edeff2' } }).composite(placed)
}
