// Tests the way of a deadline through the REST edge, over real sockets: no length of it is the end at once.
import assert from "node:assert/strict";
import { test } from "node:test";
import { systemClock } from "../../base/clock.ts";
import { identity, memoryInference } from "./memory-inference.kit.ts";
import { listen, send } from "./rest-sockets.kit.ts";

const { port } = await listen(
  memoryInference({
    patient: {
      ...identity("FP32"),
      // Long enough for a timer that overflowed to fire.
      run: ([input], { signal }) =>
        new Promise((resolve, reject) => {
          signal.addEventListener("abort", () => reject(signal.reason));
          systemClock.after(20, () => resolve([{ ...input!, name: "out" }]));
        }),
    },
  }),
);

/** Around the ends of 31, 32, 53 and 63 bits, and of doubles. */
const ENDS = [2 ** 31 - 1, 2 ** 31, 2 ** 31 + 1, 2 ** 32, 2 ** 32 + 1, 2 ** 53 - 1, 2 ** 53, 1e308];

async function statusOf(headers: Record<string, string>, parameters?: string): Promise<number> {
  const input = '{"name":"in","shape":[1,2],"datatype":"FP32","data":[1,2]}';
  const payload = `{"inputs":[${input}]${parameters === undefined ? "" : `,"parameters":{"timeout":${parameters}}`}}`;
  return (await send(port, { method: "POST", url: "/v2/models/patient/infer", headers, payload })).status;
}

test("a deadline in weeks, years or for ever does not end a request at once", async () => {
  for (const end of ENDS) {
    const digits = BigInt(end).toString();
    const byHeader = await statusOf({ "x-request-timeout-ms": digits });
    // What has more than 15 digits is refused with a sentence.
    assert.equal(byHeader, digits.length <= 15 ? 200 : 400, digits);
    const micros = end * 1000;
    const number = Number.isFinite(micros) ? String(micros) : "1e308";
    assert.equal(await statusOf({}, number), 200, number);
  }
});
