import type { RegionPlace } from "@sconce/protocol";
import { ServeError } from "../base/errors.ts";
import { elementBytes, elementCount, type NamedTensor } from "../base/tensor.ts";
import type { MemoryRegions } from "./memory-regions.ts";
import type { Work } from "./time-slicer.ts";

/** What reading inputs from shared memory needs. */
export interface PlacedReading {
  readonly regions: MemoryRegions;
  /** Of all inputs together. */
  readonly maxBytes: number;
  /** Pays for memory. Throws when there is no room. */
  pay(bytes: number): void;
}

/** Bytes of all places. Throws `resource_exhausted`/`body_too_large` for more than a body may have. */
export function placedBytes(places: ReadonlyMap<number, RegionPlace>, maxBytes: number): number {
  let bytes = 0n;
  for (const { byteSize } of places.values()) bytes += byteSize;
  if (bytes <= BigInt(maxBytes)) return Number(bytes);
  throw new ServeError(
    "resource_exhausted",
    `the inputs in shared memory have ${bytes} bytes, more than the ${maxBytes} that one request may have (--max-body)`,
    { reason: "body_too_large" },
  );
}

/**
 * The inputs of a request, with the bytes of those that lie in shared memory (`places`, by index) copied out of it. Throws `invalid_argument` when a place
 * does not have as many bytes as its tensor, and what the regions throw.
 */
export function* readPlaced(
  inputs: readonly NamedTensor[],
  places: ReadonlyMap<number, RegionPlace>,
  { regions, maxBytes, pay }: PlacedReading,
): Work<readonly NamedTensor[]> {
  pay(placedBytes(places, maxBytes));
  const read = [...inputs];
  for (const [index, place] of places) {
    const input = inputs[index]!; // places are numbered by their inputs
    const bytes = Buffer.allocUnsafeSlow(checkedSize(input, place));
    yield regions.reading(place, bytes);
    read[index] = { ...input, bytes };
  }
  return read;
}

function checkedSize({ name, datatype, shape }: NamedTensor, { byteSize }: RegionPlace): number {
  const size = Number(byteSize);
  const needed = elementCount(shape) * elementBytes(datatype);
  if (datatype === "BYTES" || size === needed) return size;
  throw new ServeError(
    "invalid_argument",
    `input "${name}": ${datatype} [${shape.join(", ")}] needs ${needed} bytes, and shared_memory_byte_size is ${byteSize}`,
    { reason: "bad_region" },
  );
}

/** Writes outputs to shared memory (`places`, by name). Throws `invalid_argument`/`bad_region` for one that is larger than its place. */
export function* writePlaced(
  outputs: readonly NamedTensor[],
  places: ReadonlyMap<string, RegionPlace>,
  regions: MemoryRegions,
): Work<void> {
  for (const { name, bytes } of outputs) {
    const place = places.get(name);
    if (place === undefined) continue;
    if (BigInt(bytes.length) > place.byteSize) {
      throw new ServeError(
        "invalid_argument",
        `output "${name}" has ${bytes.length} bytes, and shared_memory_byte_size is ${place.byteSize}`,
        { reason: "bad_region" },
      );
    }
    yield regions.writing(place, bytes);
  }
}
