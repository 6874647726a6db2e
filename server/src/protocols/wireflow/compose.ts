/**
 * A workflow made of a prompt. Pure, and honest: nobody reads the prompt. It goes into the node that makes the picture, with the pictures that
 * came along to go by, and what was made is shown.
 */
import type { WireGraph, WireNode } from './graph.ts'

const node = (id: string, nodeType: string, label: string, x: number, y: number, config: WireNode['data'] = {}): WireNode =>
  ({ id, type: 'basedNode', position: { x, y }, data: { label, nodeType, category: nodeType.split(':')[0]!, config, params: config } })

export function compose(prompt: string, images: string[]): WireGraph {
  const inputs = images.map((image, index) => node(`image-${index + 1}`, 'input:image', `Picture ${index + 1}`, 100, 420 + index * 260, { image, imageUrl: image }))
  return {
    nodes: [node('prompt-1', 'input:text', 'Prompt', 100, 160, { prompt }), ...inputs, node('generate-1', 'generate:nano_banana_2_1', 'Nano Banana 2.1', 560, 160), node('preview-1', 'output:preview', 'Preview', 1_020, 160)],
    edges: [
      { id: 'e1', source: 'prompt-1', target: 'generate-1', sourceHandle: 'out-prompt', targetHandle: 'in-prompt' },
      ...inputs.map(({ id }, index) => ({ id: `e${index + 3}`, source: id, target: 'generate-1', sourceHandle: 'out-image', targetHandle: `in-image${index + 1}` })),
      { id: 'e2', source: 'generate-1', target: 'preview-1', sourceHandle: 'out-images', targetHandle: 'in-image' },
    ],
  }
}
