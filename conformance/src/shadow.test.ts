// Tests `shadow:` of model.yaml on the built server, with PyTorch in a worker.
import assert from "node:assert/strict";
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { MODELS_FOLDER } from "./expected-digits.ts";
import { pythonOrReason } from "./python.ts";
import { type ServerProcess, startServerProcess } from "./server-process.ts";
import { until } from "./until.kit.ts";

const MODELS = {
  faithful: "shadow: {runtime: python, share: 100%}\n",
  // What rounding the weights does to the answers is what the comparison shows.
  rounded: "precision: int8\nshadow: {share: 100%, tolerance: 1e-7}\n",
};
/** An image of no digit, so that no probability is 1 whatever the weights are. */
const DOUBTFUL = Array.from({ length: 8 }, (_, row) =>
  Array.from({ length: 8 }, (_, column) => ((row * 37 + column * 11) % 17) / 17),
);
type Model = keyof typeof MODELS;

const environment = pythonOrReason();
const skip = "skip" in environment ? environment.skip : false;

describe("a shadow", { skip }, () => {
  const folder = mkdtempSync(join(tmpdir(), "sconce-shadow-"));
  let server: ServerProcess;

  before(async () => {
    for (const [model, yaml] of Object.entries(MODELS)) {
      mkdirSync(join(folder, model));
      copyFileSync(join(MODELS_FOLDER, "digits.pt2"), join(folder, model, "model.pt2"));
      writeFileSync(join(folder, model, "model.yaml"), yaml);
    }
    const python = "path" in environment ? environment.path : "";
    server = await startServerProcess([folder, "--python", python, "--spare-workers", "0"]);
  });
  after(async () => {
    await server?.stop();
    rmSync(folder, { recursive: true });
  });

  const ask = async (model: Model): Promise<readonly (readonly number[])[]> => {
    const body = JSON.stringify({ input: [[DOUBTFUL]] });
    const response = await fetch(`${server.url}/predict/${model}`, { method: "POST", body });
    assert.equal(response.status, 200);
    return (await response.json()) as readonly (readonly number[])[];
  };
  const metric = async (name: string, labels: readonly string[]): Promise<number> => {
    const text = await (await fetch(`${server.url}/metrics`)).text();
    const line = text
      .split("\n")
      .find((each) => each.startsWith(`${name}{`) && labels.every((l) => each.includes(l)));
    return line === undefined ? Number.NaN : Number(line.split(" ").at(-1));
  };
  const compared = (model: Model, result: string): Promise<number> =>
    metric("sconce_shadow_comparisons_total", [`model="${model}"`, `result="${result}"`]);
  /** Asks until so many comparisons ended so. */
  const askUntil = async (model: Model, result: string, count: number): Promise<void> =>
    until(`${count} comparisons of ${model} are ${result}`, async () => {
      await ask(model);
      return (await compared(model, result)) >= count;
    });

  test("finds a translation equal to PyTorch, and its worker's memory is shown", async () => {
    await askUntil("faithful", "equal", 3);
    assert.equal(await compared("faithful", "differing"), 0);
    const largest = await metric("sconce_shadow_largest_difference", ['model="faithful"']);
    assert.ok(largest < 1e-4, `${largest}`);
    assert.ok(
      (await metric("sconce_worker_resident_bytes", ['model="faithful"', 'instance="shadow"'])) > 2 ** 20,
    );
  });

  test("finds answers that differ, and says where", async () => {
    await askUntil("rounded", "differing", 2);
    assert.ok((await metric("sconce_shadow_largest_difference", ['model="rounded"'])) > 1e-7);
    assert.match(
      server.output(),
      /an answer differs from PyTorch's: probabilities at \[0, \d\]: \S+ instead of \S+/,
    );
  });

  test("computes in a process of the lowest priority, which may die without effect", async () => {
    const before = await compared("faithful", "equal");
    const answer = await ask("faithful");
    const pid = shadowOf(server, "faithful");
    assert.equal(niceness(pid), 19);
    process.kill(pid, "SIGKILL");
    assert.deepEqual(await ask("faithful"), answer);
    const ready = await fetch(`${server.url}/v2/models/faithful/ready`);
    assert.equal(ready.status, 200);
    // The worker comes back.
    await askUntil("faithful", "equal", before + 3);
  });
});

/** The process that computes it. */
function shadowOf(server: ServerProcess, model: Model): number {
  const line = server
    .output()
    .split("\n")
    .find((each) => each.includes(`"${model} (shadow)"`) && each.includes("worker is ready"));
  return (JSON.parse(line!) as { readonly pid: number }).pid;
}

function niceness(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
  // The 19th field, counted behind the name, which may hold spaces.
  return Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[16]);
}
