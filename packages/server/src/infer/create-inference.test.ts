import assert from "node:assert/strict";
import { test } from "node:test";
import { ServeError } from "../base/errors.ts";
import { createRegistry } from "../models/create-registry.ts";
import {
  candidateOf,
  ManualClock,
  requestOf,
  StubModel,
  scanOf,
  silentLogger,
  turns,
} from "../models/models.kit.ts";
import { createInference } from "./create-inference.ts";

async function setUp() {
  const clock = new ManualClock();
  const stubs: StubModel[] = [];
  const registry = createRegistry({
    clock,
    logger: silentLogger,
    readiness: ["m"],
    load: async (candidate) => {
      const stub = new StubModel(candidate);
      stubs.push(stub);
      return stub;
    },
  });
  let draining = false;
  const inference = createInference({
    registry,
    clock,
    serverInfo: { name: "sconce", version: "0", extensions: [] },
    isDraining: () => draining,
  });
  registry.apply(scanOf(candidateOf("m"), candidateOf("b", { problem: "it is broken", format: "zip" })));
  await turns();
  const drain = (): void => {
    draining = true;
  };
  return { clock, registry, inference, stub: stubs[0]!, drain };
}

test("a request is checked, stamped and answered", async () => {
  const { clock, inference, stub } = await setUp();
  await clock.advance(5);
  const request = requestOf("m");
  const answer = inference.infer(request);
  await turns();
  assert.equal(request.timeline.enqueuedMs, 5);
  stub.answer();
  assert.deepEqual(
    (await answer).outputs.map((output) => output.name),
    ["y", "z"],
  );
});

test("requested outputs come in the order asked for", async () => {
  const { inference, stub } = await setUp();
  const answers = [["z", "y"], ["z"], []].map((outputs) => inference.infer(requestOf("m", { outputs })));
  await turns();
  stub.answer();
  const names = (await Promise.all(answers)).map((answer) => answer.outputs.map((output) => output.name));
  assert.deepEqual(names, [["z", "y"], ["z"], ["y", "z"]]);
});

test("what cannot be answered is refused before it is scheduled", async () => {
  const { inference, stub } = await setUp();
  const aborted = AbortSignal.abort();
  const wrong = [{ name: "q", datatype: "FP32" as const, shape: [1, 1], bytes: new Uint8Array(4) }];
  const cases = [
    [requestOf("n"), "not_found", 'model "n" does not exist on this server; did you mean "m"?'],
    [requestOf("nope"), "not_found", 'model "nope" does not exist on this server'],
    [
      requestOf("m", { version: "7" }),
      "not_found",
      'version 7 of model "m" does not exist on this server; it has 1',
    ],
    [requestOf("b"), "unavailable", 'model "b" is not ready: it is broken'],
    [
      requestOf("m", { inputs: wrong }),
      "invalid_argument",
      'input "q": the model has no such input; it takes "x"',
    ],
    [
      requestOf("m", { outputs: ["w"] }),
      "invalid_argument",
      'output "w": the model has no such output; it gives "y", "z"',
    ],
    [requestOf("m", { outputs: ["y", "y"] }), "invalid_argument", 'output "y" is asked for twice'],
    [requestOf("m", { signal: aborted }), "cancelled", "the request was cancelled"],
  ] as const;
  for (const [request, code, message] of cases) {
    await assert.rejects(inference.infer(request), { code, message });
  }
  assert.equal(stub.submitted, 0);
});

test("metadata, index and readiness", async () => {
  const { inference, drain } = await setUp();
  assert.deepEqual(inference.modelMetadata("m", undefined).versions, ["1"]);
  assert.throws(() => inference.modelMetadata("b", undefined), { code: "unavailable" });
  assert.throws(() => inference.isModelReady("nope", undefined), { code: "not_found" });
  assert.equal(inference.isModelReady("m", undefined), true);
  assert.equal(inference.isModelReady("b", undefined), false);
  assert.deepEqual(
    inference.index().map((entry) => `${entry.name} ${entry.state} ${entry.reason}`),
    ["m READY ", "b UNAVAILABLE it is broken"],
  );
  assert.equal(inference.isReady(), true);
  drain();
  assert.equal(inference.isReady(), false);
  assert.equal(inference.isLive(), true);
});

test("asking what a model takes loads one that loads on first use", async () => {
  const clock = new ManualClock();
  const loaded: string[] = [];
  const registry = createRegistry({
    clock,
    logger: silentLogger,
    lazy: true,
    load: async (candidate) => {
      loaded.push(candidate.name);
      return new StubModel(candidate);
    },
  });
  const serverInfo = { name: "sconce", version: "0", extensions: [] };
  const inference = createInference({ registry, clock, serverInfo, isDraining: () => false });
  registry.apply(scanOf(candidateOf("m")));
  await turns();
  assert.deepEqual(loaded, []);
  const inputs = await inference.acquireInputs("m", undefined, AbortSignal.timeout(60_000));
  assert.deepEqual(loaded, ["m"]);
  assert.deepEqual(inputs, inference.modelMetadata("m", undefined).inputs);
  await assert.rejects(inference.acquireInputs("n", undefined, AbortSignal.timeout(60_000)), {
    code: "not_found",
  });
});

/** Lets `count` steps of other promises pass. */
async function steps(count: number): Promise<void> {
  for (let i = 0; i < count; i++) await undefined;
}

test("a request that waited for its model is answered, although a reload takes over as it comes", async () => {
  for (let apart = 0; apart < 24; apart++) {
    const clock = new ManualClock();
    const stubs: StubModel[] = [];
    const loads = new Map<string, { succeed(): void; fail(): void }>();
    const registry = createRegistry({
      clock,
      logger: silentLogger,
      lazy: true,
      // It takes its time to give up.
      load: (candidate) =>
        new Promise((resolve, reject) => {
          const succeed = (): void => {
            const stub = new StubModel(candidate);
            stubs.push(stub);
            resolve(stub);
          };
          const fail = (): void => reject(new ServeError("cancelled", "given up"));
          loads.set(candidate.fingerprint, { succeed, fail });
        }),
    });
    const serverInfo = { name: "sconce", version: "0", extensions: [] };
    const inference = createInference({ registry, clock, serverInfo, isDraining: () => false });
    registry.apply(scanOf(candidateOf("m")));
    const answer = inference.infer(requestOf("m"));
    await turns();
    for (const fingerprint of ["b", "c"]) {
      registry.apply(scanOf(candidateOf("m", { fingerprint })));
      await turns();
      if (fingerprint === "b") loads.get("b")!.succeed();
      await turns();
    }
    loads.get("a")!.fail();
    await steps(apart);
    loads.get("c")!.succeed();
    await turns();
    await clock.advance(1);
    for (const stub of stubs) stub.answer();
    await assert.doesNotReject(answer, `${apart} steps apart`);
  }
});
