/** Which back doors there are: those that came with the house, guests in folders of the operator's, and further accounts of either. */
import { ConfigError, readAccounts, type Config } from './config.ts'
import { loadFolders, welcomeFolder } from './kit/loader.ts'
import { flawOf, type Provider } from './providers/contract.ts'

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
