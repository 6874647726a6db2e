/** A picture or film we keep. Bytes are shared by content (`sha256`); an asset is one owner's right to them. */
export interface Asset {
  id: string
  projectId: string
  livemode: boolean
  kind: 'input' | 'output'
  sha256: string
  mime: string
  sizeBytes: number
  width: number | null
  height: number | null
  /** File name the caller gave, or one made from the task. */
  name: string | null
  taskId: string | null
  createdAt: Date
  /** After this the asset is gone; null keeps it until it is deleted. */
  expiresAt: Date | null
}

/** Facts about bytes in the store, before anyone owns them. */
export interface StoredBlob {
  sha256: string
  mime: string
  sizeBytes: number
  width: number | null
  height: number | null
  /** How long a film plays, where its file says so. Not kept in the row. */
  seconds?: number
}
