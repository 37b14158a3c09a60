import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import fc from "fast-check";
import type { ByteSource } from "../byte-source.ts";
import { ModelFileError } from "../errors.ts";
import { openFileSource } from "../node.ts";
import { scanOnnx } from "./scan-model.ts";

const DIGITS = fileURLToPath(new URL("../../../../examples/digits/digits.onnx", import.meta.url));

function memorySource(bytes: Uint8Array): ByteSource {
  return {
    name: "memory.onnx",
    byteLength: bytes.length,
    read(offset, length) {
      if (offset + length > bytes.length) throw new ModelFileError("corrupt", "past the end");
      return bytes.subarray(offset, offset + length);
    },
  };
}

/** A protobuf field: varint for numbers, length-delimited for bytes and text. */
function field(number: number, value: number | string | Uint8Array): Uint8Array {
  const varint = (n: number): number[] => (n < 128 ? [n] : [(n % 128) | 128, ...varint(Math.floor(n / 128))]);
  if (typeof value === "number") return Uint8Array.from([...varint(number * 8), ...varint(value)]);
  const payload = typeof value === "string" ? new TextEncoder().encode(value) : value;
  return Uint8Array.from([...varint(number * 8 + 2), ...varint(payload.length), ...payload]);
}

const join = (...parts: Uint8Array[]): Uint8Array => Uint8Array.from(parts.flatMap((part) => [...part]));

describe("scanOnnx()", () => {
  test("digits.onnx: ports, ops and parameters", () => {
    const source = openFileSource(DIGITS);
    const scan = scanOnnx(source);
    source.close();
    assert.deepEqual(scan.inputs, [{ name: "image", elementType: 1, dims: ["batch", 1, 8, 8] }]);
    assert.deepEqual(scan.outputs, [{ name: "probabilities", elementType: 1, dims: ["batch", 10] }]);
    assert.ok((scan.ops.get("Conv") ?? 0) >= 2);
    assert.ok(scan.parameterCount > 1000);
    assert.ok(scan.weightBytes >= 4 * 1000);
    assert.deepEqual(scan.externalFiles, []);
  });

  test("external data is found in initializers, attributes, subgraphs and sparse tensors", () => {
    const external = (name: string): Uint8Array => field(13, join(field(1, "location"), field(2, name)));
    const attribute = (inner: Uint8Array): Uint8Array => field(1, join(field(4, "If"), field(5, inner)));
    const model = join(
      field(1, 11),
      field(
        7,
        join(
          field(5, external("a")),
          attribute(field(5, external("b"))),
          attribute(field(6, field(5, external("../c")))),
          attribute(field(22, field(1, external("d")))),
          field(15, field(2, external("/e"))),
        ),
      ),
      field(25, field(7, join(field(4, "Op"), field(5, field(5, external("f")))))),
    );
    assert.deepEqual(scanOnnx(memorySource(model)).externalFiles, ["a", "b", "../c", "d", "/e", "f"]);
  });

  test("subgraph depth holds at n and refuses n+1", () => {
    const nested = (depth: number): Uint8Array =>
      depth === 0 ? field(2, "leaf") : field(1, field(5, field(6, nested(depth - 1))));
    const model = (depth: number): ByteSource => memorySource(join(field(1, 11), field(7, nested(depth))));
    const limits = { maxFields: 1000, maxDepth: 3 };
    assert.ok(scanOnnx(model(3), limits));
    assert.throws(() => scanOnnx(model(4), limits), { name: "ModelFileError", kind: "limit" });
  });

  test("the number of fields is bounded", () => {
    const model = memorySource(
      join(field(1, 11), field(7, join(...Array.from({ length: 10 }, () => field(2, "g"))))),
    );
    assert.ok(scanOnnx(model, { maxFields: 12, maxDepth: 3 }));
    assert.throws(() => scanOnnx(model, { maxFields: 11, maxDepth: 3 }), { kind: "limit" });
  });

  test("a mutated model gives a scan or a typed error, never anything else", () => {
    const original = readFileSync(DIGITS);
    const mutation = fc.record({
      at: fc.nat(original.length - 1),
      byte: fc.nat(255),
      cut: fc.nat(original.length),
    });
    fc.assert(
      fc.property(fc.array(mutation, { minLength: 1, maxLength: 4 }), (mutations) => {
        const bytes = Uint8Array.from(original);
        for (const { at, byte } of mutations) bytes[at] = byte;
        try {
          scanOnnx(memorySource(bytes.subarray(0, mutations[0]!.cut)));
        } catch (error) {
          assert.ok(error instanceof ModelFileError, String(error));
        }
      }),
      { numRuns: 300 },
    );
  });
});
