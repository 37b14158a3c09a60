// Tests repository.ts: whatever another server or library would load is listed with one sentence about what it is and what to do.
import assert from "node:assert/strict";
import { test } from "node:test";
import { CHECKPOINT, ONNX, scan, tree, zip } from "./model-tree.kit.ts";

const HDF5 = Buffer.from("\x89HDF\r\n\x1a\n", "latin1");
const SAVED_MODEL = Buffer.from("\x08\x01\x12\x04\n\x02\x12\0", "latin1");
const SKLEARN = Buffer.concat([
  Buffer.from([0x80, 4, 0x95, 0, 0, 0, 0, 0, 0, 0, 0, 0x8c, 24]),
  Buffer.from("sklearn.linear_model._base\x94.", "latin1"),
]);

/** The model `m` of a repository, and what its line of the index says. */
const FOREIGN: readonly (readonly [Readonly<Record<string, Buffer | string>>, RegExp])[] = [
  [
    { "m/saved_model.pb": SAVED_MODEL, "m/variables/variables.index": "" },
    /TensorFlow SavedModel: .*tf2onnx/,
  ],
  [{ "m/1/saved_model.pb": SAVED_MODEL.subarray(0, 4) }, /TensorFlow SavedModel/],
  [{ "m/1/model.savedmodel/saved_model.pb": SAVED_MODEL }, /TensorFlow SavedModel/],
  [{ "m.h5": HDF5 }, /HDF5, as Keras writes it: .*tf2onnx/],
  [{ "m.keras": zip("metadata.json", "config.json", "model.weights.h5") }, /Keras model: .*tf2onnx/],
  [{ "m.gguf": "GGUF\x03\0\0\0" }, /GGUF model: .*llama\.cpp/],
  [{ "m.engine": "ftrt\0\0\0\0" }, /TensorRT engine.*ONNX file it was built from/],
  [{ "m.plan": "anything" }, /TensorRT engine/],
  [{ "m.tflite": "\0\0\0\0TFL3" }, /TensorFlow Lite/],
  [{ "m.pkl": SKLEARN }, /pickled scikit-learn model: .*skl2onnx/],
  [{ "m.joblib": "anything" }, /pickled scikit-learn model/],
  [{ "m/pytorch_model.bin": CHECKPOINT, "m/README.md": "" }, /weights without a program/],
  [{ "m/model-config.yaml": "", "m/model.onnx": ONNX }, /model-config\.yaml is TorchServe's/],
  [{ "m/0001/model.onnx": ONNX }, /the folder 0001 is not read.* such as 1$/],
  [{ "m/0/model.onnx": ONNX }, /the folder 0 is not read.* such as 1$/],
  [{ "m/v1/model.onnx": ONNX }, /the folder v1 is not read.* such as 1$/],
  [{ "m/1/model.onnx": ONNX, "m/v2/model.onnx": ONNX }, /the folder v2 is not read.* such as 2$/],
  [{ "m/model.yaml": "instances: 1\n---\ninstances: 2", "m/model.onnx": ONNX }, /several documents/],
  [{ "m/model.yaml": "- instances: 1", "m/model.onnx": ONNX }, /expected a mapping/],
];

test("files of other servers and libraries are named with what to do, and count as models", async () => {
  for (const [files, expected] of FOREIGN) {
    const what = Object.keys(files).join(", ");
    const { candidates } = await scan([tree(files)]);
    assert.equal(candidates.length, 1, what);
    const [{ name, problem, remark, looksLikeModel }] = candidates as [(typeof candidates)[0]];
    assert.equal(name, "m", what);
    assert.match(problem ?? remark, expected, what);
    assert.ok(looksLikeModel, what);
  }
});
