import { ServeError } from "./serve-error.ts";

/** Where a tensor lies in a shared memory region that was registered, as Triton's parameters say it. */
export interface RegionPlace {
  readonly region: string;
  /** From the beginning of the region. */
  readonly offset: bigint;
  readonly byteSize: bigint;
}

const NAMES: ReadonlySet<string> = new Set([
  "shared_memory_region",
  "shared_memory_offset",
  "shared_memory_byte_size",
]);
/** Of a region's name. */
export const MAX_REGION_NAME = 1024;
const UINT64_MAX = 2n ** 64n - 1n;

/** Whether a tensor's parameter says where it lies. */
export function isPlaceParameter(name: string): boolean {
  return NAMES.has(name);
}

/**
 * What a tensor's parameters say of where it lies; undefined: nothing, its data come with the request. `value`: a parameter's value, undefined when
 * there is none. Throws `invalid_argument` naming the parameter.
 */
export function readPlace(value: (name: string) => unknown, field: string): RegionPlace | undefined {
  const region = value("shared_memory_region");
  const offset = readSize(value("shared_memory_offset"), `${field}shared_memory_offset`);
  const byteSize = readSize(value("shared_memory_byte_size"), `${field}shared_memory_byte_size`);
  if (region === undefined) {
    if (offset === undefined && byteSize === undefined) return undefined;
    throw bad(`${field}shared_memory_region`, "missing; expected the name of a registered region");
  }
  if (typeof region !== "string" || region === "" || region.length > MAX_REGION_NAME)
    throw bad(`${field}shared_memory_region`, "expected the name of a registered region");
  if (byteSize === undefined)
    throw bad(`${field}shared_memory_byte_size`, "missing; expected a number of bytes");
  return { region, offset: offset ?? 0n, byteSize };
}

function readSize(value: unknown, field: string): bigint | undefined {
  if (value === undefined) return undefined;
  if (typeof value === "number" && Number.isSafeInteger(value) && value >= 0) return BigInt(value);
  if (typeof value === "bigint" && value >= 0n && value <= UINT64_MAX) return value;
  throw bad(field, "expected a number of bytes, 0 or more");
}

function bad(field: string, problem: string): ServeError {
  return new ServeError("invalid_argument", `${field}: ${problem}`, { reason: "bad_parameter" });
}
