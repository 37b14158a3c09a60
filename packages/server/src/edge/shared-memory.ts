import { ServeError } from "../base/errors.ts";

export type SharedMemoryKind = "system" | "cuda";

/** Throws what every registration is answered with. */
export function rejectRegistration(kind: SharedMemoryKind): never {
  const why =
    kind === "cuda"
      ? "CUDA shared memory is not offered: models run on the CPU"
      : "system shared memory is not offered";
  throw new ServeError("invalid_argument", `${why}; send tensors as raw bytes`, {
    reason: "unsupported_extension",
  });
}

/** There are no regions: none is listed, and one that is asked for by name is not found. */
export function rejectUnknownRegion(kind: SharedMemoryKind, name: string): void {
  if (name === "") return;
  throw new ServeError("not_found", `there is no ${kind} shared memory region of this name`, {
    reason: "no_such_region",
  });
}
