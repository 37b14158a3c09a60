import { createHash } from "node:crypto";
import type { NamedTensor } from "../base/tensor.ts";

/** SHA-256 over names, shapes and bytes, and over the tenant: nobody can have another tenant's input refused. */
export function fingerprintOf(inputs: readonly NamedTensor[], tenant: string): string {
  const hash = createHash("sha256");
  hash.update(
    JSON.stringify([tenant, ...inputs.map(({ name, datatype, shape }) => [name, datatype, shape])]),
  );
  for (const input of inputs) hash.update(input.bytes);
  return hash.digest("base64");
}

/** A cheap first look: a 32-bit mix of sizes and of 32 bytes per input. Equal inputs have equal samples. */
export function sampleOf(inputs: readonly NamedTensor[]): number {
  let mixed = 0x811c9dc5;
  for (let i = 0; i < inputs.length; i++) {
    const bytes = inputs[i]!.bytes;
    mixed = Math.imul(mixed ^ bytes.length, 0x01000193);
    const step = Math.max(1, bytes.length / 32);
    for (let at = 0; at < bytes.length; at += step)
      mixed = Math.imul(mixed ^ bytes[Math.floor(at)]!, 0x01000193);
  }
  return mixed >>> 0;
}
