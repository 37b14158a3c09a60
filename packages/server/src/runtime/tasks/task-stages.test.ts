import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { CallSignal } from "../../base/call-signal.ts";
import { ServeError } from "../../base/errors.ts";
import type { Instance, InstanceState } from "../../base/instance.ts";
import type { RunInput, RunRequest, RunResult } from "../../base/run.ts";
import type { LoadedModel } from "../runtime.ts";
import { encodeFinished, encodePrepared } from "./task-messages.ts";
import { createTaskStages } from "./task-stages.ts";

const PARTS = [{ name: "", type: "", bytes: Buffer.from("x") }];
const EMPTY = { runs: [], state: new Uint8Array() };

/** A worker that answers when the test says so, in this process. */
class FakeInstance implements Instance {
  readonly id = "fake#0";
  state: InstanceState = { kind: "ready" };
  readonly running: { settle(outputs: readonly RunInput[]): void; fail(error: ServeError): void }[] = [];

  run(_: RunRequest): Promise<RunResult> {
    return new Promise((resolve, reject) => {
      this.running.push({
        settle: (outputs) => resolve({ outputs: outputs.map(whole), computeMs: 0 }),
        fail: reject,
      });
    });
  }

  async residentBytes(): Promise<undefined> {
    return undefined;
  }
}

function whole({ datatype, shape, chunks }: RunInput): RunResult["outputs"][number] {
  return { datatype, shape, bytes: new Uint8Array(Buffer.concat(chunks)) };
}

interface Rig {
  readonly instance: FakeInstance;
  readonly stages: ReturnType<typeof createTaskStages>;
  become(state: InstanceState): void;
}

function rig(maxWaiting = 8): Rig {
  const instance = new FakeInstance();
  const listeners = new Set<(instance: Instance) => void>();
  const loaded: Pick<LoadedModel, "instances" | "onStateChange" | "close" | "destroy"> = {
    instances: [instance],
    onStateChange(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    close: async () => {},
    destroy() {},
  };
  const stages = createTaskStages(loaded as LoadedModel, { maxWaiting });
  return {
    instance,
    stages,
    become(state) {
      instance.state = state;
      for (const listener of listeners) listener(instance);
    },
  };
}

const prepare = ({ stages }: Rig, signal = new CallSignal()): Promise<unknown> =>
  stages.prepare(PARTS, signal);
/** Until what was settled has gone its way. */
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe("createTaskStages()", () => {
  test("rejects what comes while as many wait as may", async () => {
    const world = rig(1);
    const first = prepare(world);
    const second = prepare(world);
    await assert.rejects(prepare(world), { code: "unavailable", reason: "queue_full" });
    world.instance.running[0]!.settle(encodePrepared(EMPTY));
    await first;
    await turn();
    world.instance.running[1]!.settle(encodePrepared(EMPTY));
    await second;
  });

  test("finishes what a model has answered before it begins anything new", async () => {
    const world = rig();
    const done: string[] = [];
    const signal = new CallSignal();
    const running = prepare(world);
    const next = prepare(world).then(() => done.push("prepared"));
    const finishing = world.stages.finish(new Uint8Array(), [], signal).then(() => done.push("finished"));
    world.instance.running[0]!.settle(encodePrepared(EMPTY));
    await running;
    await turn();
    world.instance.running[1]!.settle(encodeFinished(Buffer.from("{}")));
    await finishing;
    await turn();
    world.instance.running[2]!.settle(encodePrepared(EMPTY));
    await next;
    assert.deepEqual(done, ["finished", "prepared"]);
  });

  test("a client that leaves waits no longer, and its request is not begun", async () => {
    const world = rig();
    const running = prepare(world);
    const signal = new CallSignal();
    const waiting = prepare(world, signal);
    signal.abort(new ServeError("cancelled", "the client left"));
    await assert.rejects(waiting, { code: "cancelled" });
    world.instance.running[0]!.settle(encodePrepared(EMPTY));
    await running;
    await turn();
    assert.equal(world.instance.running.length, 1);
  });

  test("a request that ends its worker is not tried again; one that had not begun is", async () => {
    const world = rig();
    const deadly = prepare(world);
    world.instance.running[0]!.fail(died("worker_died"));
    await assert.rejects(deadly, { reason: "worker_died" });
    const lucky = prepare(world);
    world.become({ kind: "restarting", attempt: 1, reason: "it died" });
    world.instance.running[1]!.fail(died("worker_died_waiting"));
    await turn();
    assert.equal(world.instance.running.length, 2, "nothing runs while there is no worker");
    world.become({ kind: "ready" });
    world.instance.running[2]!.settle(encodePrepared(EMPTY));
    await lucky;
  });

  test("nobody waits for workers that do not come back", async () => {
    const world = rig();
    const running = prepare(world);
    const waiting = prepare(world);
    world.become({ kind: "failed", reason: "it died 5 times" });
    await assert.rejects(waiting, { code: "unavailable", reason: "no_instance" });
    world.instance.running[0]!.fail(died("worker_died"));
    await assert.rejects(running);
    assert.match(world.stages.failure() ?? "", /it died 5 times/);
  });
});

function died(reason: "worker_died" | "worker_died_waiting"): ServeError {
  return new ServeError("unavailable", "the worker died", { reason });
}
