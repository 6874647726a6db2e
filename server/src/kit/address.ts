/**
 * Which network addresses belong to the public internet.
 *
 * Pure. Absent on purpose: names. A name says nothing about where it leads; `fetch.ts` asks about the address it resolved
 * to, at the moment it connects.
 */
import ipaddr from 'ipaddr.js'

/** Where IPv6 addresses carry an IPv4 address that a gateway will turn them into: such an address is as private as the one inside. */
const carriers: { range: string; inside(bytes: number[]): number[] }[] = [
  { range: 'ipv4Mapped', inside: bytes => bytes.slice(12) },
  { range: 'rfc6145', inside: bytes => bytes.slice(12) },
  { range: 'rfc6052', inside: bytes => bytes.slice(12) },
  { range: '6to4', inside: bytes => bytes.slice(2, 6) },
  // Teredo writes the client's address with every bit turned over.
  { range: 'teredo', inside: bytes => bytes.slice(12).map(byte => byte ^ 0xff) },
]

const globalUnicast = ipaddr.IPv6.parseCIDR('2000::/3')
/** NAT64 inside one's own network (RFC 8215): its addresses are laid out by local rules, so nobody can look inside. */
const localNat64 = ipaddr.IPv6.parseCIDR('64:ff9b:1::/48')

/**
 * Is this anything but a public unicast address? Text that is no address at all is `true` too: what cannot be judged is not let out.
 *
 * Every notation a socket would take is read: `0x7f.1`, `2130706433`, `0177.0.0.1`, brackets, zones, a trailing dot.
 */
export function isPrivateAddress(address: string): boolean {
  const parsed = readAddress(address)
  // `::8.8.8.8`, long abolished: the library reads it as the mapped form, a socket does not.
  if (!parsed || /^\[?::\d+\./.test(address)) return true
  if (parsed instanceof ipaddr.IPv4) return parsed.range() !== 'unicast'
  const range = parsed.range()
  const carrier = carriers.find(candidate => candidate.range === range)
  if (carrier) return parsed.match(localNat64) || ipaddr.fromByteArray(carrier.inside(parsed.toByteArray())).range() !== 'unicast'
  return range !== 'unicast' || !parsed.match(globalUnicast)
}

/** Is this host written as an address, in whatever notation, and not as a name? */
export const isAddress = (host: string): boolean => readAddress(host) !== null

function readAddress(text: string) {
  const bare = text.replace(/^\[(.*)\]$/, '$1').replace(/\.$/, '')
  return ipaddr.isValid(bare) ? ipaddr.parse(bare) : null
}
