import { readSync } from "node:fs";
import type { Duplex } from "node:stream";
import { faultCode } from "../base/file-fault.ts";

/** Whether `readAvailable` can read from a socket at all. */
export function isReadable(socket: Duplex): boolean {
  return descriptorOf(socket) !== undefined;
}

/** How many bytes were there to be read; undefined: there is no peer any more, which the event loop will see. */
export function readAvailable(socket: Duplex, target: Uint8Array): number | undefined {
  // Asked anew each time: once the socket is closed, its number may be that of a client's connection.
  const fd = descriptorOf(socket);
  if (fd === undefined) return undefined;
  try {
    const count = readSync(fd, target, 0, target.byteLength, null);
    return count === 0 ? undefined : count;
  } catch (error) {
    return faultCode(error) === "EAGAIN" ? 0 : undefined;
  }
}

/** A socket's file descriptor, which Node does not publish; undefined: it has none any more, or keeps it to itself. */
function descriptorOf(socket: Duplex): number | undefined {
  const { destroyed, _handle: handle } = socket as Duplex & {
    readonly _handle?: { readonly fd?: unknown } | null;
  };
  if (destroyed || typeof handle?.fd !== "number") return undefined;
  return handle.fd >= 0 ? handle.fd : undefined;
}
