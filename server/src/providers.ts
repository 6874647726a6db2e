/** Which back doors there are: those that came with the house, guests in folders of the operator's, and further accounts of either. */
import { ConfigError, readAccounts, type Config } from './config.ts'
import { Problem } from './domain/problem.ts'
import { fetchWhole } from './kit/fetch.ts'
import { loadFolders, welcomeFolder } from './kit/loader.ts'
import { flawOf, type Connection, type Probe, type Provider, type ProviderLimits } from './providers/contract.ts'

/** Every provider by its id, set up or not. @throws {ConfigError} for an account of nobody's, or under an id that is taken */
export async function findProviders(config: Config, folders: string[] = []): Promise<Provider[]> {
  const guests = [...config.PLANTAIN_PROVIDERS ? [config.PLANTAIN_PROVIDERS] : [], ...folders]
  const own = await loadFolders<Provider>(new URL('./providers/', import.meta.url), ...await Promise.all(guests.map(welcomeFolder)))
  for (const provider of own) {
    const flaw = flawOf(provider)
    if (flaw) throw new Error(`The provider ${provider.id} does not keep its contract: ${flaw}`)
  }
  const all = new Map(own.map(provider => [provider.id, provider]))
  for (const { id, of } of readAccounts(config.PROVIDER_ACCOUNTS)) {
    const provider = own.find(one => one.id === of)
    if (!provider) throw new ConfigError([`PROVIDER_ACCOUNTS=${id}=${of}: there is no provider ${of}. Known are ${own.map(one => one.id).join(', ')}.`])
    if (all.has(id)) throw new ConfigError([`PROVIDER_ACCOUNTS=${id}=${of}: the id ${id} is taken. Choose another one.`])
    all.set(id, { ...provider, id, title: `${provider.title} (${id})` })
  }
  return [...all.values()]
}

/**
 * What a provider bears: its own word, what a setting of its connection makes of it, and the operator's.
 *
 * Where an order of several pictures becomes as many calls, its pictures are held to the calls a minute and to those at once: the limits an upstream names are of calls.
 */
export function limitsOf({ limits, oneEach }: Pick<Provider, 'limits' | 'oneEach'>, connection: Pick<Connection, 'limits'>, said: Partial<ProviderLimits>): ProviderLimits {
  const all = { ...limits, ...connection.limits, ...said }
  return oneEach ? { ...all, imagesPerMinute: all.imagesPerMinute ?? all.perMinute, countsCalls: true } : all
}

/** Where a provider's settings lead, as host and port. */
export const hostsOf = (values: Record<string, unknown>): Set<string> =>
  new Set(Object.values(values).flatMap(value => typeof value === 'string' && URL.canParse(value) ? [new URL(value)] : [])
    .map(url => `${url.hostname.replace(/^\[(.*)\]$/, '$1')}:${url.port || (url.protocol === 'https:' ? 443 : 80)}`))

/** How an upstream answers its probe: one call that costs nothing. `said` is a sentence about it. */
export interface Probed { answers: boolean; takesKey: boolean; said: string }

export async function probeUpstream({ url, headers, tells }: Probe, fetch: typeof globalThis.fetch, signal: AbortSignal): Promise<Probed> {
  const { host } = new URL(url)
  try {
    const { response: { status }, bytes } = await fetchWhole(fetch, new URL(url), { headers, signal })
    if (status === 401 || status === 403) return { answers: true, takesKey: false, said: `${host} answers, and does not take our key (HTTP ${status}).` }
    const told = tells?.(readJson(bytes)) ?? null
    if (status >= 300) return { answers: false, takesKey: true, said: `${host} answers HTTP ${status}.` }
    return { answers: true, takesKey: true, said: `${host} answers and takes our key${told === null ? '' : `; ${told}`}` }
  } catch (thrown) {
    if (thrown instanceof Problem && thrown.code === 'provider_not_configured') return { answers: true, takesKey: false, said: thrown.message }
    return { answers: false, takesKey: true, said: `${host} does not answer (${thrown instanceof Error ? thrown.message : String(thrown)})` }
  }
}

const readJson = (bytes: Uint8Array): unknown => { try { return JSON.parse(Buffer.from(bytes).toString()) } catch { return undefined } }
