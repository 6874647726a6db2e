import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { test } from 'node:test'
import { Type } from 'typebox'
import { ConfigError, readConfig, readPacing, readProviderSettings, variableOf, writeEnvironmentExample } from './config.ts'

test('an empty environment is fine', () => {
  const config = readConfig({})
  assert.deepEqual([config.PORT, config.HOST, config.DATABASE_URL, config.ALLOW_PRIVATE_ADDRESSES], [7700, '127.0.0.1', undefined, false])
})

test('every mistake is said at once, with what was expected', () => {
  assert.throws(() => readConfig({ PORT: 'seven', LOG_LEVEL: 'loud', DATABASE_URL: 'mysql://x', TRUST_PROXY: 'perhaps' }), (error: ConfigError) => {
    assert.equal(error.mistakes.length, 4)
    assert.match(error.message, /PORT="seven": must be a whole number from 0 to 65535/)
    assert.match(error.message, /LOG_LEVEL="loud": must be one of silent, error, warn, info, debug/)
    return true
  })
})

test('an empty variable counts as unset, 0 and 1 as no and yes', () => {
  const config = readConfig({ PORT: '', ALLOW_PRIVATE_ADDRESSES: '1', TRUST_PROXY: '0' })
  assert.deepEqual([config.PORT, config.ALLOW_PRIVATE_ADDRESSES, config.TRUST_PROXY], [7700, true, false])
})

test('a bucket to publish to is set up whole or not at all', () => {
  const whole = { PLANTAIN_PUBLISH_S3_ENDPOINT: 'https://s3.example/pictures', PLANTAIN_PUBLISH_S3_ACCESS_KEY_ID: 'k', PLANTAIN_PUBLISH_S3_SECRET_ACCESS_KEY: 's' }
  assert.equal(readConfig(whole).PLANTAIN_PUBLISH_S3_REGION, 'auto')
  assert.throws(() => readConfig({ ...whole, PLANTAIN_PUBLISH_S3_SECRET_ACCESS_KEY: '', PORT: 'x' }), (error: ConfigError) => error.mistakes.length === 2 && /SECRET_ACCESS_KEY: missing/.test(error.message))
})

const schema = Type.Object({ apiKey: Type.String({ description: 'Key.' }), baseUrl: Type.String({ default: 'https://acme.example', description: 'Address.' }), concurrency: Type.Optional(Type.Integer({ minimum: 1, maximum: 9, description: 'Jobs.' })) })

test('a provider is read by its own schema, and says what is missing', () => {
  assert.equal(variableOf('acme-two', 'apiKey'), 'ACME_TWO_API_KEY')
  assert.deepEqual(readProviderSettings('acme', schema, {}), { missing: ['ACME_API_KEY'] })
  assert.deepEqual(readProviderSettings('acme', schema, { ACME_API_KEY: 'k', ACME_CONCURRENCY: '3' }), { values: { apiKey: 'k', baseUrl: 'https://acme.example', concurrency: 3 } })
  assert.throws(() => readProviderSettings('acme', schema, { ACME_API_KEY: 'k', ACME_CONCURRENCY: '30' }), ConfigError)
})

test('the pace of any provider can be set', () => {
  assert.deepEqual(readPacing('acme', {}), {})
  assert.deepEqual(readPacing('acme', { ACME_CONCURRENCY: '3', ACME_PER_MINUTE: '60' }), { concurrency: 3, perMinute: 60 })
  assert.throws(() => readPacing('acme', { ACME_CONCURRENCY: '0' }), /ACME_CONCURRENCY="0": must be a whole number from 1 to 100000/)
})

test('.env.example is as `npm run make` writes it', async () => {
  assert.equal(await readFile(new URL('../../.env.example', import.meta.url), 'utf8'), writeEnvironmentExample(), 'run npm run make')
})
