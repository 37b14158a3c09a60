import { readSync } from "node:fs";
import type { Duplex } from "node:stream";
import { faultCode } from "../base/file-fault.ts";

/** A socket's file descriptor, which Node does not publish; undefined: it has none any more, or keeps it to itself. */
export function descriptorOf(socket: Duplex): number | undefined {
  const { _handle: handle } = socket as { readonly _handle?: { readonly fd?: unknown } | null };
  return typeof handle?.fd === "number" && handle.fd >= 0 ? handle.fd : undefined;
}

/** How many bytes were there to be read; undefined: the peer is gone, which the event loop will see. */
export function readAvailable(fd: number, target: Uint8Array): number | undefined {
  try {
    const count = readSync(fd, target, 0, target.byteLength, null);
    return count === 0 ? undefined : count;
  } catch (error) {
    return faultCode(error) === "EAGAIN" ? 0 : undefined;
  }
}
