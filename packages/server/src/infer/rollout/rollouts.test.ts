import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { ServeError } from "../../base/errors.ts";
import type { InferRequest, InferResponse, Parameters } from "../../base/infer-request.ts";
import type { Logger } from "../../base/logger.ts";
import { createPrometheusMetrics } from "../../base/prometheus-metrics.ts";
import { submitTo } from "../../base/result-receiver.ts";
import type { RolloutSettings, RolloutState } from "../../base/rollout.ts";
import {
  candidateOf,
  requestOf,
  type StubModel,
  scanOf,
  silentLogger,
  turns,
} from "../../models/models.kit.ts";
import { setUp as setUpRegistry, states } from "../../models/registry-rig.kit.ts";
import { createCheckedSubmit } from "../checked-submit.ts";
import { createInference } from "../create-inference.ts";
import { ROLLOUT_SETTINGS } from "./rollout.kit.ts";
import { Rollouts } from "./rollouts.ts";

const [one, two, three] = ["1", "2", "3"].map((version) =>
  candidateOf("m", { version, fingerprint: version }),
);

/** Version 1 serves, and 2 comes; the draws decide which of them a request goes to. */
async function setUp(settings: Partial<RolloutSettings> = {}, draws: readonly number[] = [0, 0.9]) {
  const rig = setUpRegistry({ trials: () => ({ from: undefined }) });
  const { registry, clock, loads } = rig;
  const said: string[] = [];
  const logger: Logger = {
    ...silentLogger,
    info: (_fields, message) => void said.push(message),
    warn: (_fields, message) => void said.push(message),
  };
  const metrics = createPrometheusMetrics();
  let drawn = 0;
  const rollouts = new Rollouts({
    registry,
    clock,
    random: () => draws[drawn++ % draws.length]!,
    logger,
    metrics,
    submitChecked: createCheckedSubmit(clock),
    defer: setImmediate,
    readSettings: (_, given) => ({
      ...ROLLOUT_SETTINGS,
      ...settings,
      ...(given?.["share"] && { shares: [0.3] }),
    }),
    readShare: Number,
  });
  const inference = createInference({
    registry,
    clock,
    serverInfo: { name: "sconce", version: "0", extensions: [] },
    isDraining: () => false,
    rollouts: { current: rollouts },
  });
  const load = async (): Promise<StubModel> => {
    const stub = loads[0]!.succeed();
    await turns();
    return stub;
  };
  registry.apply(scanOf(one!));
  await turns();
  const old = await load();
  registry.apply(scanOf(one!, two!));
  await turns();
  const stub = (version: "1" | "2"): StubModel => rig.stubs.findLast((each) => each.version === version)!;
  /** Which version answered; `answered` false leaves it in flight. */
  const ask = async (overrides: Partial<InferRequest> = {}): Promise<string> => {
    const response = submitTo<InferRequest, InferResponse>(inference, requestOf("m", overrides));
    const settled = response.then(({ version }) => version);
    settled.catch(() => {});
    answerAll();
    await turns();
    answerAll();
    return await settled;
  };
  const answerAll = (): void => {
    for (const each of rig.stubs) each.answer();
  };
  const askMany = async (count: number): Promise<string[]> => {
    const versions: string[] = [];
    for (let i = 0; i < count; i++) versions.push(await ask());
    return versions;
  };
  const state = (): RolloutState | undefined => rollouts.status("m")?.state;
  /** Undefined: it is no canary. */
  const share = (): number | undefined => {
    const now = state();
    return now?.kind === "canary" ? now.share : undefined;
  };
  return { ...rig, rollouts, inference, metrics, said, load, old, stub, ask, askMany, state, share };
}

/** From now on the model fails every request with this. */
function failing(model: StubModel, error: () => Error): void {
  model.submit = (_request, receiver) => receiver.reject(error());
}
const raised = (): Error => new ServeError("internal", "it raises", { reason: "model_failed" });

function sequence(id: string, flag?: "sequence_start" | "sequence_end"): Parameters {
  const parameters = new Map<string, string | boolean>([["sequence_id", id]]);
  return flag === undefined ? parameters : parameters.set(flag, true);
}

