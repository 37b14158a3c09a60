import assert from "node:assert/strict";
import { test } from "node:test";
import { deferred } from "../base/deferred.ts";
import type { Logger } from "../base/logger.ts";
import type { Worker } from "../worker/worker.ts";
import { METHODS } from "./model-messages.ts";
import { Optimiser } from "./optimiser.ts";
import { PLAIN_LOAD } from "./plain-load.ts";
import type { LoadSpec } from "./runtime.ts";

const warnings: string[] = [];
const LOGGER: Logger = {
  debug() {},
  info() {},
  warn: (_, text) => warnings.push(text),
  error() {},
  child: () => LOGGER,
};
const spec = (name: string): LoadSpec => ({ name, version: "1", file: name, root: "/", options: PLAIN_LOAD });
const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** Of a worker, all that an optimiser uses. */
function fakes() {
  const log: string[] = [];
  const calls: ReturnType<typeof deferred<unknown>>[] = [];
  const spawn = (id: string): Worker => {
    const call = deferred<unknown>();
    calls.push(call);
    const worker = {
      ready: Promise.resolve(),
      call({ method, header }: { method: number; header: Uint8Array }) {
        assert.equal(method, METHODS.optimise);
        log.push(`${id} ${JSON.parse(Buffer.from(header).toString()).spec.name}`);
        return call.promise;
      },
      close: async () => void log.push(`${id} closed`),
      destroy(reason: string) {
        log.push(`${id} destroyed`);
        call.reject(new Error(reason));
      },
    };
    return worker as unknown as Worker;
  };
  return { log, calls, optimiser: new Optimiser({ spawn, logger: LOGGER }) };
}

test("an optimiser works on one model at a time, each in a worker that ends with its work, also when that fails", async () => {
  const { log, calls, optimiser } = fakes();
  for (const name of ["a", "b", "c"]) optimiser.add(spec(name));
  await settle();
  assert.deepEqual(log, ["o1 a"]);
  calls[0]!.resolve(undefined);
  await settle();
  calls[1]!.reject(new Error("it died"));
  await settle();
  assert.deepEqual(warnings, ["later starts of the model will not be faster"]);
  calls[2]!.resolve(undefined);
  await settle();
  optimiser.add(spec("d"));
  await settle();
  assert.deepEqual(log, ["o1 a", "o1 closed", "o2 b", "o2 closed", "o3 c", "o3 closed", "o4 d"]);
});

test("an optimiser that is destroyed ends its worker, forgets what waits, and takes nothing more", async () => {
  const { log, optimiser } = fakes();
  optimiser.add(spec("a"));
  optimiser.add(spec("b"));
  await settle();
  optimiser.destroy("the server is closing");
  optimiser.add(spec("c"));
  await settle();
  assert.deepEqual(log, ["o1 a", "o1 destroyed", "o1 closed"]);
});

test("however many models want it, only so many wait", async () => {
  const { log, calls, optimiser } = fakes();
  for (let i = 0; i < 100; i++) optimiser.add(spec(String(i)));
  for (let i = 0; i < 100; i++) {
    await settle();
    calls[i]?.resolve(undefined);
  }
  assert.equal(log.filter((line) => line.endsWith("closed")).length, 17);
});
