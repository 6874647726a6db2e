/**
 * Where a call goes and how the key goes along: OpenAI's way, or Azure's. Pure.
 *
 * Azure serves the same calls at three kinds of address: `/openai/v1` as OpenAI does, with the deployment's name as the model;
 * `/openai/deployments/<deployment>` with an `api-version`; and the latter with the deployment already in the address.
 */
export interface Address {
  /** Deployments have names of their own: what a model takes cannot be read out of its name. */
  isAzure: boolean
  url(path: string, model: string): URL
  headers(apiKey: string): Record<string, string>
  /** The list of models, which asks for nothing but the key. */
  models: URL
}

const azureHost = /\.(openai\.azure\.com|services\.ai\.azure\.com|cognitiveservices\.azure\.com)$/i

export function readAddress(baseUrl: string, apiVersion: string | undefined): Address {
  const base = baseUrl.replace(/\/+$/, '')
  const isAzure = apiVersion !== undefined || azureHost.test(new URL(base).hostname)
  const isWhole = !isAzure || /\/v1$|\/deployments\//.test(base)
  const root = `${base.replace(/\/openai$/, '')}/openai`
  const models = new URL(isAzure ? `${base.replace(/\/openai(\/.*)?$/, '')}/openai/${apiVersion === undefined ? 'v1/' : ''}models` : `${base}/models`)
  if (apiVersion !== undefined) models.searchParams.set('api-version', apiVersion)
  return {
    isAzure, models,
    url(path, model) {
      const url = new URL(isWhole ? `${base}/${path}` : apiVersion === undefined ? `${root}/v1/${path}` : `${root}/deployments/${encodeURIComponent(model)}/${path}`)
      if (apiVersion !== undefined) url.searchParams.set('api-version', apiVersion)
      return url
    },
    headers: (apiKey): Record<string, string> => isAzure ? { 'api-key': apiKey } : { authorization: `Bearer ${apiKey}` },
  }
}
