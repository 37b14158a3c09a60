import assert from "node:assert/strict";
import { test } from "node:test";
import { BinaryReader } from "@bufbuild/protobuf/wire";
import fc from "fast-check";
import { statusDetails } from "./status-details.ts";

/** The fields of a message, by number: bytes, or whole numbers. */
function fieldsOf(bytes: Uint8Array): Map<number, (Uint8Array | number)[]> {
  const reader = new BinaryReader(bytes);
  const fields = new Map<number, (Uint8Array | number)[]>();
  while (reader.pos < reader.len) {
    const [number, type] = reader.tag();
    const value = type === 2 ? reader.bytes() : reader.uint32();
    fields.set(number, [...(fields.get(number) ?? []), value]);
  }
  return fields;
}

const textOf = (value: Uint8Array | number | undefined): string =>
  Buffer.from(value as Uint8Array).toString("utf8");

function decoded(details: string): object {
  assert.match(details, /^[A-Za-z0-9+/]*$/);
  const status = fieldsOf(Buffer.from(details, "base64"));
  const [code] = status.get(1)!;
  const found = (status.get(3) ?? []).map((any) => {
    const [name, value] = [1, 2].map((number) => fieldsOf(any as Uint8Array).get(number)![0]);
    const message = fieldsOf(value as Uint8Array);
    if (textOf(name) === "type.googleapis.com/google.rpc.ErrorInfo")
      return { reason: textOf(message.get(1)![0]), domain: textOf(message.get(2)![0]) };
    assert.equal(textOf(name), "type.googleapis.com/google.rpc.RetryInfo");
    const delay = fieldsOf(message.get(1)![0] as Uint8Array);
    return { seconds: delay.get(1)?.[0] ?? 0, nanos: delay.get(2)?.[0] ?? 0 };
  });
  return { code, message: textOf(status.get(2)![0]), details: found };
}

test("status details are what google.rpc.Status says, for any message and time", () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 16 }),
      fc.string({ unit: "grapheme", maxLength: 200 }),
      fc.constantFrom("queue_full", "model_not_found", "x".repeat(200)),
      fc.option(fc.double({ min: 0, max: 1e8, noNaN: true }), { nil: undefined }),
      (status, message, reason, retryMs) => {
        const details = statusDetails({ status, message, reason, retryMs });
        if (Buffer.byteLength(message) > 1024) return assert.equal(details, undefined);
        const ms = Math.ceil(retryMs ?? 0);
        const delay = { seconds: Math.floor(ms / 1000), nanos: (ms % 1000) * 1e6 };
        assert.deepEqual(decoded(details!), {
          code: status,
          message,
          details: [{ reason, domain: "sconce" }, ...(retryMs === undefined ? [] : [delay])],
        });
      },
    ),
  );
});

test("a message that is too long to be sent twice has no details", () => {
  const of = (length: number): string | undefined =>
    statusDetails({ status: 3, message: "é".repeat(length), reason: "bad_json", retryMs: undefined });
  assert.deepEqual(
    [511, 512, 513].map((length) => of(length) !== undefined),
    [true, true, false],
  );
});
