import assert from 'node:assert/strict'
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import test from 'node:test'
import * as fc from 'fast-check'
import type { Asset } from '../domain/asset.ts'
import type { Card, CheckedOrder } from '../domain/card.ts'
import type { Order, Role } from '../domain/order.ts'
import type { Json } from '../domain/outcome.ts'
import { Problem } from '../domain/problem.ts'
import { loadCatalog, ownCards } from './catalog.ts'
import { CatalogError } from './load.ts'
import { parametersOf } from './parameters.ts'
import { draws } from '../../test/kit/chance.ts'

const catalog = loadCatalog()
const now = new Date('2026-11-21T00:00:00Z')

const picture = (change: Partial<Asset> = {}): Asset => ({
  id: '0'.repeat(32), projectId: '1'.repeat(32), livemode: false, kind: 'input', sha256: 'a'.repeat(64), mime: 'image/png', sizeBytes: 1_000, width: 1_000, height: 700,
  name: null, taskId: null, createdAt: now, expiresAt: null, ...change,
})
const orderOf = (order: Partial<Order>): Order => ({ model: 'nano-banana-2', prompt: 'a red kite', parameters: {}, inputs: [], ...order })
const check = (order: Partial<Order>, pictures: (Partial<Asset> & { role?: Role })[] = [], livemode = false): CheckedOrder =>
  catalog.check(orderOf({ ...order, inputs: pictures.map(({ role = 'reference' }) => ({ assetId: '0'.repeat(32), role })) }), pictures.map(({ role: _role, ...asset }) => picture(asset)), now, { livemode })

function refused(order: Partial<Order>, pictures: Parameters<typeof check>[1] = [], livemode = false): Problem {
  try {
    check(order, pictures, livemode)
  } catch (thrown) {
    assert.ok(thrown instanceof Problem, String(thrown))
    return thrown
  }
  throw new Error(`Nothing was refused: ${JSON.stringify(order)}`)
}

/** An order the card takes, with as little as possible. */
const plainest = (card: Card): [Partial<Order>, Partial<Asset>[]] => [
  { model: card.id, prompt: 'a red kite' },
  Array.from({ length: card.inputs.min }, () => ({ mime: card.inputs.mimes[0]! })),
]

for (const card of catalog.all()) {
  test(`${card.id}: the plainest order is taken and has a price`, () => {
    const checked = check(...plainest(card))
    // What runs on one's own machine costs nothing until its operator says so.
    assert.ok(Number.isInteger(checked.priceMicros) && (checked.priceMicros > 0 || card.maker === 'local' && checked.priceMicros === 0))
    assert.equal(checked.count, 1)
    for (const { source } of card.prices) assert.ok(source.length > 10)
    assert.ok(card.prices.some(({ from }) => from <= '2026-11-21'), 'a price that has begun')
  })

  for (const operation of card.operations) {
    for (const [name, property] of Object.entries(parametersOf(card, operation))) {
      const allowed = property.enum as Json[] | undefined
      if (!allowed) continue
      test(`${card.id} ${operation}: ${name} takes what its list has and nothing else`, () => {
        const pictures = card.inputs.max > 0 && operation !== 'generate' ? [{ mime: card.inputs.mimes[0]! }] : []
        const order = { model: card.id, operation, prompt: 'a red kite' }
        for (const value of allowed) assert.equal(check({ ...order, parameters: { [name]: value } }, pictures).parameters[name], value)
        for (const value of ['no such value', null, {}, -1, String(allowed[0]).toUpperCase() + ' ']) {
          const problem = refused({ ...order, parameters: { [name]: value } }, pictures)
          assert.equal(problem.code, 'unsupported_parameter')
          assert.equal(problem.details.field, `parameters.${name}`)
          assert.deepEqual(problem.details.allowed, allowed)
        }
      })
    }
  }

  test(`${card.id}: every dialect's name finds it`, () => {
    for (const [dialect, names] of Object.entries(card.dialects)) {
      for (const name of names) {
        assert.equal(catalog.find(name.id, dialect)?.card, card)
        assert.equal(catalog.find(name.id, dialect)?.name, name)
      }
    }
    for (const alias of [card.id, ...card.aliases]) assert.equal(catalog.find(alias)?.card, card)
    assert.equal(catalog.find(card.id.toUpperCase()), null)
  })
}