describe("a new version", () => {
  test("gets nothing before it is loaded, then its share, step by step, until it is promoted", async () => {
    const { rollouts, clock, load, ask, askMany, state, share, said, registry, old } = await setUp();
    assert.equal(rollouts.isAny, true);
    assert.deepEqual(await askMany(4), ["1", "1", "1", "1"]);
    assert.deepEqual(state(), { kind: "loading" });
    await load();
    assert.deepEqual(await askMany(4), ["2", "1", "2", "1"]);
    await clock.advance(60_000);
    // Too few requests.
    assert.equal(share(), 0.1);
    await askMany(200);
    await clock.advance(1000);
    assert.equal(share(), 0.5);
    assert.match(
      states(registry)[1]!,
      /^m\/2 READY rollout: 50% of the requests, the others go to version 1$/,
    );
    await askMany(200);
    await clock.advance(59_000);
    assert.equal(state()?.kind, "canary");
    await clock.advance(1000);
    assert.deepEqual(state(), { kind: "promoted", detail: "every step ended well" });
    assert.equal(await ask(), "2");
    assert.equal(old.closed, true);
    assert.equal(rollouts.isAny, false);
    assert.deepEqual(said, [
      "rollout: version 2 gets 10% of the requests",
      "rollout: version 2 gets 50% of the requests",
      "rollout: version 2 takes over from version 1: every step ended well",
    ]);
  });

  test("that raises is rolled back at its second failure, and clients see none", async () => {
    const { load, askMany, state, metrics, registry, old, stub } = await setUp();
    failing(await load(), raised);
    assert.deepEqual(await askMany(20), Array<string>(20).fill("1"));
    assert.match(JSON.stringify(state()), /"rolled_back","reason":"errors"/);
    assert.deepEqual([old.closed, stub("2").closed], [false, true]);
    assert.match(
      states(registry)[1]!,
      /^m\/2 UNAVAILABLE rolled back: errors: 2 of 2 requests failed, 0 of 1/,
    );
    const text = await metrics.render();
    assert.match(text, /sconce_rollout_requests_total{model="m",version="2",result="replaced"} 2/);
    assert.match(text, /sconce_rollouts_total{model="m",version="2",outcome="errors"} 1/);
    assert.match(text, /sconce_rollout_share{model="m",version="2"} 0/);
  });

  test("that is rolled back with requests in flight loses none of them", async () => {
    const { load, inference, state, rollouts, stub } = await setUp({}, [0]);
    const candidate = await load();
    const responses = Array.from({ length: 8 }, () =>
      submitTo<InferRequest, InferResponse>(inference, requestOf("m")),
    );
    rollouts.steer("m", { action: "abort", settings: {} });
    await turns();
    assert.equal(state()?.kind, "rolled_back");
    assert.equal(candidate.closed, false);
    candidate.answer(4);
    // Its workers end under the others.
    candidate.destroy("killed");
    await turns();
    stub("1").answer();
    assert.deepEqual(
      (await Promise.all(responses)).map(({ version }) => version),
      [...Array<string>(4).fill("2"), ...Array<string>(4).fill("1")],
    );
  });

  test("that rejects what the old one answers has failed; what both reject is the client's fault", async () => {
    const { load, ask, rollouts, old } = await setUp({ maxErrors: 0.5 }, [0]);
    const rejecting = () => new ServeError("invalid_argument", "no", { reason: "invalid_input" });
    failing(await load(), rejecting);
    assert.equal(await ask(), "1");
    assert.deepEqual(rollouts.status("m")?.candidate, {
      version: "2",
      requests: 1,
      failed: 1,
      p95Ms: undefined,
    });
    failing(old, rejecting);
    await assert.rejects(ask(), { code: "invalid_argument" });
    assert.equal(rollouts.status("m")?.candidate.requests, 1);
    // A shape that neither takes.
    await assert.rejects(ask({ inputs: [] }), { code: "invalid_argument" });
    assert.equal(rollouts.status("m")?.candidate.requests, 1);
  });

  test("is not asked again by the old one for who left, is late, or has pieces of its answer", async () => {
    const { load, ask, old } = await setUp({ maxErrors: 1 }, [0]);
    const candidate = await load();
    failing(candidate, () => new ServeError("cancelled", "the client left"));
    await assert.rejects(ask(), { code: "cancelled" });
    failing(candidate, raised);
    await assert.rejects(ask({ deadlineMs: -1 }), { code: "internal" });
    candidate.submit = (request, receiver) => {
      request.onPiece?.({ head: new Uint8Array(1), body: new Uint8Array(1) });
      receiver.reject(raised());
    };
    let pieces = 0;
    await assert.rejects(ask({ onPiece: () => void pieces++ }), { code: "internal" });
    assert.deepEqual([old.submitted, pieces], [0, 1]);
  });

  test("that is slow is rolled back", async () => {
    const { load, inference, state, clock, old } = await setUp({ minRequests: 20 });
    const candidate = await load();
    for (let i = 0; i < 50; i++) {
      const responses = [0, 1].map(() => submitTo<InferRequest, InferResponse>(inference, requestOf("m")));
      await clock.advance(2);
      old.answer();
      await clock.advance(28);
      candidate.answer();
      await Promise.all(responses);
      if (state()?.kind !== "canary") break;
    }
    const end = state();
    assert.ok(end?.kind === "rolled_back" && end.reason === "latency", JSON.stringify(end));
    assert.match(
      end.detail,
      /^\d+ requests took longer than 12 ms, \d+ were answered in all; the old version's 95th percentile is 2(\.\d)? ms$/,
    );
  });

  test("that hangs is rolled back, and the old one answers what it holds", async () => {
    const { load, inference, askMany, state, clock, old } = await setUp({ minRequests: 20 });
    const candidate = await load();
    candidate.submit = () => {};
    const ask = (): Promise<InferResponse> =>
      submitTo<InferRequest, InferResponse>(inference, requestOf("m"));
    const responses: Promise<InferResponse>[] = [];
    for (let i = 0; i < 30; i++) {
      // The draws alternate.
      responses.push(ask(), ask());
      old.answer();
    }
    await clock.advance(1000);
    const end = state();
    assert.ok(end?.kind === "rolled_back" && end.reason === "latency", JSON.stringify(end));
    await turns();
    old.answer();
    assert.ok((await Promise.all(responses)).every(({ version }) => version === "1"));
    assert.deepEqual(await askMany(2), ["1", "1"]);
  });

  test("that is given up may answer all the same, where the old one has no room", async () => {
    const { load, inference, state, clock, old } = await setUp({ minRequests: 20 }, [0, 0, 0.9]);
    const candidate = await load();
    const ask = (): Promise<InferResponse> =>
      submitTo<InferRequest, InferResponse>(inference, requestOf("m"));
    const responses: Promise<InferResponse>[] = [];
    for (let i = 0; i < 20; i++) {
      responses.push(ask(), ask(), ask());
      old.answer();
    }
    failing(old, () => new ServeError("unavailable", "full", { reason: "queue_full" }));
    await clock.advance(1000);
    assert.equal(state()?.kind, "rolled_back");
    candidate.answer();
    const versions = (await Promise.all(responses)).map(({ version }) => version);
    assert.equal(versions.filter((version) => version === "2").length, 40);
  });

  test("that does not load, or takes something else, gets no request", async () => {
    const failed = await setUp();
    failed.loads[0]!.fail("an op is unknown");
    await turns();
    const end = failed.state();
    assert.ok(
      end?.kind === "rolled_back" && end.reason === "load_failed" && end.detail === "an op is unknown",
    );
    assert.equal(await failed.ask(), "1");

    const other = await setUp({}, [0]);
    const stub = other.loads[0]!.succeed();
    const { signature } = stub.description;
    Object.assign(stub, {
      description: { ...stub.description, signature: { ...signature, outputs: signature.outputs.slice(1) } },
    });
    await turns();
    assert.equal(await other.ask(), "1");
    const unlike = other.state();
    assert.ok(unlike?.kind === "rolled_back" && unlike.reason === "other_signature", JSON.stringify(unlike));
    assert.deepEqual([unlike.detail, stub.submitted], ["it gives no output y", 0]);
  });

  test("whose workers do not come back is rolled back", async () => {
    const { load, ask, state } = await setUp({}, [0]);
    (await load()).fail("crash loop");
    assert.equal(await ask(), "1");
    await turns();
    const end = state();
    assert.ok(end?.kind === "rolled_back" && end.reason === "failed" && end.detail === "crash loop");
  });

  test("has every request while the old one cannot answer", async () => {
    const { load, ask, old } = await setUp({}, [0.9]);
    await load();
    old.fail("crash loop");
    assert.equal(await ask(), "2");
  });

  test("begins anew when its files change, and gives way to a still newer one", async () => {
    const { load, askMany, clock, state, share, registry, rollouts } = await setUp();
    await load();
    await askMany(200);
    await clock.advance(60_000);
    assert.equal(share(), 0.5);
    registry.apply(scanOf(one!, { ...two!, fingerprint: "other" }));
    await turns();
    await load();
    assert.equal(share(), 0.1);
    registry.apply(scanOf(one!, { ...two!, fingerprint: "other" }, three!));
    await turns();
    assert.deepEqual([state()?.kind, rollouts.status("m")?.candidate.version], ["loading", "3"]);
    registry.apply(scanOf(one!));
    await turns();
    const end = state();
    assert.ok(end?.kind === "rolled_back" && end.reason === "withdrawn");
    assert.equal(rollouts.isAny, false);
  });
});

