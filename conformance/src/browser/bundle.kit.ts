import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { build, type Rolldown } from "vite";

/** A script for pages, made by Vite as a site's own build makes it. */
export interface Bundle {
  readonly code: string;
  /** The modules in it, by the paths of their files. */
  readonly modules: readonly string[];
}

/** Where packages are looked for: as in a project that has them installed. */
const HERE = dirname(fileURLToPath(import.meta.url));

/** What the bundler itself adds. */
const RUNTIME = "\0rolldown/runtime.js";

/** Bundles a module, minified, from its source; `beside`: further files that it imports by name. */
export async function bundle(source: string, beside: Readonly<Record<string, string>> = {}): Promise<Bundle> {
  const folder = mkdtempSync(join(HERE, "bundle-"));
  try {
    const entry = join(folder, "entry.js");
    for (const [name, text] of Object.entries({ ...beside, "entry.js": source }))
      writeFileSync(join(folder, name), text);
    const built = await build({
      configFile: false,
      logLevel: "error",
      root: folder,
      cacheDir: join(tmpdir(), "sconce-vite"),
      build: { write: false, rolldownOptions: { input: entry } },
    });
    const [{ output }] = [built].flat() as [Rolldown.RolldownOutput]; // one build, not watched
    const [chunk, ...more] = output;
    if (more.length > 0) throw new Error("the bundle is more than one file");
    const isOurs = (path: string): boolean => path.startsWith(folder) || path === RUNTIME;
    return { code: chunk.code, modules: Object.keys(chunk.modules).filter((path) => !isOurs(path)) };
  } finally {
    rmSync(folder, { recursive: true });
  }
}
