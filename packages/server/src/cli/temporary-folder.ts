import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { undoneAtEnd } from "./undone-at-end.ts";

/** Lets `use` work in a folder of its own, of which nothing is left: not when it throws, nor when a signal ends the process. */
export async function withTemporaryFolder<T>(
  purpose: string,
  use: (folder: string) => Promise<T>,
): Promise<T> {
  const folder = mkdtempSync(join(tmpdir(), `sconce-${purpose}-`));
  const remove = (): void => rmSync(folder, { recursive: true, force: true });
  const forget = undoneAtEnd(remove);
  try {
    return await use(folder);
  } finally {
    remove();
    forget();
  }
}