describe("which version a request goes to", () => {
  const KEYS = Array.from({ length: 200 }, (_, i) => `key ${i}`);

  test("a tenant, a header's key and a sequence always go to the same one, and keep the new one as it grows", async () => {
    for (const [by, of] of [
      ["tenant", (key: string): Partial<InferRequest> => ({ tenant: key })],
      ["header", (key: string): Partial<InferRequest> => ({ routeKey: key })],
      ["request", (key: string): Partial<InferRequest> => ({ parameters: sequence(key, "sequence_start") })],
    ] as const) {
      const { load, ask, rollouts } = await setUp({ by, maxLatency: undefined });
      await load();
      const sides = async (): Promise<string[]> => {
        const found: string[] = [];
        for (const key of KEYS) found.push(await ask(of(key)));
        return found;
      };
      const first = await sides();
      assert.deepEqual(await sides(), first, by);
      const count = first.filter((version) => version === "2").length;
      assert.ok(count > 5 && count < 40, `${by}: ${count}`);
      rollouts.steer("m", { action: "advance", settings: {} });
      const later = await sides();
      assert.ok(
        first.every((version, i) => version === "1" || later[i] === "2"),
        by,
      );
      assert.ok(later.filter((version) => version === "2").length > count);
    }
  });

  test("a sequence whose state nobody knows of stays with its version in its middle, and leaves a bad one", async () => {
    const { load, ask, rollouts, old, clock, state } = await setUp({ maxLatency: undefined });
    assert.equal(await ask({ parameters: sequence("before") }), "1");
    const candidate = await load();
    const begun = new Map<string, string>();
    for (const key of KEYS.slice(0, 60))
      begun.set(key, await ask({ parameters: sequence(key, "sequence_start") }));
    assert.ok([...begun.values()].includes("2"));
    rollouts.steer("m", { action: "advance", settings: { share: "1" } });
    for (const [key, version] of begun) assert.equal(await ask({ parameters: sequence(key) }), version);
    // It began before the rollout.
    assert.equal(await ask({ parameters: sequence("before") }), "1");
    assert.equal(await ask({ parameters: sequence("new", "sequence_start") }), "2");
    rollouts.steer("m", { action: "promote", settings: {} });
    await turns();
    for (const [key, version] of begun)
      assert.equal(await ask({ parameters: sequence(key, "sequence_end") }), version);
    assert.equal(await ask({ parameters: sequence("before") }), "1");
    assert.equal(old.closed, false);
    await clock.advance(61_000);
    assert.deepEqual([old.closed, candidate.closed, state()?.kind], [true, false, "promoted"]);

    const other = await setUp({ maxLatency: undefined, shares: [1] });
    await other.load();
    assert.equal(await other.ask({ parameters: sequence("s", "sequence_start") }), "2");
    other.rollouts.steer("m", { action: "abort", settings: {} });
    assert.equal(await other.ask({ parameters: sequence("s") }), "1");
  });

  test("who asks for a version gets it, and tenants that are named get the new one", async () => {
    const { load, ask } = await setUp({ by: "tenant", shares: [0], tenants: ["acme"] });
    await load();
    assert.equal(await ask({ tenant: "acme" }), "2");
    assert.equal(await ask({ tenant: "acme", routeKey: "never" }), "1");
    assert.equal(await ask({ tenant: "initech" }), "1");
    assert.equal(await ask({ tenant: "initech", routeKey: "always" }), "2");
    for (const version of ["1", "2"]) assert.equal(await ask({ version }), version);
  });

  test("a sequence whose state the server keeps stays with its version, whatever becomes of the rollout", async () => {
    const { load, ask, rollouts, old, clock, loads, registry, state } = await setUp(
      { maxLatency: undefined },
      [0],
    );
    assert.equal(loads.length, 1);
    const live = new Map<StubModel, Set<unknown>>();
    const keepsSequences = (stub: StubModel): void => {
      const ids = new Set<unknown>();
      live.set(stub, ids);
      Object.assign(stub, {
        settings: { ...stub.settings, sequences: { idleMs: 60_000 } },
        holdsSequence: (request: InferRequest) => ids.has(request.parameters.get("sequence_id")),
        liveSequences: () => ids.size,
      });
    };
    keepsSequences(old);
    const candidate = await load();
    keepsSequences(candidate);
    const step = (id: string) => ask({ parameters: new Map([["sequence_id", id]]) });
    const ids = KEYS.slice(0, 40);
    for (const id of ids) live.get((await step(id)) === "1" ? old : candidate)!.add(id);
    const begun = new Map<string, string>();
    for (const id of ids) begun.set(id, await step(id));
    assert.ok([...begun.values()].includes("1") && [...begun.values()].includes("2"));
    rollouts.steer("m", { action: "promote", settings: {} });
    await turns();
    assert.equal(state()?.kind, "promoted");
    for (const id of ids) assert.equal(await step(id), begun.get(id));
    // New ones begin with the new version; the old one stays for those that it has.
    assert.equal(await step("new"), "2");
    assert.equal(old.closed, false);
    live.get(old)!.clear();
    await clock.advance(1000);
    assert.deepEqual([old.closed, registry.resolve("m", undefined).version], [true, "2"]);
  });

  test("sequences that do not end keep the losing version for ten minutes", async () => {
    const { load, rollouts, clock } = await setUp();
    const candidate = await load();
    Object.assign(candidate, { liveSequences: () => 1 });
    rollouts.steer("m", { action: "abort", settings: {} });
    await clock.advance(599_000);
    assert.equal(candidate.closed, false);
    await clock.advance(2000);
    assert.equal(candidate.closed, true);
  });
});

