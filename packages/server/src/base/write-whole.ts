import { randomBytes } from "node:crypto";
import { open, rename, rm } from "node:fs/promises";
import { dirname } from "node:path";
import { faultCode } from "./file-fault.ts";

/** Readable by the owner alone. */
const MODE = 0o600;

/**
 * Replaces a file: whoever reads it sees the old text or the new one, and once this resolves the new one is on the disk for good. Its owner alone may read it.
 * Others may write the same file meanwhile, in this process or another: the last one stays.
 */
export async function writeWhole(path: string, text: string): Promise<void> {
  const draft = `${path}.${randomBytes(8).toString("hex")}.new`;
  try {
    const handle = await open(draft, "wx", MODE);
    try {
      await handle.writeFile(text);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(draft, path);
  } catch (error) {
    await rm(draft, { force: true });
    throw error;
  }
  await syncFolder(dirname(path));
}

/** Makes renames into a folder last. */
export async function syncFolder(folder: string): Promise<void> {
  if (process.platform === "win32") return;
  const handle = await open(folder, "r");
  try {
    await handle.sync();
  } catch (error) {
    // Some network file systems do not know this.
    if (faultCode(error) !== "EINVAL") throw error;
  } finally {
    await handle.close();
  }
}
