import assert from "node:assert/strict";
import { test } from "node:test";
import type { InferRequest } from "../../../base/infer-request.ts";
import type { RolloutCommand, RolloutState, RolloutStatus } from "../../../base/rollout.ts";
import { createAdminGate } from "../../../gate/admin-gate.ts";
import { ROLLOUT_SETTINGS } from "../../../infer/rollout/rollout.kit.ts";
import { identity, memoryInference } from "../memory-inference.kit.ts";
import { listen, send } from "../rest-sockets.kit.ts";

const TOKEN = "a-token-that-is-long-enough";
let state: RolloutState | undefined;
const commands: RolloutCommand[] = [];
const inferred: (string | undefined)[] = [];
const models = memoryInference({ echo: identity("FP32") });
const submit = models.submit.bind(models);
const status = (): RolloutStatus | undefined =>
  state && {
    model: "echo",
    state,
    settings: ROLLOUT_SETTINGS,
    stable: { version: "1", requests: 100, failed: 0, p95Ms: 1.23456 },
    candidate: { version: "2", requests: 10, failed: 1, p95Ms: undefined },
    compared: { equal: 0, differing: 0, failed: 0 },
  };
const { port } = await listen(
  {
    ...models,
    rolloutStatus: status,
    submit(request: InferRequest, receiver) {
      inferred.push(request.routeKey);
      submit(request, receiver);
    },
  },
  {
    // Models are not loaded on request; rollouts that began without one are steered all the same.
    rolloutGate: createAdminGate({ isOn: true, token: TOKEN }),
    rolloutHeader: "x-rollout",
    administration: {
      loadModel: async () => {},
      unloadModel: async () => {},
      setDefaultVersion: () => {},
      steerRollout: async (_name, _signal, command) => void commands.push(command),
    },
  },
);
const URL = "/v2/repository/models/echo/rollout";
const steer = async (parameters: object, headers = { authorization: `Bearer ${TOKEN}` }) => {
  const payload = JSON.stringify({ parameters });
  const answer = await send(port, { method: "POST", url: URL, payload, headers });
  return { status: answer.status, body: answer.body.toString() };
};
const shown = async (): Promise<unknown> =>
  JSON.parse((await send(port, { method: "GET", url: URL })).body.toString());

test("everybody may see how far a rollout is", async () => {
  state = undefined;
  assert.deepEqual(await shown(), { name: "echo", state: "steady" });
  const common = {
    name: "echo",
    steps: [0.1, 0.5],
    window_ms: 60_000,
    min_requests: 100,
    by: "request",
    stable: { version: "1", requests: 100, failed: 0, p95_ms: 1.23 },
    candidate: { version: "2", requests: 10, failed: 1 },
  };
  state = { kind: "loading" };
  assert.deepEqual(await shown(), { ...common, state: "loading" });
  state = { kind: "canary", step: 1, share: 0.5, sinceMs: 7, isPaused: true };
  assert.deepEqual(await shown(), { ...common, state: "canary", share: 0.5, step: 1, paused: true });
  state = { kind: "rolled_back", reason: "errors", detail: "all failed" };
  assert.deepEqual(await shown(), {
    ...common,
    state: "rolled_back",
    reason: "errors",
    detail: "all failed",
  });
});

test("the administrator steers it, and a command that means nothing is a 400 that names it", async () => {
  assert.equal((await steer({ action: "abort" }, { authorization: "Bearer nobody" })).status, 403);
  for (const [parameters, words] of [
    [{}, /action: expected start, advance, pause, resume, promote, abort/],
    [{ action: "go" }, /action: expected start/],
    [{ action: "abort", version: "2" }, /version means nothing to abort/],
    [{ action: "promote", share: "5%" }, /\\"share\\" means nothing to promote/],
    [{ action: "advance", window: "5m" }, /\\"window\\" means nothing to advance/],
  ] as const) {
    const { status: code, body } = await steer(parameters);
    assert.equal(code, 400);
    assert.match(body, words);
  }
  assert.deepEqual(commands, []);
  state = { kind: "loading" };
  const { status: code, body } = await steer({ action: "start", version: 2, share: "5%", min_requests: 7 });
  assert.deepEqual([code, JSON.parse(body).state], [200, "loading"]);
  assert.deepEqual(commands, [
    { action: "start", version: "2", settings: { share: "5%", min_requests: "7" } },
  ]);
});

test("the header that chooses a version comes with the request, up to a length", async () => {
  const payload = JSON.stringify({ inputs: [{ name: "in", shape: [1], datatype: "FP32", data: [1] }] });
  for (const headers of [{}, { "x-rollout": "always" }, { "x-rollout": "k".repeat(300) }])
    await send(port, { method: "POST", url: "/v2/models/echo/infer", payload, headers });
  assert.deepEqual(inferred, [undefined, "always", "k".repeat(256)]);
});
