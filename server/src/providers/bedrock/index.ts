import { Type } from 'typebox'
import { provider } from '../contract.ts'
import { unclaimed } from '../toolkit.ts'
import { connectPictures } from '../toolkit/ai-sdk.ts'
import { title, writeJob } from './wire.ts'

const setting = 'BEDROCK_API_KEY, or BEDROCK_ACCESS_KEY_ID and BEDROCK_SECRET_ACCESS_KEY'

/**
 * Amazon Bedrock's picture models of the Nova Canvas wire, through the AI SDK's package, which signs every call.
 *
 * AWS ended Nova Canvas on 2026-09-30: its card is retired. What speaks the same wire (Titan, private arrangements) is a card of the
 * operator's own. Stability's models at Bedrock have another wire, which the package does not speak.
 */
export default provider({
  id: 'bedrock',
  title,
  settings: Type.Object({
    region: Type.String({ description: 'The AWS region, for example us-east-1.', pattern: '^[a-z0-9-]+$' }),
    apiKey: Type.Optional(Type.String({ description: 'A Bedrock API key; instead of an access key and its secret.', minLength: 1 })),
    accessKeyId: Type.Optional(Type.String({ description: 'An AWS access key that may invoke the models.', minLength: 1 })),
    secretAccessKey: Type.Optional(Type.String({ description: 'The secret of the access key.', minLength: 1 })),
    sessionToken: Type.Optional(Type.String({ description: 'For temporary access keys.', minLength: 1 })),
    baseUrl: Type.Optional(Type.String({ description: 'Another address of the Bedrock runtime; the region\'s by default.', pattern: '^https?://' })),
  }),
  limits: { concurrency: 10, perMinute: 100, perProcess: null },
  repeat: 'never',
  connect({ region, apiKey, accessKeyId, secretAccessKey, sessionToken, baseUrl }, workshop) {
    return connectPictures({ id: 'bedrock', title, setting, optionsKey: 'amazonBedrock', write: writeJob, ready: async () => { if (!apiKey && !(accessKeyId && secretAccessKey)) throw unclaimed(title, setting, 'was given no key', 'none') } }, async (model, fetch) => {
      const { createAmazonBedrock } = await import('@ai-sdk/amazon-bedrock')
      // Never out of the environment of the process: what is not set here is not there.
      const credentials = apiKey ? { apiKey } : { accessKeyId: accessKeyId ?? '', secretAccessKey: secretAccessKey ?? '', ...(sessionToken ? { sessionToken } : {}) }
      return createAmazonBedrock({ region, ...credentials, ...(baseUrl ? { baseURL: baseUrl.replace(/\/+$/, '') } : {}), fetch }).imageModel(model)
    }, workshop)
  },
})
