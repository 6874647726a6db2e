/** `/v1/images/*`: pictures from words, from pictures, and in other versions. */
import type { Asset } from '../../domain/asset.ts'
import type { Order, Role } from '../../domain/order.ts'
import { Problem } from '../../domain/problem.ts'
import type { Task } from '../../domain/task.ts'
import { openInlineFolder } from '../../kit/inline.ts'
import { mediaType, requireIdentity, requireJson } from '../../kit/json.ts'
import { readInlineJson } from '../../kit/json-in.ts'
import { base64Of, jsonResponse } from '../../kit/json-out.ts'
import { readMultipart, type Form } from '../../kit/multipart.ts'
import type { ServerEvent } from '../../kit/sse.ts'
import type { Desk, Incoming, Route, Submitted } from '../contract.ts'
import { taskHeaders } from '../toolkit.ts'
import { fieldsOf, fieldsOfForm, invalid, type Fields } from './fields.ts'
import { readImageCall, type ImageDraft, type PictureForm, type Reading } from './images-read.ts'
import { writeAccepted, writeCompleted, writeImages, writePartial, type ImageEvent } from './images-write.ts'
import { findModel } from './models.ts'
import { readLink, readReference, withPictures, type Picture } from './pictures.ts'
import { sizeOfPicture } from './pixels.ts'
import type { RowCall } from './row-call.ts'
import { answerStream, follow } from './stream.ts'
import { make, readRepetition, requireDone } from './waiting.ts'
import { writeError } from './words.ts'

const tag = 'Images'
const imagesMax = 16
const fileMax = 50 * 1024 * 1024
/** Links to results live an hour, as theirs did. */
const linkSeconds = 3_600

const generations: Route = {
  method: 'POST', path: '/v1/images/generations', scope: 'tasks:write',
  about: { tag, summary: 'Pictures from words', description: 'With `stream: true` as server-sent events; with `Prefer: respond-async` the task at once (202), to be read at `/v1/responses/resp_{id}` or `/plantain/v1/tasks/{id}`.' },
  async handle(request, desk) {
    const fields = fieldsOf(request.body)
    return answer(await readDraft(fields, 'generation', desk), [], request, desk)
  },
}

const edits: Route = {
  method: 'POST', path: '/v1/images/edits', body: 'stream', scope: 'tasks:write',
  about: { tag, summary: 'Pictures from pictures', description: 'As `multipart/form-data` with `image` or `image[]` files and a `mask`, or as JSON with `images`.' },
  async handle(request, desk) {
    if (mediaType(request.headers['content-type']) === 'multipart/form-data') {
      const { fields, pictures } = await readForm(request)
      return answer(await readDraft(fields, 'edit', desk), pictures, request, desk)
    }
    requireJson(request.headers)
    const body = await readInlineJson(request.stream!, { folder: await openInlineFolder() })
    try {
      const fields = fieldsOf(body.value)
      return await answer(await readDraft(fields, 'edit', desk), readPictures(fields, body.inline), request, desk)
    } finally {
      await body.release()
    }
  },
}

const variations: Route = {
  method: 'POST', path: '/v1/images/variations', body: 'stream', scope: 'tasks:write',
  about: { tag, summary: 'Other versions of a picture' },
  async handle(request, desk) {
    if (mediaType(request.headers['content-type']) !== 'multipart/form-data') throw new Problem('unsupported_media', 'Send the picture as multipart/form-data.', { allowed: ['multipart/form-data'] })
    const { fields, pictures } = await readForm(request)
    if (pictures.length > 1 || pictures[0]!.role !== 'reference') throw invalid('image', 'A variation is made of exactly one image.')
    return answer(await readDraft(fields, 'variation', desk), pictures, request, desk)
  },
}

async function readDraft(fields: Fields, kind: Reading['kind'], desk: Desk): Promise<ImageDraft & { kind: Reading['kind'] }> {
  return { ...readImageCall(fields, { ...await findModel(fields.model, 'image', desk), kind }), kind }
}

const fileRoles: Record<string, Role> = { image: 'reference', 'image[]': 'reference', mask: 'mask' }

async function readForm({ stream, headers }: Incoming): Promise<{ fields: Fields; pictures: Picture[] }> {
  requireIdentity(headers)
  const form = await readMultipart(stream!, headers, { filesMax: imagesMax + 2, fieldsMax: 100, fileMax, fieldMax: 4 * 1024 * 1024 })
  const fields = fieldsOfForm(form)
  for (const name of ['image', 'mask', 'images']) if (fields[name] !== undefined) throw invalid(name, `'${name}' must be a file of the form.`)
  const pictures = form.files.map(file => readFile(file))
  if (!pictures.some(({ role }) => role === 'reference')) throw invalid('image', "Missing required parameter: 'image'.", { openaiCode: 'missing_required_parameter' })
  return { fields, pictures: inOrder(pictures) }
}

function readFile({ field, bytes }: Form['files'][number]): Picture {
  if (field === 'markup') throw invalid('markup', 'No model here takes a markup. Send a mask, or say in the prompt what to change.')
  const role = Object.hasOwn(fileRoles, field) ? fileRoles[field]! : null
  if (!role) throw invalid(field.slice(0, 100), `A file may come as image or mask, not as '${field.slice(0, 100)}'.`, { openaiCode: 'unknown_parameter' })
  return { param: field.replace('[]', ''), role, source: { bytes } }
}

