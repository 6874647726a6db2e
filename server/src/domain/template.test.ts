import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Order } from './order.ts'
import { Problem } from './problem.ts'
import { checkBody, fillTemplate, parseText, readTemplateName, type TemplateBody, type TemplateVariable } from './template.ts'

const card = { operations: ['generate', 'edit'] as const, parameters: { properties: { seed: {}, aspect_ratio: {} } } }
const body = (more: Partial<TemplateBody> = {}): TemplateBody => ({ model: 'm', prompt: '{{prompt}}', variables: [{ name: 'prompt', type: 'text' }], parameters: {}, locked: [], pictures: [], ...more })
const fill = (template: Partial<TemplateBody>, order: Partial<Order> = {}, of: { parameters: object } = card) =>
  fillTemplate({ stamp: { id: 'i', slug: 's', version: 1 }, body: body(template) }, { model: 'template:s', prompt: '', parameters: {}, inputs: [], ...order }, { ...card, ...of } as typeof card, false).order
const refused = (work: () => unknown, field: string, words: RegExp) => assert.throws(work, (thrown: unknown) => thrown instanceof Problem && thrown.details.field === field && words.test(thrown.message))
const a = 'a'.repeat(32), b = 'b'.repeat(32), c = 'c'.repeat(32)
const red: TemplateVariable[] = [{ name: 'thing', type: 'text' }, { name: 'colour', type: 'choice', choices: ['red', 'blue'], default: 'red' }]

test('a template is named by slug and what stands behind the @', () => {
  assert.deepEqual(readTemplateName('template:a-b'), { slug: 'a-b', wanted: { kind: 'main' } })
  assert.deepEqual(readTemplateName('template:a@12'), { slug: 'a', wanted: { kind: 'version', number: 12 } })
  assert.deepEqual(readTemplateName('template:a@next.1'), { slug: 'a', wanted: { kind: 'label', label: 'next.1' } })
  assert.deepEqual(readTemplateName('template:a@draft'), { slug: 'a', wanted: { kind: 'draft' } })
  for (const name of ['template:', 'template:A', 'template:a@', 'template:a@0', 'template:a@b@c', 'template:a b', 'template:../x', 'template:-a']) assert.throws(() => readTemplateName(name), Problem, name)
})

