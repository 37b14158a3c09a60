import assert from "node:assert/strict";
import { test } from "node:test";
import { gunzipSync, inflateSync } from "node:zlib";
import { systemClock } from "../../../base/clock.ts";
import { until } from "../../../base/until.kit.ts";
import type { EncodedResponse } from "./rest-transport.ts";
import { sendResponse } from "./send-response.ts";
import { SharedBody } from "./shared-body.ts";

test("however many are sent an answer that is shared, it is packed once for each encoding", async () => {
  const shared = new SharedBody("metric 1\n".repeat(1000));
  const sent: EncodedResponse[] = [];
  const send = (encoding: string | undefined): void => {
    const call = {
      id: "1",
      context: {
        clock: systemClock,
        limits: { minCompressBytes: 1 },
        webGate: { responseHeaders: () => [] },
      },
      transport: {
        request: { headers: encoding === undefined ? {} : { "accept-encoding": encoding } },
        respond: (_: unknown, response: EncodedResponse) => sent.push(response),
      },
    };
    // What it uses of a call.
    sendResponse(call as unknown as Parameters<typeof sendResponse>[0], 200, {
      type: "text/plain",
      body: shared.bytes,
      headers: [],
      shared,
    });
  };
  for (const encoding of ["gzip", "deflate", undefined, "br"]) for (let i = 0; i < 50; i++) send(encoding);
  await until("all are sent", () => sent.length === 200);
  const bodies = new Set(sent.map(({ parts }) => parts[0]!));
  assert.equal(bodies.size, 3, "gzip, deflate, and as it is");
  for (const { parts, headers } of sent) {
    const encoding = headers[headers.indexOf("Content-Encoding") + 1];
    const open = headers.includes("Content-Encoding")
      ? encoding === "gzip"
        ? gunzipSync
        : inflateSync
      : undefined;
    const body = Buffer.from(parts[0]!);
    assert.deepEqual(open === undefined ? body : open(body), shared.bytes);
  }
});