const price = (expected: number, ...order: Parameters<typeof check>) => assert.equal(check(...order).priceMicros, expected)

test('prices are those of the list', () => {
  price(40_000, {})
  price(60_000, { parameters: { resolution: '2K' } })
  price(270_000, { parameters: { resolution: '4K', count: 3 } })
  price(90_000, { model: 'nano-banana-pro' })
  price(120_000, { model: 'nano-banana-pro', parameters: { resolution: '4K' } })
  price(20_000, { model: 'google/nano-banana' })
  price(20_000, { model: 'google/nano-banana-edit' }, [{}])
  price(275_000, { model: 'kling-2.6' })
  price(1_100_000, { model: 'kling-2.6', parameters: { duration_s: 10, sound: true } })
  price(450_000, { model: 'kling-3.0', parameters: { resolution: '1080p' } })
  price(50_000, { model: 'topaz/image-upscale' }, [{ width: 1_000, height: 700 }])
  price(100_000, { model: 'topaz/image-upscale', parameters: { factor: 4 } }, [{ width: 1_000, height: 700 }])
  price(200_000, { model: 'topaz/image-upscale', parameters: { factor: 4 } }, [{ width: 2_000, height: 700 }])
  price(35_000, { model: 'flux-2-pro', parameters: { resolution: '2K' } })
  price(48_000, { model: 'flux-2-dev', parameters: { resolution: '2K' } })
  price(50_000, { model: 'ideogram-v3', parameters: { rendering_speed: 'quality' } })
  price(75_000, { model: 'seedream-4', parameters: { count: 3 } })
  price(1_000, { model: 'demo' })
  price(4_000, { model: 'sandbox-1', operation: 'video' })
})

const size = (expected: [number | null, number | null], ...order: Parameters<typeof check>) => {
  const { width, height } = check(...order)
  assert.deepEqual([width, height], expected)
}

test('pixels come from the tables', () => {
  size([1024, 1024], {})
  size([1376, 768], { parameters: { aspect_ratio: '16:9' } })
  size([1344, 768], { model: 'nano-banana', parameters: { aspect_ratio: '16:9' } })
  size([5504, 3072], { parameters: { aspect_ratio: '16:9', resolution: '4K' } })
  size([512, 512], { parameters: { resolution: '512' } })
  size([1280, 720], { model: 'kling-2.6', parameters: { aspect_ratio: '16:9' } })
  size([1080, 1920], { model: 'kling-3.0', parameters: { aspect_ratio: '9:16', resolution: '1080p' } })
})
test('named shapes have 1024 on the longer edge, areas a megapixel', () => {
  size([1024, 576], { model: 'qwen-image', parameters: { aspect_ratio: '16:9' } })
  size([512, 512], { model: 'qwen-image', parameters: { resolution: '512' } })
  size([4096, 3072], { model: 'seedream-4', parameters: { aspect_ratio: '4:3', resolution: '4K' } })
  size([2720, 1536], { model: 'flux-2-pro', parameters: { aspect_ratio: '16:9', resolution: '2K' } })
})
test('auto follows the first picture to the nearest ratio', () => {
  size([1264, 848], {}, [{ width: 3_000, height: 2_010 }, { width: 10, height: 90 }])
  size([1024, 1024], {}, [{ width: null, height: null }])
  size([720, 1280], { model: 'sora-2' }, [{ width: 900, height: 1_600, role: 'first_frame' }])
})
test('an upscale multiplies, a cut-out keeps', () => {
  size([2_000, 1_400], { model: 'topaz-image-upscale' }, [{}])
  size([null, null], { model: 'recraft-remove-background' }, [{}])
})

