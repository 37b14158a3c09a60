// Tests rollouts of new versions on the built server, under load.
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { encodeModel } from "@sconce/torch";
import { type ServerProcess, startServerProcess } from "./server-process.ts";
import { multiplier } from "./stores/file-server.kit.ts";
import { until } from "./until.kit.ts";

const TOKEN = "the-administrators-token";
const value = (name: string) => ({ name, dtype: "float32" as const, dims: ["batch", 1] });
const node = (type: string, inputs: string[], output: string) => ({
  type,
  domain: "",
  inputs,
  outputs: [output],
  attributes: {},
});

/** Answers like the others, and raises for more than one row. */
const RAISING = model([node("MatMul", ["x", "x"], "y")]);
/** The same answer as `multiplier(1)`, after a few million operations. */
const SLOW = model(
  [
    node("Expand", ["x", "wide"], "many"),
    node("Tan", ["many"], "tan"),
    node("Atan", ["tan"], "atan"),
    node("ReduceMean", ["atan", "axis"], "y"),
  ],
  { wide: [1, 1_000_000], axis: [1] },
);

function model(nodes: ReturnType<typeof node>[], constants: Record<string, number[]> = {}): Buffer {
  const initializers = Object.entries(constants).map(([name, values]) => ({
    name,
    dtype: "int64" as const,
    dims: [values.length],
    data: new Uint8Array(BigInt64Array.from(values, BigInt).buffer),
  }));
  const graph = { name: "main", inputs: [value("x")], outputs: [value("y")], initializers, nodes };
  return Buffer.from(encodeModel({ opsets: new Map([["", 21]]), graph }));
}

const COMMON = "warmup_runs: 0\nrollout:\n  share: 30%\n  window: 300ms\n  min_requests: 20\n";
const MODELS = {
  good: `${COMMON}  max_latency: none\n`,
  raising: `${COMMON}  max_latency: none\n`,
  // The new one cannot be as fast, and on a busy machine the old one is not either.
  slow: `${COMMON}  max_latency: 5ms\n`,
  // A difference is found before a client sees it.
  differing:
    "rollout:\n  share: 0%, 30%\n  window: 300ms\n  min_requests: 10\n  max_latency: none\n  shadow: 100%\n  max_differing: 5%\n",
  steered: "warmup_runs: 0\n",
};
type Model = keyof typeof MODELS;

interface Document {
  readonly state: string;
  readonly reason?: string;
  readonly share?: number;
  readonly candidate?: { readonly version: string; readonly requests: number; readonly failed: number };
  readonly compared?: { readonly differing: number };
}

