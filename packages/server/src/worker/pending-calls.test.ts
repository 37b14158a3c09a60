import assert from "node:assert/strict";
import { test } from "node:test";
import { ManualClock } from "../base/manual-clock.kit.ts";
import { FRAME_KINDS } from "./frame.ts";
import { PendingCalls } from "./pending-calls.ts";
import { type Call, workerDiedError } from "./worker.ts";

const NOTHING = new Uint8Array(0);

function rig() {
  const pending = new PendingCalls(new ManualClock(), () => {});
  const told: string[] = [];
  const call = (name: string, more: Partial<Call> = {}): number => {
    const onNote = (text: string): void => void told.push(`${name} says ${text}`);
    let id = 0;
    pending
      .add({ method: 2, header: NOTHING, chunks: [], timeoutMs: 1000, onNote, ...more }, (given) => {
        id = given;
      })
      .then(
        () => told.push(`${name} answered`),
        (error: { readonly reason: string }) => told.push(`${name} ${error.reason}`),
      );
    return id;
  };
  const take = (kind: keyof typeof FRAME_KINDS, id: number, header: Uint8Array = NOTHING): void =>
    pending.take({ kind: FRAME_KINDS[kind], method: 2, id, header, payload: NOTHING });
  return { pending, told, call, take };
}

test("calls that may overtake others are told and answered in any order, those that may not are not", async () => {
  const { told, call, take } = rig();
  const [first, second, third] = [call("a"), call("b", { mayOvertake: true }), call("c")];
  take("note", second, Buffer.from("hello"));
  take("result", second);
  assert.throws(() => take("result", third), /answered a call out of turn/);
  take("result", first);
  take("result", third);
  await new Promise(setImmediate);
  assert.deepEqual(told, ["b says hello", "b answered", "a answered", "c answered"]);
});

test("a worker that dies with several calls at once blames none of them, with one it blames that one", async () => {
  const many = rig();
  for (const name of ["a", "b"]) many.call(name, { mayOvertake: true });
  many.pending.rejectAll(workerDiedError("it was killed", "executing"), "it was killed");
  const alone = rig();
  alone.call("a", { mayOvertake: true });
  alone.pending.rejectAll(workerDiedError("it was killed", "executing"), "it was killed");
  const inTurn = rig();
  for (const name of ["a", "b"]) inTurn.call(name);
  inTurn.pending.rejectAll(workerDiedError("it was killed", "executing"), "it was killed");
  await new Promise(setImmediate);
  assert.deepEqual(many.told, ["a worker_died_among", "b worker_died_among"]);
  assert.deepEqual(alone.told, ["a worker_died"]);
  assert.deepEqual(inTurn.told, ["a worker_died", "b worker_died_waiting"]);
});