test('the operation follows from name and pictures', () => {
  const operation = (expected: string, ...order: Parameters<typeof check>) => assert.equal(check(...order).operation, expected)
  operation('generate', {})
  operation('edit', {}, [{}])
  operation('edit', { model: 'nano-banana-2-edit' }, [{}])
  operation('edit', { model: 'demo' }, [{}])
  operation('video', { model: 'kling-2.6' }, [{ role: 'first_frame' }])
  operation('upscale', { model: 'recraft/crisp-upscale' }, [{}])
})

const no = (name: string, code: string, field: string, ...order: Parameters<typeof refused>) => test(`refused: ${name}`, () => {
  const problem = refused(...order)
  assert.equal(problem.code, code)
  assert.equal(problem.details.field, field)
})

no('an unknown model', 'unknown_model', 'model', { model: 'nano-bananna-2' })
no('a model by another case', 'unknown_model', 'model', { model: 'Nano-Banana-2' })
no('a model called like a method', 'unknown_model', 'model', { model: 'constructor' })
no('an unknown parameter', 'unsupported_parameter', 'parameters.style', { parameters: { style: 'oil' } })
no('a parameter called __proto__', 'unsupported_parameter', 'parameters.__proto__', { parameters: JSON.parse('{"__proto__":1}') })
no('a count as text', 'unsupported_parameter', 'parameters.count', { parameters: { count: '2' } })
no('a count of nothing', 'unsupported_parameter', 'parameters.count', { parameters: { count: 0 } })
no('too many', 'unsupported_parameter', 'parameters.count', { parameters: { count: 5 } })
no('a broken seed', 'unsupported_parameter', 'parameters.seed', { parameters: { seed: 1.5 } })
no('a factor for a new picture', 'unsupported_parameter', 'parameters.factor', { model: 'sandbox-1', parameters: { factor: 2 } })
no('512 where the model has none', 'unsupported_parameter', 'parameters.resolution', { model: 'nano-banana-2-1', parameters: { resolution: '512' } })
no('no prompt', 'bad_request', 'prompt', { prompt: ' \n' })
no('a prompt too long', 'bad_request', 'prompt', { prompt: 'x'.repeat(1_048_577) })
no('half a surrogate pair', 'bad_request', 'prompt', { prompt: 'a\ud800' })
no('NUL', 'bad_request', 'prompt', { prompt: 'a\0' })
no('an edit of nothing', 'bad_request', 'inputs', { operation: 'edit' })
no('an upscale of nothing', 'bad_request', 'inputs', { model: 'topaz-image-upscale' })
no('a new picture from pictures', 'unsupported_parameter', 'inputs', { operation: 'generate' }, [{}])
no('too many pictures', 'unsupported_parameter', 'inputs', {}, Array.from({ length: 15 }, () => ({})))
no('a film by a picture model', 'unsupported_parameter', 'operation', { operation: 'video' })
no('a name that means something else', 'unsupported_parameter', 'operation', { model: 'nano-banana-edit', operation: 'generate' })
const masked = (mask: Partial<Asset>): Parameters<typeof check>[1] => [{}, { role: 'mask', ...mask }]
no('a mask of another size', 'bad_input_image', 'inputs[1]', { model: 'gpt-image-2' }, masked({ width: 500, height: 350 }))
no('a mask on its side', 'bad_input_image', 'inputs[1]', { model: 'gpt-image-2' }, masked({ width: 700, height: 1_000 }))
test('a mask of the size of its picture is taken', () => { assert.equal(check({ model: 'gpt-image-2' }, masked({})).operation, 'edit') })
test('a size is told as people write one', () => assert.match(refused({ model: 'gpt-image-2', parameters: { size: '1024X1024' } }).message, /^size must be written as 1024x1024, or auto, not "1024X1024"\.$/))
no('a role it does not know', 'unsupported_parameter', 'inputs[0].role', {}, [{ role: 'mask' }])
no('a role too often', 'unsupported_parameter', 'inputs[1].role', { model: 'kling-3.0' }, [{ role: 'first_frame' }, { role: 'first_frame' }])
no('a type it does not take', 'bad_input_image', 'inputs[0]', {}, [{ mime: 'image/gif' }])
no('too many bytes', 'bad_input_image', 'inputs[0]', {}, [{ sizeBytes: 40 * 1024 * 1024 }])
no('too many pixels', 'bad_input_image', 'inputs[0]', {}, [{ width: 10_000, height: 10_000 }])
no('an upscale of unknown size', 'bad_input_image', 'inputs[0]', { model: 'topaz-image-upscale' }, [{ width: null, height: null }])
no('a giant', 'unsupported_parameter', 'parameters.factor', { model: 'topaz-image-upscale', parameters: { factor: 4 } }, [{ width: 6_000, height: 100 }])
no('too much to decode', 'unsupported_parameter', 'parameters.factor', { model: 'topaz-image-upscale', parameters: { factor: 4 } }, [{ width: 4_000, height: 4_000 }])
no('a retired model, live', 'model_retired', 'model', { model: 'sora-2' }, [], true)

