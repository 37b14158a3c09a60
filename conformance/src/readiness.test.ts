// Tests the built server: strict readiness is true of what lies in the repository, on REST, gRPC and the health port.
import assert from "node:assert/strict";
import {
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import { loadConfig, type RunningServer, startServer } from "sconce";
import { MODELS_FOLDER } from "./expected-digits.ts";
import { protoClient } from "./grpc-client.ts";
import { until } from "./until.kit.ts";

const base = mkdtempSync(join(tmpdir(), "readiness-"));
after(() => rmSync(base, { recursive: true }));

const DIGITS = join(MODELS_FOLDER, "digits.pt2");
const WEIGHTS = Buffer.concat([Buffer.from([2, 0, 0, 0, 0, 0, 0, 0]), Buffer.from("{}")]);

type Make = (folder: string) => void;

const put =
  (name: string, content: Buffer | string): Make =>
  (folder) => {
    mkdirSync(join(folder, name, ".."), { recursive: true });
    writeFileSync(join(folder, name), content);
  };
const makeFolder =
  (name: string): Make =>
  (folder) => {
    mkdirSync(join(folder, name), { recursive: true });
  };
const good: Make = (folder) => copyFileSync(DIGITS, join(folder, "good.pt2"));

async function withServer(
  root: string,
  flags: readonly (readonly [string, string])[],
  use: (server: RunningServer) => Promise<void>,
): Promise<void> {
  const always = [
    ["--port", "0"],
    ["--health-address", "127.0.0.1:0"],
    ["--spare-workers", "0"],
  ] as const;
  const server = await startServer({
    config: loadConfig({ flags: new Map([...always, ...flags]) }),
    paths: [root],
  });
  try {
    await server.settled;
    await use(server);
  } finally {
    await server.stop();
  }
}

async function statusOf(url: string): Promise<number> {
  return (await fetch(`${url}/v2/health/ready`)).status;
}

/** The same on every door. */
async function assertReady(server: RunningServer, ready: boolean): Promise<void> {
  const status = ready ? 200 : 503;
  assert.equal(await statusOf(server.url), status, "REST");
  const target = new URL(server.url).host;
  const oip = protoClient({
    proto: "inference/grpc_service.proto",
    service: "inference.GRPCInferenceService",
    target,
  });
  const health = protoClient({
    proto: "grpc/health/v1/health.proto",
    service: "grpc.health.v1.Health",
    target,
  });
  try {
    assert.equal((await oip.unary("ServerReady", {}))["ready"], ready, "gRPC");
    assert.equal((await health.unary("Check", {}))["status"], ready ? 1 : 2, "gRPC health");
  } finally {
    oip.close();
    health.close();
  }
  await until("the health port says the same", async () => (await statusOf(server.healthUrl!)) === status);
}

let folders = 0;
function repository(...makes: readonly Make[]): string {
  const folder = join(base, `${folders++}`);
  mkdirSync(folder);
  for (const make of makes) make(folder);
  return folder;
}

describe("what looks like a model and does not serve makes the server not ready, though another model serves", () => {
  const BROKEN: Readonly<Record<string, readonly [Make, RegExp]>> = {
    "a truncated file": [put("m.pt2", readFileSync(DIGITS).subarray(0, 5000)), /./],
    "an empty file": [put("m.onnx", ""), /empty/],
    "a weights-only file": [put("m.safetensors", WEIGHTS), /weights/],
    "an empty version folder": [makeFolder("m/1"), /holds no model file/],
    "an empty model folder": [makeFolder("m"), /holds no model file/],
    "a folder with settings alone": [put("m/model.yaml", "instances: 1"), /holds no model file/],
    "a version named v1": [put("m/v1/model.pt2", readFileSync(DIGITS)), /not a version/],
    "a link to nowhere": [
      (folder) => symlinkSync(join(folder, "nowhere"), join(folder, "m.pt2")),
      /cannot be read/,
    ],
    "a name that cannot be served": [put("m m.pt2", readFileSync(DIGITS)), /name cannot be served/],
  };
  for (const [what, [make, reason]] of Object.entries(BROKEN)) {
    test(what, async () => {
      await withServer(repository(good, make), [], async (server) => {
        await assertReady(server, false);
        const broken = server.models().find(({ name }) => name !== "good");
        assert.equal(broken?.state, "UNAVAILABLE");
        assert.match(broken.reason, reason);
      });
    });
  }

  test("--readiness settled is ready with it", async () => {
    const root = repository(good, makeFolder("m/1"));
    await withServer(root, [["--readiness", "settled"]], (server) => assertReady(server, true));
  });

  test("--readiness good is ready with it: that model is what counts", async () => {
    const root = repository(good, makeFolder("m/1"));
    await withServer(root, [["--readiness", "good"]], (server) => assertReady(server, true));
    await withServer(root, [["--readiness", "good,m"]], (server) => assertReady(server, false));
    const mixed = loadConfig({ flags: new Map([["--readiness", "good,strict"]]) });
    await assert.rejects(startServer({ config: mixed, paths: [root] }), { reason: "bad_option" });
  });

  test("with models that load on first use, too", async () => {
    const lazy = [["--lazy-loading", "true"]] as const;
    await withServer(repository(good), lazy, (server) => assertReady(server, true));
    await withServer(repository(good, makeFolder("m/1")), lazy, (server) => assertReady(server, false));
  });
});

test("lost+found, notes, dot files and folders of other things do not matter", async () => {
  const others = [
    "README",
    "README.md",
    ".hidden/model.pt2",
    "..data/m.pt2",
    "images/cat.png",
    "my notes/a.txt",
  ];
  const root = repository(good, makeFolder("lost+found"), ...others.map((name) => put(name, "x")));
  await withServer(root, [], async (server) => {
    await assertReady(server, true);
    assert.deepEqual(
      server.models().map(({ name, state }) => `${name} ${state}`),
      ["good READY", "images UNAVAILABLE"],
    );
  });
});

test("an empty repository is ready with --allow-empty only", async () => {
  for (const root of [repository(), repository(makeFolder("lost+found"), put("README", ""))]) {
    await withServer(root, [], (server) => assertReady(server, false));
    await withServer(root, [["--readiness", "settled"]], (server) => assertReady(server, false));
    await withServer(root, [["--allow-empty", "true"]], (server) => assertReady(server, true));
  }
});

test("a broken rollout beside a version that serves leaves the server ready, and is listed", async () => {
  const root = repository((folder) => {
    mkdirSync(join(folder, "m/1"), { recursive: true });
    copyFileSync(DIGITS, join(folder, "m/1/model.pt2"));
  });
  const poll = [
    ["--model-control", "poll"],
    ["--poll-interval", "100"],
  ] as const;
  await withServer(root, poll, async (server) => {
    await assertReady(server, true);
    const truncated = readFileSync(DIGITS).subarray(0, 5000);
    mkdirSync(join(root, "staged"));
    put("staged/model.pt2", truncated)(root);
    renameSync(join(root, "staged"), join(root, "m/2"));
    put("new.pt2", truncated)(root);
    renameSync(join(root, "new.pt2"), join(root, "m/1/model.pt2"));
    const stateOf = (version: string): string | undefined => {
      const entry = server.models().find((one) => one.version === version);
      return entry && `${entry.state} ${entry.reason}`;
    };
    await until("both are seen", () => {
      return /^UNAVAILABLE/.test(stateOf("2") ?? "") && /^READY .*does not load/.test(stateOf("1") ?? "");
    });
    await assertReady(server, true);
  });
});
