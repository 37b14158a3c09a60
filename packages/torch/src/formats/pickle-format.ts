import type { ByteSource } from "../byte-source.ts";

const HEAD_BYTES = 4096;
/** The number that torch.save before 1.6 begins with, as a pickle; its first bytes are enough. */
const TORCH_MAGIC = [0x8a, 0x0a, 0x6c];

/** What a pickle is, by its beginning: a checkpoint in PyTorch's layout before 1.6, a scikit-learn model, or something else. */
export function pickleFormat(source: ByteSource): "checkpoint" | "scikit-learn" | "pickle" {
  const head = source.read(0, Math.min(HEAD_BYTES, source.byteLength));
  if (TORCH_MAGIC.every((byte, index) => head[2 + index] === byte)) return "checkpoint";
  const text = new TextDecoder("latin1").decode(head);
  return /\b(sklearn|joblib)\b/.test(text) ? "scikit-learn" : "pickle";
}