test('a prompt counts by characters, not by halves of them', () => { check({ model: 'nano-banana', prompt: '🪁'.repeat(5_000) }) })
test('a retired model works under a test key', () => { assert.equal(check({ model: 'sora-2' }).priceMicros, 400_000) })
test('a deprecated model says so, live', () => {
  assert.match(check({}, [], true).warnings[0]!, /nano-banana-2-1/)
  assert.deepEqual(check({}).warnings, [])
})
test('a model whose last day is known says so, and is retired from that day on, without a restart', () => {
  let today = new Date('2026-11-30T23:59:59Z')
  const dated = loadCatalog([ownCards], () => today)
  const order = { ...orderOf({ model: 'gpt-image-1.5' }), inputs: [] }
  const life = () => { const { state, since, ends } = dated.find('gpt-image-1.5')!.card.life; return [state, since, ends] }
  assert.deepEqual(life(), ['deprecated', undefined, '2026-12-01'])
  assert.match(dated.check(order, [], today, { livemode: true }).warnings[0]!, /ends on 2026-12-01; use gpt-image-2/)
  assert.equal(dated.serving('gpt-image-1.5')!.card.id, 'gpt-image-1.5')

  today = new Date('2026-12-01T00:00:00Z')
  assert.throws(() => dated.check(order, [], today, { livemode: true }), (thrown: unknown) => thrown instanceof Problem && thrown.code === 'model_retired' && /retired on 2026-12-01. Use gpt-image-2/.test(thrown.message))
  assert.deepEqual(life(), ['retired', '2026-12-01', '2026-12-01'])
  assert.equal(dated.all().find(({ id }) => id === 'gpt-image-1-mini')!.life.state, 'retired')
  assert.equal(dated.serving('gpt-image-1.5')!.card.id, 'gpt-image-2')
  assert.ok(dated.check(order, [], today, { livemode: true, retired: 'replace' }).replaces)
  assert.equal(dated.check(order, [], today, { livemode: false }).card.id, 'gpt-image-1.5', 'under a test key everything goes on')
})
test('a model in good standing says its last day too, once that is known', () => {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'plantain-ends-'))
  try {
    writeFileSync(path.join(folder, 'nano-banana-2-1.json'), JSON.stringify({ extends: 'nano-banana-2-1', life: { ends: '2027-03-01', replacement: 'nano-banana-pro' } }))
    const dated = loadCatalog([ownCards, folder], () => now)
    const warnings = (livemode: boolean) => dated.check({ ...orderOf({ model: 'nano-banana-2-1' }), inputs: [] }, [], now, { livemode }).warnings
    assert.deepEqual([warnings(true), warnings(false)], [['nano-banana-2-1 ends on 2027-03-01; use nano-banana-pro.'], []])
  } finally { rmSync(folder, { recursive: true }) }
})
test('a mistyped name is answered with near ones', () => {
  assert.ok((refused({ model: 'nano-bananna-2' }).details.near as string[]).includes('nano-banana-2'))
  assert.deepEqual(refused({ model: 'x'.repeat(5_000) }).details.near, [])
})
test('several mistakes are all named', () => {
  const problem = refused({ prompt: '', parameters: { resolution: '8K', nonsense: 1 } }, [{ mime: 'image/gif' }])
  assert.deepEqual((problem.details.problems as { field: string }[]).map(({ field }) => field), ['prompt', 'parameters.resolution', 'parameters.nonsense', 'inputs[0]'])
  assert.match(problem.message, /and 3 more mistakes/)
})
test('a refused value is never echoed at length', () => {
  assert.ok(JSON.stringify(refused({ parameters: { resolution: 'x'.repeat(1_000_000) } }).details).length < 2_000)
})
test('an order is left as it was', () => {
  const parameters = Object.freeze({ resolution: '2K' })
  assert.equal(check({ parameters }).parameters.output_format, 'png')
  assert.deepEqual(parameters, { resolution: '2K' })
})

