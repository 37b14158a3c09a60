import assert from "node:assert/strict";
import { test } from "node:test";
import { fromOrtTensor, toOrtTensor } from "./ort-tensor.ts";

test("every bfloat16 goes to ONNX Runtime as the float32 that it is, and comes back", () => {
  const bits = new Uint16Array(65_536).map((_, i) => i);
  const shifted = new Uint8Array(2 * bits.length + 1);
  shifted.set(new Uint8Array(bits.buffer), 1);
  // Payloads may begin at any byte.
  const tensor = toOrtTensor({ datatype: "BF16", shape: [bits.length], bytes: shifted.subarray(1) });
  assert.equal(tensor.type, "float32");
  assert.equal((tensor.data as Float32Array)[0x3fa6], 1.296875);
  const { datatype, chunks } = fromOrtTensor(tensor, "BF16");
  assert.equal(datatype, "BF16");
  assert.deepEqual(new Uint16Array(chunks[0]!.slice().buffer), bits);
});

test("truths of any byte become 0 and 1", () => {
  const { data } = toOrtTensor({ datatype: "BOOL", shape: [4], bytes: Uint8Array.from([0, 1, 2, 255]) });
  assert.deepEqual([...(data as Uint8Array)], [0, 1, 1, 1]);
});

test("a text with a NUL, or bytes that are no text, are refused: they came out cut off or changed", () => {
  const bytes = (...elements: readonly Buffer[]) =>
    Buffer.concat(
      elements.flatMap((element) => [Buffer.from(Uint32Array.of(element.length).buffer), element]),
    );
  const whole = toOrtTensor({
    datatype: "BYTES",
    shape: [2],
    bytes: bytes(Buffer.from("三 \n"), Buffer.alloc(0)),
  });
  assert.deepEqual(whole.data, ["三 \n", ""]);
  for (const wrong of [Buffer.from("a\0b"), Buffer.from([0xff]), Buffer.from("三").subarray(0, 2)]) {
    assert.throws(
      () => toOrtTensor({ datatype: "BYTES", shape: [2], bytes: bytes(Buffer.from("a"), wrong) }),
      { code: "invalid_argument", message: /element 1 .*UTF-8/ },
    );
  }
});
