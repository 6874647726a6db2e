/** What an upstream says a making took, by modality. Absent fields were not told, which is not the same as zero. */
export interface Usage {
  /** Tokens of the prompt's text, and of the pictures sent with it. */
  textIn?: number
  imageIn?: number
  /** Tokens of text that came back, thinking included, and of pictures. */
  textOut?: number
  imageOut?: number
  /** Web searches the upstream ran to ground the answer. */
  searches?: number
}
