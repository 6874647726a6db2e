import { Type } from 'typebox'
import { Problem } from '../domain/problem.ts'
import { node, port, type Plate } from './contract.ts'
import { blank, card, checkCanvas, colourPattern, lay, openPicture, pixelsOf, placeAt, type Layer } from './toolkit/pixels.ts'

/** Many pictures on one sheet, each with what it is called. */
export default node({
  id: 'contact_sheet', title: 'Contact sheet', category: 'picture', description: 'Puts many pictures on one sheet, in rows, with a caption under each and a title over all.',
  inputs: Type.Object({
    images: port.images({ maxItems: 200, description: 'The pictures, in order.' }),
    captions: Type.Optional(port.texts({ maxItems: 200, description: 'A caption for each. Without them, their places from 1.' })),
    title: Type.Optional(port.text({ maxLength: 200, description: 'What stands over the sheet.' })),
    columns: Type.Optional(Type.Integer({ minimum: 1, maximum: 20, description: 'Pictures in a row; as even as it goes where nothing is said.' })),
    size: Type.Integer({ minimum: 48, maximum: 1_024, default: 256, description: 'Pixels of a picture’s longer side.' }),
    theme: Type.Enum(['light', 'dark'], { default: 'light', description: 'Dark on light or light on dark.' }),
    background: Type.Optional(Type.String({ pattern: colourPattern, description: 'Another colour under it all. #rrggbb.' })),
  }),
  outputs: Type.Object({ image: port.image() }),
  async run({ images, captions, title, columns, size, theme, background }, bench) {
    if (images.length === 0) throw new Problem('bad_request', 'There are no pictures to put on the sheet.', { field: 'images' })
    if (captions && captions.length !== images.length) throw new Problem('bad_request', `There are ${images.length} pictures and ${captions.length} captions. Give one for each, or none.`, { field: 'captions' })
    const paint = themes[theme as keyof typeof themes]
    const across = Math.min(images.length, columns ?? Math.ceil(Math.sqrt(images.length * 1.2)))
    const down = Math.ceil(images.length / across)
    const [gap, pad, words] = [Math.round(size * 0.09), Math.round(size * 0.05), Math.round(size * 0.15)]
    const shown: Plate[] = []
    for (const media of images) {
      bench.signal.throwIfAborted()
      shown.push(await pixelsOf((await openPicture(bench, media)).resize({ width: size, height: size, fit: 'inside' })))
    }
    // No taller than the tallest of them, and wide enough for captions.
    const box = { width: Math.max(Math.round(size * 0.6), ...shown.map(one => one.width)), height: Math.max(...shown.map(one => one.height)) }
    const cell = { width: box.width + 2 * pad, height: box.height + 3 * pad + words }
    const head = title === undefined || title.trim() === '' ? 0 : Math.round(size * 0.24)
    const sheet = { width: across * cell.width + (across + 1) * gap, height: down * cell.height + (down + 1) * gap + (head > 0 ? head + gap : 0) }
    checkCanvas(sheet, 'size')

    const ground = await card(cell, Math.round(size * 0.035), paint.card)
    const layers: Layer[] = []
    if (head > 0) {
      const plate = await bench.type(title!, { width: sheet.width - 2 * gap, height: head, maxSize: head * 0.75, maxLines: 1, face: 'sans', align: 'left', fill: paint.title })
      layers.push({ ...plate, left: gap + plate.left, top: gap + plate.top })
    }
    // All in the size of the longest: side by side, captions of many sizes look like headlines. Very long ones are smaller for themselves.
    const set = (caption: string, maxSize: number) => caption === '' ? null : bench.type(caption, { width: box.width, height: words, maxSize, maxLines: 2, face: 'body', fill: paint.words })
    const said = shown.map((_, index) => captions?.[index]?.trim() ?? String(index + 1))
    const named: Awaited<ReturnType<typeof set>>[] = []
    for (const caption of said) named.push(await set(caption, words * 0.5))
    const common = Math.max(words * 0.28, Math.min(...named.map(plate => plate?.size ?? Infinity)))
    for (const [index, plate] of named.entries()) if (plate && plate.size > common) named[index] = await set(said[index]!, common)
    for (const [index, picture] of shown.entries()) {
      const corner = { left: gap + index % across * (cell.width + gap), top: gap + (head > 0 ? head + gap : 0) + Math.floor(index / across) * (cell.height + gap) }
      const inside = placeAt('centre', box, picture)
      layers.push({ ...ground, ...corner }, { ...picture, left: corner.left + pad + inside.left, top: corner.top + pad + inside.top })
      const plate = named[index]
      if (!plate) continue
      layers.push({ ...plate, left: corner.left + pad + plate.left, top: corner.top + box.height + 2 * pad + plate.top })
    }
    return { image: await bench.keep(await (await lay(blank(sheet, background ?? paint.ground), sheet, layers)).png().toBuffer()) }
  },
})

const themes = {
  light: { ground: '#eceef1', card: '#ffffff', title: '#15181d', words: '#444b55' },
  dark: { ground: '#14161a', card: '#22262c', title: '#f4f5f7', words: '#c3c9d2' },
}