/** Whatever order the parts came in: the mask belongs to the first picture and goes last. */
const inOrder = (pictures: Picture[]): Picture[] => {
  const masks = pictures.filter(({ role }) => role === 'mask')
  if (masks.length > 1) throw invalid('mask', 'A call has one mask at most.')
  const images = pictures.filter(({ role }) => role !== 'mask')
  if (images.length > imagesMax) throw invalid('image', `A call has at most ${imagesMax} images, not ${images.length}.`)
  return [...images, ...masks]
}

/** The JSON form: `images` of one link or file each, and a `mask`. */
function readPictures({ images, image, mask }: Fields, inline: Incoming['inline']): Picture[] {
  const list = images ?? (image === undefined ? undefined : Array.isArray(image) ? image : [image])
  if (list === undefined) throw invalid('images', "Missing required parameter: 'images'.", { openaiCode: 'missing_required_parameter' })
  if (!Array.isArray(list) || list.length < 1) throw invalid('images', "'images' must be a list of at least one picture.")
  const pictures = list.map((one, index): Picture => ({
    param: `images[${index}]`, role: 'reference',
    source: typeof one === 'string' ? readLink(one, `images[${index}]`, inline) : readReference(one, `images[${index}]`, inline),
  }))
  if (mask !== undefined) pictures.push({ param: 'mask', role: 'mask', source: typeof mask === 'string' ? readLink(mask, 'mask', inline) : readReference(mask, 'mask', inline) })
  return inOrder(pictures)
}

async function answer({ order, wish, kind }: ImageDraft & { kind: Reading['kind'] }, pictures: Picture[], request: Incoming, desk: Desk): Promise<Response> {
  if (wish.stream) {
    const submitted = await withPictures(pictures, desk, inputs => desk.submit({ ...order, inputs, ...readRepetition(request.headers) }))
    return stream(submitted, kind === 'edit' ? 'image_edit' : 'image_generation', request, desk)
  }
  if (wantsTask(request)) {
    const submitted = await withPictures(pictures, desk, inputs => desk.submit({ ...order, inputs, ...readRepetition(request.headers) }))
    return Response.json(writeAccepted(submitted.task), { status: 202, headers: { ...taskHeaders(submitted), 'preference-applied': 'respond-async', location: `/plantain/v1/tasks/${submitted.task.id}` } })
  }
  const made = await withPictures(pictures, desk, inputs => make({ ...order, inputs } satisfies Order, request, desk))
  return answerTask(made.task, desk, taskHeaders(made))
}

/** RFC 7240: the caller would rather have the task now than the pictures later. */
const wantsTask = ({ headers }: Incoming): boolean => /(?:^|,)\s*respond-async\s*(?:[;,]|$)/i.test(headers.prefer ?? '')

/** The answer to a call whose task has ended. @throws {Problem} */
async function answerTask(ended: Task, desk: Desk, headers: Record<string, string> = {}): Promise<Response> {
  const task = requireDone(ended)
  const form = formOf(task)
  const opened = form === 'url' ? [] : await Promise.all(task.outputs.map(asset => desk.assets.open(asset)))
  const link = (asset: Asset) => ({ url: desk.assets.link(asset, { seconds: linkSeconds }) })
  return jsonResponse(writeImages(task, asset => form === 'url' ? link(asset)
    : { ...(form === 'both' ? link(asset) : {}), b64_json: base64Of(opened[task.outputs.indexOf(asset)]!) }), { headers })
}

const formOf = ({ wire }: Task): PictureForm => (wire?.body as { form?: PictureForm } | null)?.form ?? 'b64_json'

/** `/v1/images/generations` and `/v1/images/edits` as rows of a batch. Edits come in their JSON form. */
export const imageRow = (kind: 'generation' | 'edit'): RowCall => ({
  async submit({ body, inline }, desk) {
    const fields = fieldsOf(body)
    const { order, wish } = await readDraft(fields, kind, desk)
    if (wish.stream) throw invalid('stream', 'A request of a batch cannot be streamed.')
    return withPictures(kind === 'edit' ? readPictures(fields, inline) : [], desk, inputs => desk.submit({ ...order, inputs }))
  },
  answer: (task, desk) => answerTask(task, desk),
})

function stream(submitted: Submitted, name: ImageEvent, { signal }: Incoming, desk: Desk): Response {
  const event = (data: { type: string }): ServerEvent => ({ event: data.type, data })
  const events = async function* (): AsyncGenerator<ServerEvent> {
    for await (const happening of follow(submitted.task, desk, signal)) {
      switch (happening.kind) {
        case 'lost': break
        case 'partial':
          yield event(writePartial(name, submitted.task, { index: happening.index, base64: happening.bytes.toString('base64'), mime: happening.mime }, sizeOfPicture(happening.bytes)))
          break
        case 'end': {
          const task = requireDone(happening.task)
          for (const [index, asset] of task.outputs.entries()) {
            yield event(writeCompleted(name, task, asset, base64Of(await desk.assets.open(asset)), index === task.outputs.length - 1))
          }
        }
      }
    }
  }
  return answerStream(submitted, events(), { writeFailure: problem => ({ event: 'error', data: { error: writeError(problem) } }) })
}

export const images: Route[] = [generations, edits, variations]
