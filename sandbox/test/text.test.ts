/** The text maker: translation by phrases, rewriting by rules, description by measuring. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import sharp from 'sharp'
import { render } from '../src/index.ts'
import { known } from '../src/text/languages.ts'
import { phraseIn, phrases } from '../src/text/phrases.ts'
import { write, type TextRequest } from '../src/text/write.ts'

const say = async (prompt: string, more: Partial<TextRequest> = {}) => write({ prompt, pictures: [], tokensMax: 1_000, ...more })
const into = (language: string) => ({ system: `Translate the text the user sends into ${language}. Answer with the translation and nothing else.` })
const says = (what: string, prompt: string, more: Partial<TextRequest>, expected: string) => test(what, async () => assert.equal((await say(prompt, more)).text, expected))

describe('a translation', () => {
  says('knows what shops say', 'Free shipping', into('German (de)'), 'Kostenloser Versand')
  says('takes a text apart at its seams and keeps what stands between', 'Summer sale! Up to 50% off – shop now', into('French'), 'Soldes d’été! Jusqu’à 50% de réduction – acheter maintenant')
  says('keeps numbers, prices and lines', 'From $9.99\nNew arrivals', into('es'), 'Desde $9.99\nNovedades')
  says('keeps shouting', 'SUMMER SALE', into('Italian'), 'SALDI ESTIVI')
  says('writes Japanese marks', 'Sold out!', into('Japanese (ja)'), '完売！')
  says('says what it does not know, and where', 'Summer sale, made of moonlight', into('de'), 'Sommer-Sale, [de] made of moonlight')
  says('marks a language it has no phrases for', 'Summer sale', into('Polish (pl)'), '[pl] Summer sale')
  says('leaves a text without words alone', '3.99 / 12:30', into('de'), '3.99 / 12:30')
  says('is understood in a single prompt too', 'Translate into German: Free shipping', {}, 'Kostenloser Versand')

  test('has every phrase in every language, with the numbers of the original', () => {
    assert.equal(new Set(phrases).size, phrases.length)
    for (const phrase of phrases) for (const language of known) {
      const found = phraseIn(phrase, language)
      assert.ok(found && found.split('#').length === phrase.split('#').length, `${phrase} in ${language}`)
    }
  })
  test('tells the parts it did not know', async () => {
    assert.deepEqual((await say('Sale. Zorblax', into('de'))).understood, { task: 'translate', unknown: ['Zorblax'] })
  })
})

describe('a rewriting', () => {
  const by = (wish: string) => ({ system: `Rewrite the text the user sends. ${wish} Answer with the new text and nothing else.` })
  says('can be formal', 'Hi! We\'re open. Don\'t miss it!', by('Make it sound formal.'), 'Hello. We are open. Do not miss it.')
  says('can be shorter', 'Our shoes are very good. They last.', by('Make it shorter.'), 'Our shoes are good.')
  says('can be excited, in capitals', 'New shoes.', by('Make it sound exciting, all caps.'), 'NEW SHOES!')
  says('can be a headline', 'the art of good bread.', by('As a headline.'), 'The Art of Good Bread')
  says('says when it knows no rule', 'New shoes.', by('In the manner of Goethe.'), '[unchanged] New shoes.')
})

describe('a prompt that is put together to hurt', () => {
  // Each of them took minutes to years, on the thread that serves everybody, while white space and quotes could be shared out in every way.
  const many = 300_000
  for (const [what, prompt, more] of [
    ['quotes', `${'"'.repeat(many)}\n:`, {}], ['blanks after say', `say a${' '.repeat(many)}b`, {}], ['the word translate', 'translate '.repeat(many / 10), {}],
    ['blanks', `a${' '.repeat(many)}b`, into('de')], ['dots', `a${'.'.repeat(many)}b`, into('de')], ['quotes in a translation', `a${'"'.repeat(many)}b`, into('de')], ['dots in a headline', `a${'.'.repeat(many)}b`, { system: 'Rewrite it as a headline.' }],
  ] as const) test(`of ${what} is answered as fast as any other`, async () => { assert.ok((await say(prompt, { tokensMax: 50, ...more })).text.length > 0) })
})
describe('what is to be said', () => {
  says('is said', 'Say hello', {}, 'hello')
  says('is said without its quotes', 'Reply with just: "Hello, you"', {}, 'Hello, you')
  says('begins behind whole words', 'Answer only justice', {}, 'justice')
  says('may be quoted within an instruction', 'Translate “Free shipping” into German, please', {}, 'Kostenloser Versand')
})
describe('a description', () => {
  test('measures a picture it knows nothing of, and says that it cannot see', async () => {
    const picture = await sharp({ create: { width: 300, height: 200, channels: 3, background: '#2050d0' } }).jpeg().toBuffer()
    assert.equal((await say('Describe this picture.', { pictures: [picture] })).text,
      'Landscape picture of 300 × 200 pixels, mostly blue. What it shows cannot be told: this is the sandbox, which measures pictures and does not see them.')
    assert.equal((await say('Describe this picture in one sentence.', { pictures: [picture] })).text, 'A landscape picture, mostly blue.')
  })
  test('of a picture of ours says what was drawn', async () => {
    const { bytes } = await render({ operation: 'generate', prompt: 'a poster with a fox in the snow, saying "OPEN"', inputs: [], width: 256, height: 320, format: 'png', seed: 3 })
    const { text } = await say('Describe this picture in one sentence.', { pictures: [bytes] })
    assert.match(text, /^Poster with fox.*saying “OPEN”/)
    const long = (await say('Describe this picture in detail.', { pictures: [bytes] })).text
    assert.match(long, /Portrait picture of 256 × 320 pixels.*drawn by the sandbox renderer.*It was asked for as: “a poster with a fox/)
  })
  test('numbers several', async () => {
    const picture = async (background: string) => sharp({ create: { width: 64, height: 64, channels: 4, background } }).png().toBuffer()
    assert.equal((await say('Describe them, short.', { pictures: [await picture('#ffffff'), await picture('#00000000')] })).text, '1. A square picture, mostly white, bright.\n2. A square picture.')
  })
  test('of bytes that are no picture is refused', async () => {
    await assert.rejects(say('Describe it.', { pictures: [Buffer.from('no picture')] }), { name: 'RenderError' })
  })
})

describe('the rest', () => {
  says('is said back where it was asked for', 'Answer with exactly: ready', {}, 'ready')
  says('names what it was given', 'Write a headline for the new bakery', {}, 'The New Bakery')
  says('lists', 'Give me 2 prompts for a red mug', {}, 'a red mug in morning light\na red mug at dusk')
  says('says plainly that nobody understood it', 'Why?', {}, '[sandbox] No language model is at work here. Asked was: Why?')
  test('ends at the tokens it was allowed', async () => {
    const { text, finish, tokens } = await say('Say abcdefghijkl', { tokensMax: 2 })
    assert.deepEqual([text, finish, tokens], ['abcdefgh', 'length', { textIn: 4, imageIn: 0, textOut: 2 }])
  })
  test('is the same every time', async () => {
    const once = () => say('Summer sale, made of moonlight', into('de'))
    assert.deepEqual(await once(), await once())
  })
})