test('whatever an order holds, it is taken with a price or refused with a problem', () => {
  const value = fc.oneof(fc.jsonValue({ maxDepth: 1 }), fc.constantFrom<Json>('auto', '1:1', '8:1', '4K', '720p', 'png', 1, 2, 5, 10, true)) as fc.Arbitrary<Json>
  const orders = fc.record({
    model: fc.oneof({ weight: 9, arbitrary: fc.constantFrom(...catalog.all().map(({ id }) => id)) }, { weight: 1, arbitrary: fc.string({ maxLength: 12 }) }),
    operation: fc.constantFrom(undefined, undefined, undefined, undefined, 'generate', 'edit', 'upscale', 'remove_background', 'video'),
    prompt: fc.oneof({ weight: 4, arbitrary: fc.constant('a kite') }, { weight: 1, arbitrary: fc.string({ unit: 'binary', maxLength: 20 }) }),
    parameters: fc.oneof(
      fc.dictionary(fc.constantFrom('aspect_ratio', 'resolution', 'output_format', 'count', 'seed', 'factor', 'duration_s', 'sound', 'quality', 'toString', '__proto__'), value, { maxKeys: 2 }),
      fc.record({ aspect_ratio: fc.constantFrom('auto', '1:1', '16:9'), count: fc.constantFrom(1, 2) }, { requiredKeys: [] }),
    ),
  })
  const pictures = fc.array(fc.record({ mime: fc.constantFrom('image/png', 'image/png', 'image/gif'), width: fc.option(fc.integer({ min: 1, max: 8_000 })), height: fc.option(fc.integer({ min: 1, max: 8_000 })), role: fc.constantFrom<Role>('reference', 'reference', 'first_frame', 'mask') }), { maxLength: 2 })
  let taken = 0
  fc.assert(fc.property(orders, pictures, fc.boolean(), (order, pictures, livemode) => {
    try {
      const { card, priceMicros, width, height } = check(order as Partial<Order>, pictures, livemode)
      taken++
      assert.ok(Number.isInteger(priceMicros) && (priceMicros > 0 || card.maker === 'local' && priceMicros === 0))
      assert.ok((width === null) === (height === null) && (width === null || (Number.isInteger(width) && width > 0)))
    } catch (thrown) {
      assert.ok(thrown instanceof Problem && thrown.code !== 'internal', String(thrown))
    }
  }), draws(2_000))
  assert.ok(taken > 50, `only ${taken} were taken`)
})