describe("a rollout", () => {
  const folder = mkdtempSync(join(tmpdir(), "sconce-rollout-"));
  const states = mkdtempSync(join(tmpdir(), "sconce-rollout-states-"));
  let begin: () => Promise<ServerProcess>;
  let server: ServerProcess;

  const put = (name: Model, version: number, file: Buffer): void => {
    const staged = join(folder, `.${name}-${version}`);
    mkdirSync(staged, { recursive: true });
    writeFileSync(join(staged, "model.onnx"), file);
    renameSync(staged, join(folder, name, String(version)));
  };
  before(async () => {
    for (const [name, yaml] of Object.entries(MODELS)) {
      mkdirSync(join(folder, name));
      writeFileSync(join(folder, name, "model.yaml"), yaml);
      put(name as Model, 1, multiplier(1));
    }
    const control = ["--model-control", "explicit", "--load-models", Object.keys(MODELS).join(",")];
    const options = ["--rollout-header", "x-rollout", "--spare-workers", "0", "--state-dir", states];
    begin = () =>
      startServerProcess([folder, ...control, ...options], { env: { SCONCE_ADMIN_TOKEN: TOKEN } });
    server = await begin();
  });
  after(async () => {
    await server?.stop();
    rmSync(folder, { recursive: true });
    rmSync(states, { recursive: true });
  });

  const post = async (path: string, body: unknown = {}): Promise<Response> =>
    fetch(`${server.url}/v2/repository/models/${path}`, {
      method: "POST",
      headers: { authorization: `Bearer ${TOKEN}`, "content-type": "application/json" },
      body: JSON.stringify(body),
    });
  const steer = async (name: Model, parameters: object): Promise<Document> => {
    const response = await post(`${name}/rollout`, { parameters });
    assert.equal(response.status, 200, await response.clone().text());
    return (await response.json()) as Document;
  };
  const rollout = async (name: Model): Promise<Document> =>
    (await (await fetch(`${server.url}/v2/repository/models/${name}/rollout`)).json()) as Document;
  const ask = async (name: Model, headers: Record<string, string> = {}): Promise<string> => {
    const inputs = [{ name: "x", datatype: "FP32", shape: [2, 1], data: [0.5, 0.25] }];
    const response = await fetch(`${server.url}/v2/models/${name}/infer`, {
      method: "POST",
      headers,
      body: JSON.stringify({ inputs }),
    });
    const text = await response.text();
    assert.equal(response.status, 200, text);
    return (JSON.parse(text) as { model_version: string }).model_version;
  };
  /** Asks, on several connections, until the rollout is over and for a while longer; which versions answered, and what became of it. */
  const askThrough = async (
    name: Model,
  ): Promise<{ readonly versions: string[]; readonly end: Document }> => {
    const versions: string[] = [];
    let end: Document | undefined;
    let last = Number.POSITIVE_INFINITY;
    const client = async (): Promise<void> => {
      while (versions.length < last) versions.push(await ask(name));
    };
    const watch = async (): Promise<void> => {
      await until(`the rollout of ${name} is over`, async () => {
        const document = await rollout(name);
        if (document.state !== "promoted" && document.state !== "rolled_back") return false;
        end = document;
        return true;
      });
      last = versions.length + 20;
    };
    await Promise.all([watch(), client(), client(), client(), client()]);
    return { versions, end: end! };
  };
  const index = async (name: Model): Promise<Record<string, string>> => {
    const lines = (await (await fetch(`${server.url}/v2/repository/index`, { method: "POST" })).json()) as {
      readonly name: string;
      readonly version: string;
      readonly state: string;
      readonly reason: string;
    }[];
    return Object.fromEntries(
      lines
        .filter((line) => line.name === name)
        .map(({ version, state, reason }) => [version, `${state} ${reason}`]),
    );
  };

  test("promotes a good version, and no request fails", async () => {
    put("good", 2, multiplier(1));
    assert.equal((await post("good/load")).status, 200);
    const { versions, end } = await askThrough("good");
    assert.equal(end.state, "promoted", JSON.stringify(end));
    assert.ok(versions.includes("1") && versions.includes("2"));
    await until("the old version is unloaded", async () =>
      (await index("good"))["1"]!.startsWith("UNAVAILABLE"),
    );
    assert.equal(await ask("good"), "2");
  });

  for (const [name, file, reason] of [
    ["raising", RAISING, "errors"],
    ["slow", SLOW, "latency"],
    ["differing", multiplier(3), "differing"],
  ] as const)
    test(`rolls a ${name} version back, and no request fails`, async () => {
      put(name, 2, file);
      assert.equal((await post(`${name}/load`)).status, 200);
      const { versions, end } = await askThrough(name);
      assert.deepEqual([end.state, end.reason], ["rolled_back", reason], JSON.stringify(end));
      // What failed was answered by the old version, what differed was thrown away.
      if (name !== "slow") assert.ok(!versions.includes("2"));
      for (let i = 0; i < 20; i++) assert.equal(await ask(name), "1");
      await until("it is unloaded", async () =>
        (await index(name))["2"]!.startsWith("UNAVAILABLE rolled back"),
      );
      assert.match(
        await (await fetch(`${server.url}/metrics`)).text(),
        new RegExp(`sconce_rollouts_total{[^}]*outcome="${reason}"`),
      );
      // It is not tried again by itself.
      assert.equal((await post(`${name}/load`)).status, 200);
      assert.equal(await ask(name), "1");
    });

  test("is steered by the administrator alone, and sends a key always to the same version", async () => {
    put("steered", 2, multiplier(1));
    const url = `${server.url}/v2/repository/models/steered/rollout`;
    assert.equal((await fetch(url, { method: "POST", body: "{}" })).status, 401);
    assert.equal((await rollout("steered")).state, "steady");
    const begun = await steer("steered", {
      action: "start",
      version: 2,
      share: "30%",
      by: "header",
      promotion: "manual",
      max_latency: "none",
    });
    assert.deepEqual([begun.state, begun.share], ["canary", 0.3]);
    assert.match((await index("steered"))["2"]!, /^READY rollout: 30% of the requests/);
    assert.equal(await ask("steered", { "x-rollout": "always" }), "2");
    assert.equal(await ask("steered", { "x-rollout": "never" }), "1");
    const sides = async (): Promise<string[]> => {
      const found: string[] = [];
      for (let user = 0; user < 40; user++) found.push(await ask("steered", { "x-rollout": `user-${user}` }));
      return found;
    };
    const first = await sides();
    assert.deepEqual(await sides(), first);
    assert.ok(first.includes("1") && first.includes("2"));
    assert.equal((await steer("steered", { action: "advance", share: "60%" })).share, 0.6);
    const later = await sides();
    // Who has the new version keeps it.
    assert.ok(first.every((version, user) => version === "1" || later[user] === "2"));
    assert.equal((await steer("steered", { action: "abort" })).state, "rolled_back");
    assert.deepEqual([...new Set(await sides())], ["1"]);
    assert.equal((await steer("steered", { action: "start", version: 2 })).state, "canary");
    assert.equal((await steer("steered", { action: "promote" })).state, "promoted");
    assert.deepEqual([...new Set(await sides())], ["2"]);
    assert.match(server.output(), /audit: rollout of a model, asked for by the administrator/);
  });

  test("a start knows what was rolled back, what was promoted and what was under way", async () => {
    put("good", 3, multiplier(1));
    assert.equal((await post("good/load")).status, 200);
    assert.equal((await rollout("good")).state, "canary");
    await server.stop();
    // Copied anew, and trained anew.
    writeFileSync(join(folder, "differing/2/model.onnx"), multiplier(3));
    rmSync(join(folder, "raising"), { recursive: true });
    mkdirSync(join(folder, "raising"));
    writeFileSync(join(folder, "raising/model.yaml"), MODELS.raising);
    put("raising", 1, multiplier(1));
    put("raising", 2, multiplier(2));
    server = await begin();
    assert.equal(await ask("differing"), "1");
    assert.match((await index("differing"))["2"]!, /^UNAVAILABLE rolled back: /);
    assert.equal(await ask("slow"), "1");
    assert.equal(await ask("steered"), "2");
    await until("other files under the same version are tried", async () => {
      const { state } = await rollout("raising");
      return state === "canary" || state === "promoted";
    });
    const { state, candidate } = await rollout("good");
    assert.deepEqual([state, candidate?.version], ["canary", "3"]);
    assert.equal(await ask("good", { "x-rollout": "never" }), "2");
  });
});