describe("a shadow of a rollout", () => {
  test("shows a version requests before any client has its answers, and rolls back one that differs", async () => {
    const { load, askMany, state, rollouts, stub } = await setUp({
      shares: [0, 0.5],
      shadowShare: 1,
      maxDiffering: 0.01,
    });
    const candidate = await load();
    const submit = candidate.submit.bind(candidate);
    candidate.submit = (request, receiver) =>
      submit(request, {
        reject: (error) => receiver.reject(error),
        resolve: (response) =>
          receiver.resolve({
            ...response,
            outputs: response.outputs.map((output) => ({
              ...output,
              bytes: new Uint8Array([0, 0, 128, 63]),
            })),
          }),
      });
    assert.deepEqual(await askMany(3), ["1", "1", "1"]);
    for (let i = 0; i < 20 && state()?.kind === "canary"; i++) {
      await turns();
      candidate.answer();
    }
    const end = state();
    assert.ok(end?.kind === "rolled_back" && end.reason === "differing", JSON.stringify(end));
    assert.equal(rollouts.status("m")?.compared.differing, 2);
    assert.equal(stub("1").closed, false);
  });

  test("does not end the version that it asked", async () => {
    const { load, askMany, rollouts, ask } = await setUp({ shares: [0], shadowShare: 1 });
    const candidate = await load();
    await askMany(2);
    rollouts.steer("m", { action: "promote", settings: {} });
    await turns();
    assert.deepEqual([candidate.destroyed, await ask()], [false, "2"]);
  });
});

