import { ServeError } from "../base/errors.ts";

export type SharedMemoryKind = "system" | "cuda";

/** Regions that clients may have registered together, however many files may be open. */
export const MAX_REGIONS = 1024;
/** Descriptors that one may take: for reading and for writing. */
export const REGION_DESCRIPTORS = 2;

/** Throws what every registration of CUDA shared memory is answered with. */
export function rejectCudaRegistration(): never {
  throw unsupported(
    "CUDA shared memory is not offered: tensors come from the memory of the CPU; send tensors as raw bytes",
  );
}

/** What registrations, and tensors in regions, are answered with while the operator does not allow them. */
export function sharedMemoryOff(): ServeError {
  return unsupported(
    "system shared memory is off; start the server with --shared-memory system, or send tensors as raw bytes",
  );
}

/** There are no regions: none is listed, and one that is asked for by name is not found. */
export function rejectUnknownRegion(kind: SharedMemoryKind, name: string): void {
  if (name !== "") throw noSuchRegion(kind, name);
}

function unsupported(message: string): ServeError {
  return new ServeError("invalid_argument", message, { reason: "unsupported_extension" });
}

export function noSuchRegion(kind: SharedMemoryKind, name: string): ServeError {
  const shown = JSON.stringify(name.slice(0, 256));
  return new ServeError("not_found", `there is no ${kind} shared memory region ${shown}; register it first`, {
    reason: "no_such_region",
  });
}
