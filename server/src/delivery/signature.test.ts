import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Webhook } from 'standardwebhooks'
import { writeHeaders, type Letter } from './headers.ts'
import { newWebhookSecret, signKie } from './signature.ts'

const letter: Letter = {
  id: '0193f1c2a4b57c3d8e9f001122334455', taskId: '0f3c9d2e7a5b41688c1d2e3f4a5b6c7d', eventType: 'task.completed', style: 'plantain',
  body: '{"type":"task.completed","data":{"prompt":"ein Äpfelchen 🍎"}}', timestampS: Math.floor(Date.now() / 1_000), secrets: [newWebhookSecret()], kieKey: null,
}

const verify = (secret: string, changed: Partial<Letter> = {}, body = letter.body) => new Webhook(secret).verify(body, writeHeaders({ ...letter, ...changed }))

test('the Standard Webhooks library verifies what we sign', () => {
  assert.deepEqual(verify(letter.secrets[0]!), JSON.parse(letter.body))
})

test('another body, another secret and another hour do not verify', () => {
  assert.throws(() => verify(letter.secrets[0]!, {}, `${letter.body} `), /No matching signature/)
  assert.throws(() => verify(newWebhookSecret()), /No matching signature/)
  assert.throws(() => verify(letter.secrets[0]!, { timestampS: letter.timestampS - 3_600 }), /too old/)
})

test('while a secret is replaced, both verify', () => {
  const secrets = [newWebhookSecret(), newWebhookSecret()]
  for (const secret of secrets) verify(secret, { secrets })
  assert.equal(writeHeaders({ ...letter, secrets })['webhook-signature']!.split(' ').length, 2)
})

test('a secret has 32 random bytes in the form the libraries take', () => {
  assert.match(newWebhookSecret(), /^whsec_[A-Za-z0-9+/]{43}=$/)
  assert.notEqual(newWebhookSecret(), newWebhookSecret())
})

test("Kie's signature is the one of the published vector", () => {
  const kie = { taskId: '0f3c9d2e7a5b41688c1d2e3f4a5b6c7d', timestampS: 1_794_560_441, key: 'whk_test' }
  assert.equal(signKie(kie), 'VkHsi/4lDoDzRtvtGSGu4kxOD+n7/Gs3zBjSX3PL7f4=')
  assert.deepEqual(writeHeaders({ ...letter, style: 'kie', taskId: kie.taskId, timestampS: kie.timestampS, kieKey: kie.key }), {
    'x-webhook-timestamp': '1794560441', 'x-webhook-signature': 'VkHsi/4lDoDzRtvtGSGu4kxOD+n7/Gs3zBjSX3PL7f4=',
  })
})

test('Kie signs nothing for a project without a key', () => assert.deepEqual(writeHeaders({ ...letter, style: 'kie' }), {}))
