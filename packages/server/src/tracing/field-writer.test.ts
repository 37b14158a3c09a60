import assert from "node:assert/strict";
import { test } from "node:test";
import { BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import fc from "fast-check";
import { FieldWriter } from "./field-writer.ts";

type Field =
  | { readonly kind: "text"; readonly value: string }
  | { readonly kind: "integer" | "double"; readonly value: number }
  | { readonly kind: "nanos"; readonly value: number }
  | { readonly kind: "message"; readonly value: readonly Field[] };

const { fields } = fc.letrec<{ fields: readonly Field[]; field: Field }>((tie) => ({
  fields: fc.array(tie("field"), { maxLength: 6 }),
  field: fc.oneof(
    { maxDepth: 4 },
    fc.record({ kind: fc.constant("text" as const), value: fc.string({ maxLength: 300, unit: "binary" }) }),
    fc.record({ kind: fc.constant("integer" as const), value: fc.maxSafeInteger() }),
    fc.record({ kind: fc.constant("double" as const), value: fc.double() }),
    fc.record({ kind: fc.constant("nanos" as const), value: fc.double({ min: 0, max: 4e12, noNaN: true }) }),
    fc.record({ kind: fc.constant("message" as const), value: tie("fields") }),
  ),
}));

function write(writer: FieldWriter, all: readonly Field[]): void {
  for (const [i, { kind, value }] of all.entries()) {
    if (kind === "message") {
      const at = writer.open(i + 1);
      write(writer, value);
      writer.close(at);
    } else if (kind === "text") writer.text(i + 1, value);
    else writer[kind](i + 1, value);
  }
}

function expect(writer: BinaryWriter, all: readonly Field[]): void {
  for (const [i, { kind, value }] of all.entries()) {
    if (kind === "message") {
      expect(writer.tag(i + 1, WireType.LengthDelimited).fork(), value);
      writer.join();
    } else if (kind === "text") {
      writer.tag(i + 1, WireType.LengthDelimited).bytes(Buffer.from(value, "utf8"));
    } else if (kind === "integer") writer.tag(i + 1, WireType.Varint).int64(value);
    else if (kind === "double") writer.tag(i + 1, WireType.Bit64).double(value);
    else writer.tag(i + 1, WireType.Bit64).fixed64(BigInt(Math.round(value * 1000)) * 1000n);
  }
}

test("what it writes is what a general writer writes, however deep and long", () => {
  const writer = new FieldWriter();
  fc.assert(
    fc.property(fields, (all) => {
      write(writer, all);
      const general = new BinaryWriter();
      expect(general, all);
      assert.deepEqual(Buffer.from(writer.take()), Buffer.from(general.finish()));
    }),
  );
});

test("ids, flags and messages of every length of a length", () => {
  const writer = new FieldWriter();
  for (const length of [0, 1, 127, 128, 16_383, 16_384, 300_000]) {
    const at = writer.open(1);
    writer.hex(2, "00ff10");
    writer.fixed32(16, 0x8000_0101);
    writer.text(3, "x".repeat(length));
    writer.close(at);
    const general = new BinaryWriter().tag(1, WireType.LengthDelimited).fork();
    general.tag(2, WireType.LengthDelimited).bytes(Buffer.from("00ff10", "hex"));
    general.tag(16, WireType.Bit32).fixed32(0x8000_0101);
    general.tag(3, WireType.LengthDelimited).string("x".repeat(length));
    assert.deepEqual(Buffer.from(writer.take()), Buffer.from(general.join().finish()));
  }
});