test('values go in as they are, and are never read for variables again', () => {
  assert.equal(fill({ prompt: 'A {{thing}}, {{ colour }}.', variables: red }, { prompt: '{"thing":"{{colour}} {{#colour}}x{{/colour}} $& $1","colour":"blue"}' }).prompt, 'A {{colour}} {{#colour}}x{{/colour}} $& $1, blue.')
})
test('a text that is put together to hurt is read and refused as fast as any other', () => {
  const blanks = `{{${' '.repeat(150_000)}`
  assert.deepEqual(parseText(blanks, 'prompt'), [blanks])
  assert.equal(fill({ prompt: '{{  #  thing }}{{ thing\n}}{{/ thing}}', variables: red }, { variables: { thing: 'x' } }).prompt, 'x')
  const often: Partial<TemplateBody> = { prompt: '{{thing}}'.repeat(20_000), variables: red }
  refused(() => fill(often, { variables: { thing: 'x'.repeat(200_000) } }), 'variables', /4000000000 characters, and at most 2000000/)
  assert.equal(fill(often, { variables: { thing: 'x' } }).prompt.length, 20_000)
})
test('every mistake is told, in one sentence after the other', () => {
  const many: TemplateVariable[] = [...red, { name: 'size', type: 'choice', choices: Array.from({ length: 200 }, (_, index) => `${index} ${'x'.repeat(900)}`) }]
  assert.throws(() => fill({ prompt: '{{thing}}', variables: many }, { variables: { colour: 'green', size: 'none', odd: 1 } }), (thrown: unknown) => {
    assert.ok(thrown instanceof Problem)
    for (const words of [/no variable odd/, /thing is missing/, /colour must be one of red, blue\./, /size must be one of 0 x+…/]) assert.match(thrown.message, words)
    return thrown.message.length < 2_000 && (thrown.details.problems as unknown[]).length === 4
  })
  const odd = Object.fromEntries(Array.from({ length: 20 }, (_, index) => [`odd${index}`, 1]))
  refused(() => fill({ prompt: '{{thing}}', variables: red }, { variables: { thing: 'x', ...odd } }), 'variables.odd0', /no variable odd7.*\(and 12 more mistakes\)$/)
})
test('a part is written where its variable has something to say', () => {
  const variables: TemplateVariable[] = [{ name: 'prompt', type: 'text' }, { name: 'title', type: 'text', required: false }, { name: 'snow', type: 'boolean', default: false }, { name: 'n', type: 'integer', default: 0 }]
  const prompt = '{{prompt}}{{#title}} called {{title}}{{#snow}} in snow{{/snow}}{{/title}}{{#n}} n={{n}}{{/n}} {{snow}}'
  assert.equal(fill({ prompt, variables }, { prompt: 'x' }).prompt, 'x n=0 false')
  assert.equal(fill({ prompt, variables }, { variables: { prompt: 'x', title: 'T', snow: true, n: 2 } }).prompt, 'x called T in snow n=2 true')
})
test('braces around no name are text', () => {
  assert.deepEqual(parseText('{ {{ }} {{1}} {{a-b}} }}', 'prompt'), ['{ {{ }} {{1}} {{a-b}} }}'])
  refused(() => parseText('{{#a}} x', 'prompt'), 'prompt', /not closed/)
  refused(() => parseText('x {{/a}}', 'prompt'), 'prompt', /closes nothing/)
  refused(() => parseText('{{#a}}{{#b}}{{/a}}{{/b}}', 'prompt'), 'prompt', /closes/)
})
test('notes stand behind the prompt; what shall not be there goes where the model has a place for it', () => {
  const notes = { style: 'ink', brand: 'Acme {{prompt}}', negative: 'text' }
  assert.equal(fill(notes, { prompt: 'a cup' }).prompt, 'a cup\n\nStyle: ink\n\nBrand: Acme a cup\n\nAvoid: text')
  const own = fill(notes, { prompt: 'a cup' }, { parameters: { properties: { negative_prompt: {} } } })
  assert.deepEqual([own.prompt, own.parameters], ['a cup\n\nStyle: ink\n\nBrand: Acme a cup', { negative_prompt: 'text' }])
})
test('a prompt that is JSON of its own is text', () => {
  assert.equal(fill({}, { prompt: '{"scene":"a harbour"}' }).prompt, '{"scene":"a harbour"}')
  assert.equal(fill({}, { prompt: '{"prompt":"a harbour"}' }).prompt, 'a harbour')
  assert.equal(fill({}, { prompt: '{no json' }).prompt, '{no json')
  assert.equal(fill({ prompt: 'fixed', variables: [] }, { prompt: '{}' }).prompt, 'fixed')
})
test('plain words go to the variable prompt, to the only text, or to the only one that is needed', () => {
  assert.equal(fill({ prompt: 'A {{thing}}.{{#note}} {{note}}{{/note}}', variables: [{ name: 'note', type: 'text', required: false }, { name: 'thing', type: 'text' }, { name: 'place', type: 'text', default: 'here' }] }, { prompt: 'cup' }).prompt, 'A cup.')
  refused(() => fill({ prompt: '', variables: [{ name: 'x', type: 'text' }, { name: 'y', type: 'text' }] }, { prompt: 'words' }), 'prompt', /JSON object/)
  assert.equal(fill({ prompt: 'A {{thing}} in {{colour}}', variables: red }, { prompt: ' cup ' }).prompt, 'A cup in red')
  refused(() => fill({ prompt: '', variables: [{ name: 'x', type: 'text', required: false }, { name: 'y', type: 'text', required: false }] }, { prompt: 'words' }), 'prompt', /JSON object/)
  refused(() => fill({}, { prompt: 'a', variables: { prompt: 'b' } }), 'variables.prompt', /given twice/)
})

const images: TemplateVariable[] = [{ name: 'room', type: 'image', role: 'reference' }, { name: 'chair', type: 'image', role: 'object', required: false }]
test('pictures fill image variables in order, further ones go along, the template\'s own come last', () => {
  const pictures = [{ role: 'style' as const, sha256: '', mime: '', width: 1, height: 1, sizeBytes: 1, test: c, live: 'd'.repeat(32) }]
  const filled = fill({ prompt: 'Put {{chair}} into {{room}}', variables: images, pictures }, { inputs: [{ assetId: 'm'.repeat(32), role: 'mask' }, { assetId: a, role: 'reference' }, { assetId: b, role: 'reference' }] })
  assert.deepEqual(filled, { prompt: 'Put image 2 into image 1', parameters: {}, inputs: [{ assetId: a, role: 'reference' }, { assetId: b, role: 'object' }, { assetId: 'm'.repeat(32), role: 'mask' }, { assetId: c, role: 'style' }] })
  assert.deepEqual(fill({ prompt: 'x', variables: images }, { variables: { chair: b }, inputs: [{ assetId: a, role: 'reference' }] }).inputs, [{ assetId: a, role: 'reference' }, { assetId: b, role: 'object' }])
  refused(() => fill({ prompt: 'x', variables: images }), 'variables.room', /needs a picture/)
})
test('a door that says generate means it only where the template has no picture', () => {
  const pictures = [{ role: 'style' as const, sha256: '', mime: '', width: 1, height: 1, sizeBytes: 1, test: c, live: c }]
  assert.equal(fill({ pictures }, { prompt: 'x', operation: 'generate' }).operation, undefined)
  assert.equal(fill({ operation: 'edit', pictures }, { prompt: 'x', operation: 'generate' }).operation, 'edit')
  assert.equal(fill({}, { prompt: 'x', operation: 'generate' }).operation, 'generate')
  refused(() => fill({ operation: 'generate' }, { prompt: 'x', operation: 'edit', inputs: [{ assetId: a, role: 'reference' }] }), 'operation', /there to generate/)
})
test('what is locked stays; saying the same is no change', () => {
  const locked = { parameters: { seed: 7 }, locked: ['seed', 'aspect_ratio'] }
  assert.deepEqual(fill(locked, { prompt: 'x', parameters: { seed: 7 } }).parameters, { seed: 7 })
  refused(() => fill(locked, { prompt: 'x', parameters: { seed: 8 } }), 'parameters.seed', /locked by the template s to 7/)
  refused(() => fill(locked, { prompt: 'x', parameters: { aspect_ratio: '1:1' } }), 'parameters.aspect_ratio', /locked by the template s\. Leave it out/)
  assert.deepEqual(fill({ parameters: { seed: 7 } }, { prompt: 'x', parameters: { seed: 8 } }).parameters, { seed: 8 })
})

