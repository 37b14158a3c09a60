// Tests deploy/: manifests against Kubernetes' own schemas, and everything against the server's options and metrics.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { parse, parseAllDocuments } from "yaml";
import { findHelm, renderChart } from "./helm.kit.ts";

const ROOT = fileURLToPath(new URL("../../..", import.meta.url));
const DEPLOY = join(ROOT, "deploy");
/** Kinds of operators, which Kubernetes' schemas do not know. */
const CUSTOM = new Set([
  "Kustomization",
  "ServiceMonitor",
  "ScaledObject",
  "ClusterServingRuntime",
  "InferenceService",
]);

interface Container {
  readonly name: string;
  readonly args: readonly string[];
  readonly volumeMounts?: readonly { readonly name: string; readonly mountPath: string }[];
}
interface Manifest {
  readonly kind: string;
  readonly spec?: {
    readonly containers?: readonly Container[];
    readonly volumeClaimTemplates?: readonly { readonly metadata: { readonly name: string } }[];
    readonly triggers?: readonly { readonly metadata: { readonly query: string } }[];
    readonly template?: {
      readonly spec: {
        readonly containers: readonly Container[];
        readonly terminationGracePeriodSeconds: number;
        readonly volumes?: readonly { readonly name: string }[];
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
const helm = findHelm();
/** By what they show: values of the chart. */
const VALUES: Readonly<Record<string, object>> = {
  plain: { modelsVolume: { claim: "models" } },
  everything: {
    models: ["/models", "s3://bucket/prefix"],
    modelsVolume: { source: { hostPath: { path: "/srv/models" } } },
    state: { enabled: true, storageClass: "fast" },
    tls: { secret: "sconce-tls", clientCaKey: "ca.crt", crlKey: "crl.pem" },
    apiKeys: { secret: "sconce-keys" },
    adminToken: { secret: "sconce-admin" },
    cacheStore: { address: "rediss://cache:6380", secret: "sconce-cache" },
    storesSecret: "bucket-credentials",
    args: ["--lazy-loading", "--max-loaded-models=20"],
    env: [{ name: "LANG", value: "C.UTF-8" }],
    envFrom: [{ configMapRef: { name: "sconce" } }],
    drain: { delaySeconds: 20, timeoutSeconds: 120 },
    autoscaling: { kind: "keda", queueWaitSeconds: 0.1 },
    networkPolicy: {
      ingress: [{ from: [{ namespaceSelector: {} }], ports: [{ port: "http" }] }],
      egress: [{ to: [{ ipBlock: { cidr: "10.0.0.0/8" } }] }],
    },
    serviceMonitor: { enabled: true, tokenSecret: { name: "metrics" }, tlsConfig: { serverName: "sconce" } },
    topologySpread: { keys: ["kubernetes.io/hostname", "topology.kubernetes.io/zone"] },
    nodeSelector: { disk: "ssd" },
    tolerations: [{ key: "gpu", operator: "Exists" }],
    affinity: { nodeAffinity: { preferredDuringSchedulingIgnoredDuringExecution: [] } },
    podAnnotations: { team: "models" },
    podLabels: { team: "models" },
    priorityClassName: "serving",
    imagePullSecrets: [{ name: "registry" }],
    image: { digest: `sha256:${"a".repeat(64)}` },
    service: { annotations: { team: "models" } },
  },
  bare: {
    autoscaling: { kind: "none" },
    disruptionBudget: { enabled: false },
    networkPolicy: { enabled: false },
    replicas: 1,
    apiKeys: { secret: "sconce-keys" },
  },
};
function rendered(values: object): readonly Manifest[] {
  const result = renderChart(helm.program!, values);
  assert.ok("manifests" in result, "refusal" in result ? result.refusal : "");
  return result.manifests as readonly Manifest[];
}
const charts = new Map(
  helm.program === undefined
    ? []
    : Object.entries(VALUES).map(([name, values]) => [name, rendered(values)] as const),
);
manifests.push(...[...charts.values()].flat());
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
  const workloads = manifests.filter(({ kind }) => kind === "Deployment" || kind === "StatefulSet");
  assert.ok(workloads.length >= 1);
  for (const workload of workloads) {
    const { containers: own, terminationGracePeriodSeconds } = workload.spec!.template!.spec;
    const seconds = (option: string): number =>
      Number(own[0]!.args.find((arg) => arg.startsWith(`${option}=`))!.slice(option.length + 1, -1));
    assert.ok(terminationGracePeriodSeconds >= seconds("--drain-delay") + seconds("--drain-timeout") + 5);
  }
});

const needsHelm = { skip: helm.program === undefined && helm.skip };

test("the chart makes what the plain manifests say, and nothing that was not asked for", needsHelm, () => {
  const kinds = (name: string): string[] =>
    charts
      .get(name)!
      .map(({ kind }) => kind)
      .sort();
  const pod = (all: readonly Manifest[]) => {
    const { spec } = all.find(({ kind }) => kind === "Deployment")!.spec!.template!;
    const [{ args: _args, ...container }] = spec.containers as [Container & Record<string, unknown>];
    return {
      ...spec,
      containers: [{ ...container, imagePullPolicy: undefined }],
      topologySpreadConstraints: [],
    };
  };
  const plain = manifests.filter((manifest) => !charts.get("plain")!.includes(manifest));
  const strip = (value: unknown): unknown => JSON.parse(JSON.stringify(value));
  assert.deepEqual(strip(pod(charts.get("plain")!)), strip(pod(plain)));
  assert.deepEqual(kinds("plain"), [
    "Deployment",
    "HorizontalPodAutoscaler",
    "NetworkPolicy",
    "PodDisruptionBudget",
    "Service",
  ]);
  assert.deepEqual(kinds("bare"), ["Deployment", "Service"]);
  assert.deepEqual(kinds("everything"), [
    "NetworkPolicy",
    "PodDisruptionBudget",
    "ScaledObject",
    "Service",
    "ServiceMonitor",
    "StatefulSet",
  ]);
});

test(
  "the chart mounts what its arguments name, and opens the port without keys to nobody by mistake",
  needsHelm,
  () => {
    for (const [name, all] of charts) {
      const { spec } = all.find(({ kind }) => /^(Deployment|StatefulSet)$/.test(kind))!;
      const [{ args, volumeMounts = [] }] = spec!.template!.spec.containers as [Container];
      const volumes = [
        ...(spec!.template!.spec.volumes ?? []).map((volume) => volume.name),
        ...(spec!.volumeClaimTemplates ?? []).map(({ metadata }) => metadata.name),
      ];
      assert.deepEqual(volumeMounts.map((mount) => mount.name).sort(), volumes.sort(), name);
      for (const arg of args) {
        const [, path] = /^--[a-z-]+=(\/(?:etc|var)\/.*)$/.exec(arg) ?? [];
        assert.ok(
          path === undefined || volumeMounts.some(({ mountPath }) => path.startsWith(mountPath)),
          arg,
        );
      }
      const isGuarded = args.some((arg) => /^--(tls-cert|api-keys)=/.test(arg));
      assert.equal(args.includes("--insecure"), !isGuarded, name);
    }
  },
);

test("the chart refuses values that it does not know", needsHelm, () => {
  for (const wrong of [
    { replica: 3 },
    { autoscaling: { kind: "vpa" } },
    { models: [] },
    { tls: { cert: "x" } },
  ]) {
    const result = renderChart(helm.program!, wrong);
    assert.ok("refusal" in result && result.refusal !== "", JSON.stringify(wrong));
  }
});

test("KEDA asks for metrics that the server has", needsHelm, () => {
  const page = readFileSync(join(ROOT, "docs/operations.md"), "utf8");
  const queries = manifests.flatMap(({ spec }) => spec?.triggers ?? []).map(({ metadata }) => metadata.query);
  const used = queries.flatMap((query) => query.match(/sconce_[a-z_]+/g) ?? []);
  assert.ok(used.length >= 3);
  for (const name of used) assert.ok(page.includes(name.replace(/_bucket$/, "")), name);
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
