import { createHash, type Hash } from "node:crypto";
import type { InferRequest, ParameterValue } from "../../base/infer-request.ts";
import type { NamedTensor } from "../../base/tensor.ts";

/** Parameters that make an answer depend on requests before it. */
const STATEFUL = ["sequence_id", "sequence_start", "sequence_end"] as const;

/** False for requests whose answer depends on more than themselves. */
export function isCacheable(request: InferRequest): boolean {
  return request.parameters.size === 0 || !STATEFUL.some((name) => request.parameters.has(name));
}

/** What tells models apart. */
export interface KeyedModel {
  readonly name: string;
  readonly version: string;
  /** Empty where the cache itself tells contents apart. */
  readonly digest: string;
}

/**
 * SHA-256 over everything an answer depends on: the model's digest and version, the inputs (in signature order) with names,
 * datatypes, shapes and bytes, the outputs asked for, and the parameters. Every part carries its length, so that no two requests
 * run into the same text. Tenants do not share answers: how fast one comes would tell what others asked.
 */
export function cacheKey({ name, version, digest }: KeyedModel, request: InferRequest): string {
  const hash = createHash("sha256");
  const { inputs, outputs, parameters } = request;
  const names = outputs === undefined ? "*" : outputs.map(framed).join("");
  hash.update(
    `${framed(request.tenant ?? "")}${framed(name)}${framed(version)}${framed(digest)}` +
      `${inputs.length};${framed(names)}${parameters.size};`,
  );
  if (parameters.size > 0) hashParameters(hash, parameters);
  for (let i = 0; i < inputs.length; i++) hashTensor(hash, inputs[i]!);
  return hash.digest("base64");
}

function hashTensor(hash: Hash, { name, datatype, shape, bytes }: NamedTensor): void {
  hash.update(`${framed(name)}${datatype}[${shape.join(",")}]${bytes.length};`);
  hash.update(bytes);
}

function hashParameters(hash: Hash, parameters: ReadonlyMap<string, ParameterValue>): void {
  const sorted = [...parameters].sort(([a], [b]) => (a < b ? -1 : 1));
  for (const [name, value] of sorted) {
    hash.update(`${framed(name)}${typeof value}${framed(Object.is(value, -0) ? "-0" : String(value))}`);
  }
}

/** A text that says where it ends. */
function framed(text: string): string {
  return `${text.length}:${text}`;
}
