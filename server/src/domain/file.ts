/** Bytes under a name of their own: what a caller uploaded or a batch wrote. Those of a picture have an asset of the same id. */
export interface StoredFile {
  id: string
  source: 'uploaded' | 'generated'
  /** The dialect's own word for what it is for. */
  purpose: string
  name: string | null
  mime: string
  sha256: string
  sizeBytes: number
  createdAt: Date
  /** After this the file is gone; null keeps it until it is deleted. */
  expiresAt: Date | null
}
