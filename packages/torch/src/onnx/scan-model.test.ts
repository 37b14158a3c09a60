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

  test("external data is found in initializers, attributes, subgraphs, functions and sparse tensors", () => {
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
      field(25, field(11, field(23, field(1, external("g"))))),
      field(20, field(2, field(5, external("h")))),
    );
    assert.deepEqual(scanOnnx(memorySource(model)).externalFiles, [
      "a",
      "b",
      "../c",
      "d",
      "/e",
      "f",
      "g",
      "h",
    ]);
  });

  test("depth holds at n messages and refuses n+1, wherever they lie", () => {
    const nested = (depth: number): Uint8Array =>
      depth === 0 ? field(2, "leaf") : field(1, field(5, field(6, nested(depth - 1))));
    const model = (graph: Uint8Array): ByteSource => memorySource(join(field(1, 11), field(7, graph)));
    assert.ok(scanOnnx(model(nested(3)), { maxDepth: 10 }));
    assert.throws(() => scanOnnx(model(nested(3)), { maxDepth: 9 }), {
      name: "ModelFileError",
      kind: "limit",
    });
    const sequence = (depth: number): Uint8Array =>
      depth === 0 ? field(6, "x") : field(4, field(1, sequence(depth - 1)));
    const typed = model(field(13, field(2, sequence(2))));
    assert.ok(scanOnnx(typed, { maxDepth: 7 }));
    assert.throws(() => scanOnnx(typed, { maxDepth: 6 }), { kind: "limit" });
  });

  test("the number of fields is bounded", () => {
    const model = memorySource(
      join(field(1, 11), field(7, join(...Array.from({ length: 10 }, () => field(2, "g"))))),
    );
    assert.ok(scanOnnx(model, { maxFields: 12 }));
    assert.throws(() => scanOnnx(model, { maxFields: 11 }), { kind: "limit" });
  });

  test("unknown fields of every wire type are passed over, groups too", () => {
    const group = Uint8Array.from([
      ...field(900, 7)
        .with(0, ((900 * 8 + 3) % 128) | 128)
        .subarray(0, 2),
      ...field(5, "inside"),
      ...field(900, 7)
        .with(0, ((900 * 8 + 4) % 128) | 128)
        .subarray(0, 2),
    ]);
    const graph = field(7, join(group, field(800, 3), field(801, "x"), field(11, field(1, "in"))));
    const scan = scanOnnx(
      memorySource(join(group, field(7, 5), graph, field(1, 9), field(7, field(12, field(1, "out"))))),
    );
    assert.deepEqual([scan.inputs[0]?.name, scan.outputs[0]?.name, scan.irVersion], ["in", "out", 9]);
  });

  test("a location counts wherever its key stands, the last one of two, and only in UTF-8", () => {
    const entry = (...parts: Uint8Array[]): ByteSource =>
      memorySource(join(field(7, field(5, field(13, join(...parts)))), field(1, 9)));
    const [key, value] = [field(1, "location"), (text: string) => field(2, text)];
    assert.deepEqual(scanOnnx(entry(value("a"), key)).externalFiles, ["a"]);
    assert.deepEqual(scanOnnx(entry(key, value("a"), field(1, "x"), value("../b"), key)).externalFiles, [
      "../b",
    ]);
    assert.deepEqual(scanOnnx(entry(value("\ufeffa"), field(99, "?"), key)).externalFiles, ["\ufeffa"]);
    assert.throws(() => scanOnnx(entry(field(2, Uint8Array.of(0xff)), key)), { kind: "corrupt" });
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