function withCards(change: (folder: string) => void, run: (folder: string) => void) {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'cards-'))
  try {
    cpSync(ownCards, folder, { recursive: true })
    change(folder)
    run(folder)
  } finally {
    rmSync(folder, { recursive: true })
  }
}
const edit = (folder: string, file: string, change: (card: Record<string, any>) => void) => {
  const card = JSON.parse(readFileSync(path.join(folder, file), 'utf8'))
  change(card)
  writeFileSync(path.join(folder, file), JSON.stringify(card))
}

test('mistakes in cards are all reported at once, with file and place', () => withCards(folder => {
  edit(folder, 'nano-banana.json', card => { card.kind = 'sculpture'; card.surprise = 1 })
  edit(folder, 'nano-banana-2.json', card => { card.prices[0].rows.pop() })
  edit(folder, 'nano-banana-pro.json', card => { card.parameters.properties.resolution.default = '9K' })
  edit(folder, 'kling-2.6.json', card => { card.dialects.kie[0].fields.sound = 'noise' })
  edit(folder, 'qwen-image.json', card => { card.dialects.kie[0].input.properties.image_size['x-house'].square = '1:1' })
  edit(folder, 'kling-3.0.json', card => { card.parameters.properties.sound.tpye = 'boolean' })
  edit(folder, 'sora-2.json', card => { card.aliases = ['sandbox-1']; card.life.replacement = 'nothing' })
  writeFileSync(path.join(folder, 'broken.json'), '{')
}, folder => {
  assert.throws(() => loadCatalog([folder]), thrown => {
    assert.ok(thrown instanceof CatalogError)
    for (const expected of [/nano-banana\.json\/kind/, /nano-banana\.json.*surprise/, /nano-banana-2\.json\/prices\/0: no row for .*4K/, /nano-banana-pro\.json.*resolution\/default/,
      /kling-2\.6\.json.*noise/, /qwen-image\.json\/dialects\/kie\/0\/input\/properties\/image_size\/x-house: square must be a list of 2/, /kling-3\.0\.json.*tpye/, /broken\.json/, /sora-2\.json.*there is no card nothing/, /the name sandbox-1 \(native\) is taken/]) {
      assert.match(thrown.message, expected)
    }
    return true
  })
}))
test('every schema of our own cards compiles, which no start looks at again', () => withCards(() => {}, folder => {
  assert.equal(loadCatalog([folder]).all().length, catalog.all().length)
}))
test('a card of the operator takes the place of ours', () => withCards(folder => {
  for (const name of ['nano-banana-2.json']) edit(folder, name, card => { for (const row of card.prices[0].rows) row.micros = 7 })
}, folder => {
  assert.equal(loadCatalog([ownCards, folder]).check(orderOf({}), [], now, { livemode: false }).priceMicros, 7)
}))

const sized = (size: string, width: number, height: number, micros: number) => test(`${size} of gpt-image-2 is ${width}x${height} and costs ${micros}`, () => {
  const checked = check({ model: 'gpt-image-2', parameters: { size } })
  assert.deepEqual([checked.width, checked.height, checked.priceMicros], [width, height, micros])
})
sized('1024x1024', 1024, 1024, 53_000)
sized('1536x1024', 1536, 1024, 41_000)
sized('2048x2048', 2048, 2048, 212_000)
sized('256x256', 256, 256, 3_313)
sized('auto', 1024, 1024, 53_000)

test('auto follows the first picture into one of three shapes', () => {
  const checked = check({ model: 'gpt-image-2', operation: 'edit' }, [{ width: 700, height: 1_000 }])
  assert.deepEqual([checked.width, checked.height], [1024, 1536])
})

for (const [size, why] of [['900x900', /multiples of 16/], ['128x1024', /at least 256/], ['4096x1600', /at most 3840/], ['2048x512', /between 1:3 and 3:1/], ['3840x3840', /at most 8294400 pixels/]] as const) {
  test(`refused: ${size} of gpt-image-2`, () => {
    const { code, message, details } = refused({ model: 'gpt-image-2', parameters: { size } })
    assert.deepEqual([code, details.field], ['unsupported_parameter', 'parameters.size'])
    assert.match(message, why)
  })
}
