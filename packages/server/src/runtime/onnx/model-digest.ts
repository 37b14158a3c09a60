import { createHash } from "node:crypto";
import { readdirSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { onFile } from "../../base/file-fault.ts";
import { resolveBelow } from "../../base/open-below.ts";
import type { LoadOptions } from "../runtime.ts";
import { fileDigestBeside } from "./file-digest.ts";

/** Identifies the answers a model gives: its file's digest, changed by the options that change the numbers. */
export async function modelDigest(
  path: string,
  {
    precision,
    weightsFile,
    inputs,
    root,
    device = "cpu",
  }: Pick<LoadOptions, "precision" | "weightsFile" | "inputs" | "device"> & { readonly root: string },
): Promise<string> {
  const [program, weights] = await Promise.all([
    fileDigestBeside(path),
    weightsFile === undefined ? "" : weightsDigest(resolveBelow(root, weightsFile)),
  ]);
  const isPlain = precision === "float32" && weightsFile === undefined && inputs === undefined;
  if (isPlain && device === "cpu") return program;
  const types = inputs === undefined ? "" : ` ${JSON.stringify(Object.entries(inputs).sort())}`;
  const place = device === "cpu" ? "" : ` on ${device}`;
  return createHash("sha256").update(`${program} ${precision} ${weights}${types}${place}`).digest("hex");
}

/** An index names its shards only: their sizes and times stand for what is in them. */
async function weightsDigest(path: string): Promise<string> {
  const own = await fileDigestBeside(path);
  if (!path.endsWith(".json")) return own;
  const folder = dirname(path);
  const shards = onFile(folder, (path) => readdirSync(path))
    .filter((name) => name.endsWith(".safetensors"))
    .sort()
    .map((name) => ({ name, facts: onFile(join(folder, name), (shard) => statSync(shard)) }));
  return [own, ...shards.map(({ name, facts }) => `${name}:${facts.size}:${facts.mtimeMs}`)].join(" ");
}
