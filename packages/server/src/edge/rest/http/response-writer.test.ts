import assert from "node:assert/strict";
import { Writable } from "node:stream";
import { test } from "node:test";
import { systemClock } from "../../../base/clock.ts";
import { until } from "../../../base/until.kit.ts";
import { createSlowClientGuard } from "../../../gate/slow-client-guard.ts";
import type { RestContext } from "../call/rest-context.ts";
import { ResponseWriter } from "./response-writer.ts";

test("a large response is handed to the system piece by piece, with a turn for others between, however much it would take", async () => {
  const slowClients = createSlowClientGuard(systemClock);
  // The writer looks at nothing else of it.
  const context = { slowClients, limits: { writeIdleTimeoutMs: 60_000 } } as unknown as RestContext;
  let [taken, mostInATurn, before] = [0, 0, 0];
  const stream = new Writable({
    write(bytes: Uint8Array, _encoding, done) {
      taken += bytes.length;
      done();
    },
  });
  let isHanded = false;
  const look = (): void => {
    [mostInATurn, before] = [Math.max(mostInATurn, taken - before), taken];
    if (!isHanded) setImmediate(look);
  };
  const parts = [new Uint8Array(100), new Uint8Array(3_000_000), new Uint8Array(7)];
  const onHanded = (): void => {
    isHanded = true;
  };
  const target = { context, stream, socket: "shared", heldBytes: 0, onHanded, onEnded() {} } as const;
  new ResponseWriter(target, parts).write();
  look();
  await until("all is handed over", () => isHanded);
  assert.equal(taken, 3_000_107);
  assert.ok(mostInATurn <= 512 * 1024, `${mostInATurn} bytes in one turn`);
  stream.destroy();
});
