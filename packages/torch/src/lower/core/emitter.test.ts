// Tests emitter.ts.
import assert from "node:assert/strict";
import { test } from "node:test";
import { GraphBuilder } from "../../onnx/graph-builder.ts";
import { Emitter } from "./emitter.ts";
import type { Val } from "./tensor.ts";

test("what is transposed and then cast is cast first: ONNX Runtime crashes over x.transpose(0, 1).float() @ w", () => {
  for (const dtype of ["float16", "int64", "uint8", "bool"] as const) {
    const builder = new GraphBuilder();
    const g = new Emitter(builder);
    const x: Val = { name: "x", dtype };
    const turned = g.transpose(x, [1, 0, 2]);
    const cast = g.cast(turned, "float32");
    g.op("MatMul", [cast, { name: "w", dtype: "float32" }]);
    const transposition = builder.producer(cast.name);
    assert.equal(transposition?.type, "Transpose");
    assert.deepEqual(transposition.attributes, { perm: [1, 0, 2] });
    const before = builder.producer(transposition.inputs[0]!);
    assert.deepEqual([before?.type, before?.inputs], ["Cast", ["x"]]);
    assert.equal(g.uncast(cast).name, turned.name);
  }
});
