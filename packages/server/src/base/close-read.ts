import { closeSync } from "node:fs";
import { faultCode } from "./file-fault.ts";

/**
 * Closes a file that was only read. A file system that fails here (`EIO` of a network's) takes back nothing of what was read, and must not hide why
 * the file is closed; the descriptor is free all the same. Throws for a descriptor that is not open: a mistake of the caller's.
 */
export function closeRead(fd: number): void {
  try {
    closeSync(fd);
  } catch (error) {
    if (faultCode(error) === undefined || faultCode(error) === "EBADF") throw error;
  }
}
