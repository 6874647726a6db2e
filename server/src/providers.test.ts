import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ConfigError, readConfig } from './config.ts'
import { findProviders } from './providers.ts'

const find = (accounts: string) => findProviders(readConfig({ PROVIDER_ACCOUNTS: accounts }))

test('a further account is the same provider under an id of its own', async () => {
  const all = await find('kie-two=kie , azure = openai')
  const [kie, two] = ['kie', 'kie-two'].map(id => all.find(provider => provider.id === id)!)
  assert.deepEqual([two!.connect === kie!.connect, two!.title, all.some(provider => provider.id === 'azure')], [true, `${kie!.title} (kie-two)`, true])
})

const refused = (accounts: string, told: RegExp) => test(`${accounts} is refused in words`, async () => {
  await assert.rejects(async () => find(accounts), (error: Error) => error instanceof ConfigError && told.test(error.message))
})
refused('two=acme', /there is no provider acme\. Known are .*kie/)
refused('kie=openai', /the id kie is taken/)
refused('two=kie,two=openai', /the id two is taken/)
refused('Two=kie', /PROVIDER_ACCOUNTS="Two=kie"/)
refused('kie', /PROVIDER_ACCOUNTS="kie"/)
