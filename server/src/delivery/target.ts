import { Problem } from '../domain/problem.ts'
import { isAddress, isPrivateAddress } from '../kit/address.ts'

const lengthMax = 2_048

/**
 * Checks an address we are to call back, as far as it can be told from its text, and gives it in its plain form.
 *
 * A name may still resolve to a private address, today or tomorrow: whoever connects (`kit/post.ts`) looks again.
 *
 * @throws {Problem} `bad_request` when it is no address for us, `private_address` when it points inside
 */
export function checkTarget(text: string, { allowPrivate, field = 'url' }: { allowPrivate: boolean; field?: string }): string {
  const refuse = (message: string) => new Problem('bad_request', message, { field, value: text.slice(0, 200) })
  if (text.length > lengthMax) throw refuse(`A webhook address has at most ${lengthMax} characters.`)
  const url = URL.parse(text)
  if (!url) throw refuse('A webhook address is a complete one, such as https://example.com/hooks.')
  if (url.protocol !== 'https:' && url.protocol !== 'http:') throw refuse('A webhook address begins with https:// or http://.')
  if (url.username !== '' || url.password !== '') throw refuse('A webhook address carries no user name or password. Deliveries are signed; check the signature instead.')
  if (!allowPrivate && isPrivateHost(url.hostname)) {
    throw new Problem('private_address', 'This address is inside our own network. Give a public one, or let the operator allow private addresses.', { field, value: text.slice(0, 200) })
  }
  return url.href
}

/** Names that never mean a public host. */
const innerNames = /(^|\.)(localhost|local|internal|lan|home\.arpa)$/

function isPrivateHost(hostname: string): boolean {
  if (isAddress(hostname)) return isPrivateAddress(hostname)
  return innerNames.test(hostname.replace(/\.$/, ''))
}
