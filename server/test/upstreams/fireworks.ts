import { rehearseSdk } from './ai-sdk.ts'

export const rehearse = rehearseSdk('fireworks')
