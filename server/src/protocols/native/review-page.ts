/**
 * The page behind a review's link: the candidates, and what may be said of them. No key, no script; a form and pictures.
 *
 * Whoever holds the link may answer once. Everything from outside is escaped; the page loads pictures of this server and nothing else.
 */
import { createHash } from 'node:crypto'
import type { Review, ReviewAnswer } from '../../domain/graph/execution.ts'
import { Problem } from '../../domain/problem.ts'
import { readBytes } from '../../kit/json.ts'
import type { Route } from '../contract.ts'

const style = `
:root { --page: #fbfbf9; --card: #fff; --ink: #1c1f1a; --soft: #5d6459; --line: #e3e5de; --accent: #2f6b3a; --on: #fff; --no: #a3312a; }
@media (prefers-color-scheme: dark) { :root { --page: #141613; --card: #1b1e1a; --ink: #e8eae4; --soft: #9ea697; --line: #2e332c; --accent: #8fce9a; --on: #10200f; --no: #f0938c; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--page); color: var(--ink); font: 16px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", sans-serif; }
main { max-width: 72rem; margin: 0 auto; padding: 2rem clamp(1rem, 4vw, 3rem) 4rem; }
h1 { font-size: 1.4rem; margin: 0 0 .25rem; }
p { margin: .25rem 0 1rem; color: var(--soft); }
.choices { display: grid; grid-template-columns: repeat(auto-fill, minmax(16rem, 1fr)); gap: 1rem; margin: 0 0 1.5rem; padding: 0; border: 0; }
.choice { display: block; position: relative; background: var(--card); border: 2px solid var(--line); border-radius: 12px; overflow: hidden; cursor: pointer; }
.choice img { display: block; width: 100%; height: auto; background: var(--line); }
.choice span { display: flex; gap: .5rem; align-items: center; padding: .6rem .8rem; }
.choice:has(:checked) { border-color: var(--accent); }
.choice:has(:focus-visible) { outline: 2px solid var(--accent); outline-offset: 2px; }
input[type=checkbox], input[type=radio] { accent-color: var(--accent); width: 1.1rem; height: 1.1rem; }
label.line { display: block; margin: 0 0 1rem; }
label.line span { display: block; font-size: .9rem; color: var(--soft); margin-bottom: .25rem; }
input[type=text], textarea { width: 100%; padding: .6rem .7rem; border: 1px solid var(--line); border-radius: 8px; background: var(--card); color: inherit; font: inherit; }
.actions { display: flex; flex-wrap: wrap; gap: .75rem; margin-top: .5rem; }
button { padding: .65rem 1.1rem; border-radius: 8px; border: 1px solid var(--line); background: var(--card); color: inherit; font: inherit; cursor: pointer; }
button.yes { background: var(--accent); border-color: var(--accent); color: var(--on); font-weight: 600; }
button.no { color: var(--no); }
button:focus-visible, input:focus-visible, textarea:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; }
.said { background: var(--card); border: 1px solid var(--line); border-radius: 12px; padding: 1rem 1.25rem; margin-bottom: 1.5rem; }
`
const policy = `default-src 'none'; style-src 'sha256-${createHash('sha256').update(style).digest('base64')}'; img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'`