describe("an administrator", () => {
  test("steers a rollout, and is told what cannot be done", async () => {
    const { rollouts, load, state, share, registry } = await setUp();
    const steer = (action: "start" | "advance" | "pause" | "resume" | "promote" | "abort", more = {}) =>
      rollouts.steer("m", { action, settings: {}, ...more });
    assert.throws(() => steer("promote"), { reason: "rollout_refused", message: /is not loaded yet/ });
    assert.throws(() => steer("start", { version: "2" }), {
      reason: "rollout_refused",
      message: /under way/,
    });
    assert.throws(() => rollouts.steer("nobody", { action: "abort", settings: {} }), { code: "not_found" });
    await load();
    steer("pause");
    assert.match(JSON.stringify(state()), /"isPaused":true/);
    steer("resume");
    steer("advance", { settings: { share: "0.3" } });
    assert.equal(share(), 0.3);
    steer("abort");
    await turns();
    assert.throws(() => steer("abort"), { reason: "rollout_refused", message: /there is no rollout/ });
    assert.throws(() => steer("start"), { code: "invalid_argument" });
    steer("start", { version: "2", settings: { share: "30%" } });
    assert.deepEqual([registry.trial("m")?.candidate, rollouts.status("m")?.settings.shares], ["2", [0.3]]);
  });
});
