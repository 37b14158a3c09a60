// Tests deploy/: manifests against Kubernetes' own schemas, and everything against the server's options and metrics.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { parse, parseAllDocuments } from "yaml";

const ROOT = fileURLToPath(new URL("../../..", import.meta.url));
const DEPLOY = join(ROOT, "deploy");
/** Kinds of operators, which Kubernetes' schemas do not know. */
const CUSTOM = new Set(["Kustomization", "ServiceMonitor", "ClusterServingRuntime", "InferenceService"]);

interface Container {
  readonly name: string;
  readonly args: readonly string[];
}
interface Manifest {
  readonly kind: string;
  readonly spec?: {
    readonly containers?: readonly Container[];
    readonly template?: {
      readonly spec: {
        readonly containers: readonly Container[];
        readonly terminationGracePeriodSeconds: number;
      };
    };
  };
  readonly resources?: readonly string[];
}

const files = ["kubernetes", "kserve"].flatMap((folder) =>
  readdirSync(join(DEPLOY, folder)).map((name) => join(DEPLOY, folder, name)),
);
const manifests = files.flatMap((file) =>
  parseAllDocuments(readFileSync(file, "utf8")).map((document) => document.toJS() as Manifest),
);
const containers = manifests.flatMap(({ spec }) => spec?.containers ?? spec?.template?.spec.containers ?? []);

function kubernetesValidate(): string | undefined {
  const args = ["python-env.mjs", "python/deploy-requirements.txt"].map((name) =>
    join(ROOT, "scripts", name),
  );
  const env = spawnSync(process.execPath, args, { encoding: "utf8" });
  return env.status === 0 ? env.stdout.trim() : undefined;
}

test("manifests are what Kubernetes takes, strictly; of KServe's the pods", { timeout: 600_000 }, (t) => {
  const python = kubernetesValidate();
  if (python === undefined) {
    t.skip("needs kubernetes-validate");
    return;
  }
  const folder = mkdtempSync(join(tmpdir(), "sconce-manifests-"));
  t.after(() => rmSync(folder, { recursive: true }));
  const pods = manifests
    .filter(({ kind }) => kind === "ClusterServingRuntime")
    .map(({ spec }) => ({
      apiVersion: "v1",
      kind: "Pod",
      metadata: { name: "runtime" },
      spec: { containers: spec!.containers },
    }));
  const own = [...manifests.filter(({ kind }) => !CUSTOM.has(kind)), ...pods];
  const paths = own.map((manifest, i) => {
    const path = join(folder, `${i}.yaml`);
    // YAML takes JSON.
    writeFileSync(path, JSON.stringify(manifest));
    return path;
  });
  const program = "import sys; from kubernetes_validate.__main__ import main; sys.exit(main())";
  const run = spawnSync(python, ["-c", program, "-k", "1.34", "--strict", ...paths], { encoding: "utf8" });
  assert.equal(run.status, 0, run.stdout + run.stderr);
  assert.ok(own.length >= 6);
});

test("every argument of a manifest and of compose.yaml is an option of sconce serve", () => {
  const bin = join(ROOT, "packages/server/bin/sconce.js");
  const help = spawnSync(process.execPath, [bin, "serve", "--help"], { encoding: "utf8" }).stdout;
  const options = new Set([...help.matchAll(/^ {2}(--[a-z0-9-]+)/gm)].map(([, option]) => option!));
  const compose = parse(readFileSync(join(ROOT, "compose.yaml"), "utf8")) as {
    readonly services: { readonly sconce: { readonly command: readonly string[] } };
  };
  const args = [...containers.flatMap((container) => container.args), ...compose.services.sconce.command];
  const used = args.filter((arg) => arg.startsWith("--")).map((arg) => arg.split("=")[0]!);
  assert.ok(used.length > 5);
  assert.deepEqual(
    used.filter((option) => !options.has(option)),
    [],
  );
});

test("a pod is given longer to end than the server needs to drain", () => {
  const [deployment] = manifests.filter(({ kind }) => kind === "Deployment");
  const { containers: own, terminationGracePeriodSeconds } = deployment!.spec!.template!.spec;
  const seconds = (option: string): number =>
    Number(own[0]!.args.find((arg) => arg.startsWith(`${option}=`))!.slice(option.length + 1, -1));
  assert.ok(terminationGracePeriodSeconds >= seconds("--drain-delay") + seconds("--drain-timeout") + 5);
});

test("kustomization.yaml applies every manifest that needs no operator", () => {
  const [kustomization] = manifests.filter(({ kind }) => kind === "Kustomization");
  const plain = readdirSync(join(DEPLOY, "kubernetes")).filter(
    (name) => !["kustomization.yaml", "service-monitor.yaml"].includes(name),
  );
  assert.deepEqual([...kustomization!.resources!].sort(), plain.sort());
});

test("alerts and dashboard ask for metrics that the server has", () => {
  const page = readFileSync(join(ROOT, "docs/operations.md"), "utf8");
  const known = new Set(page.match(/sconce_[a-z_]+/g));
  for (const file of ["prometheus/alerts.yaml", "grafana/sconce.json"]) {
    const used = readFileSync(join(DEPLOY, file), "utf8").match(/sconce_[a-z_]+/g) ?? [];
    const strange = used.filter(
      (name) => !known.has(name) && !known.has(name.replace(/_(bucket|sum|count)$/, "")),
    );
    assert.ok(used.length > 5, file);
    assert.deepEqual(strange, [], file);
  }
});