const flaws: [variable: Partial<TemplateVariable>, value: unknown, words: RegExp][] = [
  [{ type: 'text' }, 5, /must be text, not a number/], [{ type: 'text', max: 3 }, 'four', /0 to 3 characters, not 4/], [{ type: 'text', min: 2 }, 'x', /2 to/], [{ type: 'text' }, 'a\0', /well-formed/], [{ type: 'text' }, ['x'], /not a list/],
  [{ type: 'number' }, '5', /must be a number, not text/], [{ type: 'number', min: 1, max: 2 }, 3, /between 1 and 2/], [{ type: 'integer' }, 1.5, /whole number/], [{ type: 'number', max: 2 }, 3, /at most 2/],
  [{ type: 'boolean' }, 'true', /true or false, not text/], [{ type: 'choice', choices: ['a', 'b'] }, 'c', /one of a, b/], [{ type: 'image' }, 'x.png', /id of an asset/], [{ type: 'text' }, {}, /not an object/],
]
for (const [variable, value, words] of flaws) test(`${JSON.stringify(variable)} is not ${JSON.stringify(value)}`, () => refused(() => fill({ prompt: '', variables: [{ name: 'v', type: 'text', ...variable }] }, { variables: { v: value as never } }), 'variables.v', words))
test('every mistake is told', () => assert.throws(() => fill({ prompt: '', variables: red }, { variables: { colour: 'green', other: 1 } }), (thrown: unknown) => thrown instanceof Problem && (thrown.details.problems as unknown[]).length === 3))
test('names of an object\'s own make are no variables', () => {
  refused(() => fill({}, { variables: JSON.parse('{"prompt":"x","__proto__":{"a":1}}') }), 'variables.__proto__', /no variable/)
  refused(() => fill({}, { variables: { prompt: 'x', constructor: 'y' } }), 'variables.constructor', /no variable/)
})

const unsound = (what: string, more: Partial<TemplateBody>, field: string, words: RegExp) => test(`no template with ${what}`, () => refused(() => checkBody(body(more)), field, words))
unsound('a variable nobody declared', { prompt: '{{other}}' }, 'prompt', /no such variable/)
unsound('one in a note', { style: '{{other}}' }, 'style', /no such variable/)
unsound('two of a name', { variables: [{ name: 'prompt', type: 'text' }, { name: 'prompt', type: 'text' }] }, 'variables[1].name', /two variables/)
unsound('a name with a hyphen', { variables: [{ name: 'a-b', type: 'text' }] }, 'variables[0].name', /named with/)
unsound('a choice of nothing', { variables: [{ name: 'x', type: 'choice' }] }, 'variables[0].choices', /needs choices/)
unsound('choices of a number', { variables: [{ name: 'x', type: 'number', choices: ['1'] }] }, 'variables[0].choices', /go with a choice/)
unsound('bounds upside down', { variables: [{ name: 'x', type: 'number', min: 2, max: 1 }] }, 'variables[0].min', /above its max/)
unsound('bounds of a choice', { variables: [{ name: 'x', type: 'choice', choices: ['a'], max: 1 }] }, 'variables[0].max', /goes with text and numbers/)
unsound('a default that does not fit', { variables: [{ name: 'x', type: 'integer', default: 'a' }] }, 'variables[0].default', /default of x must be a number/)
unsound('a default that is required', { variables: [{ name: 'x', type: 'text', default: 'a', required: true }] }, 'variables[0].required', /never missing/)
unsound('a default picture', { variables: [{ name: 'x', type: 'image', default: 'a' }] }, 'variables[0].default', /no default/)
unsound('a role of a text', { variables: [{ name: 'x', type: 'text', role: 'style' }] }, 'variables[0].role', /goes with an image/)
unsound('NUL', { prompt: 'a\0' }, 'prompt', /well-formed/)
unsound('a lock twice', { locked: ['seed', 'seed'] }, 'locked', /once/)
