/**
 * The public half of the key the house signs messages with, where every JOSE library looks for it.
 *
 * Absent on purpose: anything private. `KeyObject` of the public key is all that is written.
 */
import { createHash, createPublicKey, type KeyObject } from 'node:crypto'
import { protocol, type Protocol } from './protocols/contract.ts'

export interface JsonWebKeySet { keys: { kty: string; crv: string; x: string; kid: string; use: 'sig'; alg: 'EdDSA' }[] }

/** `kid` is the key's thumbprint (RFC 7638), so that it is the same on every server and changes with the key. */
export function writeKeySet(signingKey: KeyObject): JsonWebKeySet {
  const { kty, crv, x } = createPublicKey(signingKey).export({ format: 'jwk' }) as { kty: string; crv: string; x: string }
  const kid = createHash('sha256').update(JSON.stringify({ crv, kty, x })).digest('base64url')
  return { keys: [{ kty, crv, x, kid, use: 'sig', alg: 'EdDSA' }] }
}

/** A door with one public page. */
export const jwks = (signingKey: KeyObject): Protocol => {
  const page = writeKeySet(signingKey)
  return protocol({
    id: 'jwks', title: 'Public keys', prefixes: ['/.well-known/'], readSecret: () => null,
    refuse: problem => Response.json({ error: { code: problem.code, message: problem.message } }, { status: problem.status }),
    routes: [{
      method: 'GET', path: '/.well-known/jwks.json', scope: null,
      // Receivers may keep it for a while, and still learn of a new key within the hour.
      handle: async () => Response.json(page, { headers: { 'cache-control': 'public, max-age=3600' } }),
    }],
  })
}