const escape = (text: string): string => text.replace(/[&<>"']/g, letter => `&#${letter.charCodeAt(0)};`)
const page = (title: string, body: string, status = 200): Response => new Response(
  `<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1"><meta name="color-scheme" content="light dark"><meta name="robots" content="noindex"><title>${escape(title)}</title><style>${style}</style></head><body><main>${body}</main></body></html>`,
  { status, headers: { 'content-type': 'text/html; charset=utf-8', 'content-security-policy': policy, 'referrer-policy': 'no-referrer', 'cache-control': 'no-store' } })

const words: Record<Review['state'], string> = { open: 'Waiting for an answer', approved: 'Approved', rejected: 'Rejected', redone: 'Being made again', withdrawn: 'No longer asked' }

function write(review: Review, links: string[], said: string | null, status = 200): Response {
  const one = review.chooseMin === 1 && review.chooseMax === 1
  const open = review.state === 'open'
  const count = one ? 'Choose one.' : review.chooseMin === review.chooseMax ? `Choose ${review.chooseMin}.` : `Choose ${review.chooseMin} to ${review.chooseMax}.`
  const pictures = review.candidates.map((_, index) => {
    // A path of this server: the page may load nothing else, and the link works under whatever name it is reached by.
    const link = links[index] ? new URL(links[index]!) : null
    const picture = `<img src="${escape(link ? link.pathname + link.search : '')}" alt="Candidate ${index + 1}">`
    const chosen = review.chosen?.includes(index) ?? false
    return open
      ? `<label class="choice">${picture}<span><input type="${one ? 'radio' : 'checkbox'}" name="chosen" value="${index}"${one && index === 0 ? ' checked' : ''}> Candidate ${index + 1}</span></label>`
      : `<div class="choice">${picture}<span>${chosen ? '✓ ' : ''}Candidate ${index + 1}</span></div>`
  }).join('')
  const outcome = open ? '' : `<div class="said"><strong>${words[review.state]}</strong>${review.decidedBy ? ` by ${escape(review.decidedBy)}` : ''}${review.decidedAt ? ` on ${review.decidedAt.toISOString().slice(0, 16).replace('T', ' ')} UTC` : ''}${review.reason ? `<br>${escape(review.reason)}` : ''}</div>`
  const due = open && review.dueAt ? `<p>Please answer by ${review.dueAt.toISOString().slice(0, 16).replace('T', ' ')} UTC, or ${review.onTimeout === 'approve' ? 'the first is taken' : 'it is rejected'}.</p>` : ''
  const form = !open ? `<div class="choices">${pictures}</div>` : `<form method="post">
    <fieldset class="choices">${pictures}</fieldset>
    <label class="line"><span>Your name, for the record</span><input type="text" name="name" maxlength="100" autocomplete="name"></label>
    <label class="line"><span>Another prompt to make them again with, or why not</span><textarea name="words" rows="3" maxlength="4000"></textarea></label>
    <div class="actions"><button class="yes" name="action" value="approve">Approve</button><button name="action" value="redo">Make again</button><button class="no" name="action" value="reject">Reject</button></div></form>`
  return page(words[review.state], `<h1>${open ? escape(review.note ?? 'Which one?') : words[review.state]}</h1>${open ? `<p>${count}</p>` : ''}${said === null ? '' : `<div class="said" role="alert">${escape(said)}</div>`}${outcome}${due}${form}`, status)
}

/** Refusals are pages too. */
async function told(work: () => Promise<Response>): Promise<Response> {
  try {
    return await work()
  } catch (thrown) {
    if (!(thrown instanceof Problem) || thrown.code !== 'not_found' && thrown.code !== 'link_expired') throw thrown
    return page('Not here', `<h1>${thrown.code === 'link_expired' ? 'This link has expired' : 'There is nothing here'}</h1><p>${escape(thrown.message)}</p>`, thrown.status)
  }
}

function readForm(text: string): { answer: ReviewAnswer; by: string } {
  const form = new URLSearchParams(text)
  const said = (form.get('words') ?? '').trim()
  const name = (form.get('name') ?? '').trim().slice(0, 100)
  const by = name === '' ? 'somebody with the link' : `${name} (by link)`
  switch (form.get('action')) {
    case 'approve': return { by, answer: { kind: 'approve', chosen: form.getAll('chosen').map(Number) } }
    case 'redo': return { by, answer: { kind: 'redo', ...(said === '' ? {} : { prompt: said }) } }
    case 'reject': {
      if (said === '') throw new Problem('bad_request', 'Please say why, so that whoever made this can do better; then reject it.')
      return { by, answer: { kind: 'reject', reason: said } }
    }
    default: throw new Problem('bad_request', 'Approve, make again or reject.')
  }
}

export const reviewPage: Route[] = [
  { method: 'GET', path: '/review/:token', scope: null, counts: false, about: { summary: 'The page behind a review’s link', tag: 'Reviews', description: 'For people: the candidates and a form. Needs no key; the link expires.' },
    handle: (request, desk) => told(async () => { const { review, links } = await desk.workflows.byToken(request.params.token!); return write(review, links, null) }) },
  { method: 'POST', path: '/review/:token', scope: null, counts: false, body: 'stream', about: { summary: 'Answer a review from its page', tag: 'Reviews' },
    handle: (request, desk) => told(async () => {
      const token = request.params.token!
      let said: string | null = null
      let status = 200
      try {
        const { answer, by } = readForm((await readBytes(request.stream!, 64 * 1024)).toString('utf8'))
        await desk.workflows.answerByToken(token, answer, by)
      } catch (thrown) {
        if (!(thrown instanceof Problem) || thrown.code === 'not_found' || thrown.code === 'link_expired') throw thrown
        said = thrown.message
        status = thrown.status
      }
      const { review, links } = await desk.workflows.byToken(token)
      return write(review, links, said, status)
    }) },
]
