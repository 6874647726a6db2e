/** The description of every address, for machines (`/openapi.json`) and for people (`/docs`). */
import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { Problem } from '../../domain/problem.ts'
import type { Incoming, Route } from '../contract.ts'

interface Document { body: string; etag: string; headers: Record<string, string> }

const hash = (text: string) => createHash('sha256').update(text).digest('base64')

/** The page's own style and script may run, and nothing else: it loads nothing from anywhere but the description beside it. */
function pagePolicy(page: string): string {
  const inline = (tag: string) => [...page.matchAll(new RegExp(`<${tag}>([\\s\\S]*?)</${tag}>`, 'g'))].map(match => `'sha256-${hash(match[1]!)}'`).join(' ')
  return `default-src 'none'; script-src ${inline('script')}; style-src ${inline('style')}; connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'`
}

/** Read when first asked for, and kept: the files belong to the release. */
function document(url: URL, type: string, policy: (body: string) => Record<string, string>): (request: Incoming) => Promise<Response> {
  let kept: Promise<Document> | null = null
  const open = async (): Promise<Document> => {
    const body = await readFile(url, 'utf8').catch(cause => {
      kept = null
      throw new Problem('not_found', 'This document has not been made. Run node server/src/http/write-openapi.ts.', { cause })
    })
    return { body, etag: `"${hash(body).slice(0, 22)}"`, headers: policy(body) }
  }
  return async ({ headers }) => {
    const { body, etag, headers: more } = await (kept ??= open())
    const common = { etag, 'cache-control': 'public, max-age=0, must-revalidate', ...more }
    if (headers['if-none-match']?.includes(etag)) return new Response(null, { status: 304, headers: common })
    return new Response(body, { headers: { 'content-type': type, 'content-length': String(Buffer.byteLength(body)), ...common } })
  }
}

const openapi: Route = {
  method: 'GET', path: '/openapi.json', scope: null,
  about: { summary: 'This description (OpenAPI 3.1)', tag: 'Documents' },
  handle: document(new URL('../../../openapi.json', import.meta.url), 'application/json; charset=utf-8', () => ({})),
}

const docs: Route = {
  method: 'GET', path: '/docs', scope: null,
  about: { summary: 'This description as a page', tag: 'Documents' },
  handle: document(new URL('./docs.html', import.meta.url), 'text/html; charset=utf-8', page => ({ 'content-security-policy': pagePolicy(page), 'referrer-policy': 'no-referrer' })),
}

export const documents: Route[] = [openapi, docs]
