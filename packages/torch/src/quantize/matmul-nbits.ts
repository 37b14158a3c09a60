import type { OnnxNode, ReadExternal } from "../onnx/model.ts";
import { productNode } from "./product-node.ts";
import type { Rewrite } from "./rewrite.ts";
import { weightFloats } from "./weight-floats.ts";

export interface WeightOnlyOptions {
  readonly bits: 4 | 8;
  /** Elements along the input features that share a scale. */
  readonly blockSize: number;
  readonly read: ReadExternal;
}

/**
 * Stores the weights of matrix products in 4 or 8 bits, round to nearest, symmetric per block; activations stay float32.
 * `com.microsoft.MatMulNBits`: codes uint8 [n, blocks, blockSize · bits / 8], low nibble first; scales float32 [n · blocks]; zero points
 * default to the middle code. Answers whether it replaced the node.
 */
export function weightOnly(node: OnnxNode, rewrite: Rewrite, options: WeightOnlyOptions): boolean {
  const product = productNode(node, rewrite);
  if (product === undefined) return false;
  if (typeof product === "string") return rewrite.skip(node.inputs[1]!, product);
  const { weight, k, n, isTransposed, bias } = product;
  const { bits, blockSize, read } = options;
  if (k < blockSize)
    return rewrite.skip(weight.name, `it has ${k} input features, fewer than a block of ${blockSize}`);
  const [codes, scales] = rewrite.shared(`nbits ${weight.name} ${isTransposed}`, () => {
    const values = weightFloats(weight, read);
    const at = isTransposed
      ? (row: number, i: number) => values[row * k + i]!
      : (row: number, i: number) => values[i * n + row]!;
    const packed = packBlocks(at, { k, n, bits, blockSize });
    const blocks = Math.ceil(k / blockSize);
    const dims = [n, blocks, (blockSize * bits) / 8];
    return [
      rewrite.initializer(`${weight.name}.int${bits}`, { dtype: "uint8", dims, data: packed.codes }),
      rewrite.initializer(`${weight.name}.scale`, {
        dtype: "float32",
        dims: [n * blocks],
        data: new Uint8Array(packed.scales.buffer),
      }),
    ];
  });
  const result = rewrite.emit({
    type: "MatMulNBits",
    domain: "com.microsoft",
    inputs: [product.activation, codes!, scales!],
    attributes: { K: k, N: n, bits, block_size: blockSize },
    ...(bias === undefined ? { outputs: node.outputs } : {}),
  });
  if (bias !== undefined) rewrite.emit({ type: "Add", inputs: [result, bias], outputs: node.outputs });
  rewrite.done(weight.name);
  return true;
}

interface Blocks {
  readonly k: number;
  readonly n: number;
  readonly bits: 4 | 8;
  readonly blockSize: number;
}

/** Codes with the middle of the range as zero: 8 for 4 bits, 128 for 8. The block's largest value maps to the negative end. */
function packBlocks(
  at: (row: number, i: number) => number,
  { k, n, bits, blockSize }: Blocks,
): { codes: Uint8Array; scales: Float32Array } {
  const blocks = Math.ceil(k / blockSize);
  const blockBytes = (blockSize * bits) / 8;
  const middle = bits === 4 ? 8 : 128;
  const codes = new Uint8Array(n * blocks * blockBytes);
  const scales = new Float32Array(n * blocks);
  for (let row = 0; row < n; row++) {
    for (let block = 0; block < blocks; block++) {
      const start = block * blockSize;
      const end = Math.min(k, start + blockSize);
      let extreme = 0;
      for (let i = start; i < end; i++) if (Math.abs(at(row, i)) > Math.abs(extreme)) extreme = at(row, i);
      const scale = extreme === 0 ? 1 : extreme / -middle;
      scales[row * blocks + block] = scale;
      const first = (row * blocks + block) * blockBytes;
      for (let i = 0; i < blockSize; i++) {
        const value = start + i < end ? at(row, start + i) : 0;
        const code = Math.max(0, Math.min(2 * middle - 1, Math.round(value / scale) + middle));
        if (bits === 8) codes[first + i] = code;
        else codes[first + (i >> 1)]! |= code << (4 * (i & 1));
      }
    }
  }
  return { codes, scales };
}
