import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { basename } from "node:path";
import { ServeError } from "../base/errors.ts";
import { fileFault } from "../base/file-fault.ts";
import { openBelow } from "../base/open-below.ts";

const DIGEST = /^[0-9a-f]{64}$/i;
/** Little enough that nobody waits for the digest of a piece. */
const PIECE_BYTES = 1 << 18;

/**
 * Compares a model's file with the `sha256` of its settings, in hex. Rejects with `failed_precondition`/`digest_mismatch`, `invalid_argument`/`invalid_config` for
 * what is no digest, and `unavailable` when the file cannot be read.
 */
export async function checkDigest(
  { root, file }: { readonly root: string; readonly file: string },
  expected: string,
  signal: AbortSignal,
): Promise<void> {
  if (!DIGEST.test(expected)) {
    throw new ServeError("invalid_argument", "sha256 in model.yaml: expected 64 hexadecimal digits", {
      reason: "invalid_config",
    });
  }
  const digest = await digestOf(root, file, signal);
  if (digest === expected.toLowerCase()) return;
  throw new ServeError(
    "failed_precondition",
    `${basename(file)} has the SHA-256 ${digest}, and ${expected.toLowerCase()} is expected by model.yaml`,
    { reason: "digest_mismatch" },
  );
}

async function digestOf(root: string, file: string, signal: AbortSignal): Promise<string> {
  const { fd } = openBelow(root, file);
  const hash = createHash("sha256");
  try {
    const pieces = createReadStream("", { fd, start: 0, highWaterMark: PIECE_BYTES, signal });
    for await (const piece of pieces as AsyncIterable<Buffer>) hash.update(piece);
  } catch (error) {
    throw fileFault(error, file);
  }
  return hash.digest("hex");
}
