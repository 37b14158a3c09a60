import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import fc from "fast-check";
import { memorySource } from "../archive/byte-range.ts";
import { buildZip } from "../archive/zip-build.kit.ts";
import { detectFile } from "./detect-file.ts";
import { detectRemoteFile } from "./detect-remote-file.ts";
import { type FileFormat, formatAdvice, isProgram } from "./file-format.ts";

const example = (path: string): Uint8Array =>
  readFileSync(fileURLToPath(new URL(`../../../../examples/${path}`, import.meta.url)));
const text = (value: string): Uint8Array => Buffer.from(value, "latin1");
const at = (offset: number, value: string): Uint8Array =>
  Buffer.concat([Buffer.alloc(offset), text(value), Buffer.alloc(600)]);
const zip = (...names: string[]): Uint8Array => buildZip(names.map((name) => ({ name, data: text("x") })));
const pickle = (rest: string): Uint8Array => text(`\x80\x04${rest}`);

const CASES: readonly (readonly [name: string, bytes: Uint8Array, format: FileFormat])[] = [
  ["digits.pt2", example("models/digits.pt2"), "pt2"],
  ["digits.onnx", example("digits/digits.onnx"), "onnx"],
  ["m.pt2", zip("m/archive_format", "m/models/model.json"), "pt2"],
  ["m.pt2", zip("models/model.json"), "pt2"],
  ["m.pt2", zip("serialized_exported_program.json"), "pt2"],
  ["m.pt", zip("m/data.pkl", "m/constants.pkl", "m/code/a.py"), "torchscript"],
  ["m.pth", zip("m/data.pkl", "m/data/0"), "checkpoint"],
  ["m.pth", zip("data.pkl"), "checkpoint"],
  ["m.mar", zip("MAR-INF/MANIFEST.json", "m.pt"), "mar"],
  ["m.pt2", zip("m/data/aotinductor/model/x.so", "m/archive_format"), "aotinductor"],
  ["m.zip", zip("m/model.pte"), "executorch"],
  ["m.keras", zip("config.json", "metadata.json", "model.weights.h5"), "keras"],
  ["m.zip", zip("notes.txt"), "zip"],
  ["m.zip", zip("notes.txt").subarray(0, 40), "damaged-zip"],
  ["m.pt", text("PK\x05\x06").subarray(0, 4), "zip"],
  ["m.pte", at(4, "ET12"), "executorch"],
  ["m.tflite", at(4, "TFL3"), "tflite"],
  ["m.safetensors", text("\x02\0\0\0\0\0\0\0{}"), "safetensors"],
  ["m.pth", text("\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."), "checkpoint"],
  ["m.pkl", pickle("\x95\0\0\0\0\0\0\0\0\x8c\x1asklearn.linear_model._base\x94"), "scikit-learn"],
  ["m.pkl", pickle("\x95\0\0\0\0\0\0\0\0\x8c\x08builtins\x94"), "pickle"],
  ["m.joblib", text("x\x9c compressed"), "scikit-learn"],
  ["saved_model.pb", text("\x08\x01\x12\x04\n\x02\x12\0"), "savedmodel"],
  ["saved_model.pb", text("\x08\x01\x12\x7f\n"), "savedmodel"],
  ["m.mlmodel", text("\x08\x05\x12\x02\n\0\xa2\x1f\0"), "coreml"],
  ["m.h5", text("\x89HDF\r\n\x1a\n"), "hdf5"],
  ["m.gguf", text("GGUF\x03\0\0\0"), "gguf"],
  ["m.engine", text("ftrt\0\0\0\0"), "tensorrt"],
  ["m.plan", text("something older"), "tensorrt"],
  ["m.tar.gz", text("\x1f\x8b\x08"), "gzip"],
  ["m.pth", Buffer.concat([text("sys_info"), at(249, "ustar")]), "tar-checkpoint"],
  ["m.tar", Buffer.concat([text("model.pt"), at(249, "ustar")]), "tar"],
  ["m.onnx", text("version https://git-lfs.github.com/spec/v1\n"), "git-lfs"],
  ["m.onnx", text("\n<!DOCTYPE html><html>"), "web-page"],
  ["m.onnx", new Uint8Array(0), "empty"],
  ["m.onnx", text("hello"), "unknown"],
  ["m.onnx", text("\x08"), "unknown"],
  ["m.onnx", new Uint8Array(600), "unknown"],
];

for (const [name, bytes, format] of CASES) {
  test(`${name} of ${bytes.length} bytes is ${format}`, async () => {
    assert.equal(detectFile(memorySource(name, bytes)), format);
    const read = async (offset: number, length: number): Promise<Uint8Array> =>
      bytes.subarray(offset, offset + length);
    assert.equal(
      await detectRemoteFile({ name, byteLength: bytes.length, read }),
      format,
      "read piece by piece",
    );
    if (!isProgram(format)) assert.match(formatAdvice(format), /^the (file|content) \S.*: \S.*[^.]$/);
  });
}

test("an ONNX file is one in any order of its fields, and cut off after its first ones", () => {
  const parts = [
    text("\x08\x09"),
    text("\x3a\x02\x12\0"),
    text("\x12\x01p"),
    text("\xa2\x38\x01?"),
    text("\x42\0"),
  ];
  fc.assert(
    fc.property(fc.shuffledSubarray(parts, { minLength: parts.length }), (order) => {
      assert.equal(detectFile(memorySource("m", Buffer.concat(order))), "onnx");
    }),
  );
  const whole = example("digits/digits.onnx");
  for (let length = 3; length < whole.length; length += 97)
    assert.equal(detectFile(memorySource("m", whole.subarray(0, length))), "onnx", `cut at ${length}`);
});

test("odd bytes are some format or none, and never an error", () => {
  const starts = CASES.map(([, bytes]) => bytes.subarray(0, 2_000));
  fc.assert(
    fc.property(
      fc.constantFrom(...starts),
      fc.uint8Array({ maxLength: 80 }),
      fc.nat(600),
      (start, noise, offset) => {
        const bytes = Uint8Array.from([
          ...start.subarray(0, offset),
          ...noise,
          ...start.subarray(offset + noise.length),
        ]);
        assert.equal(typeof detectFile(memorySource("m", bytes)), "string");
      },
    ),
    { numRuns: 500 },
  );
});

test("a file that becomes shorter while it is looked at is unknown", async () => {
  const read = async (): Promise<Uint8Array> => new Uint8Array(0);
  assert.equal(await detectRemoteFile({ name: "m.onnx", byteLength: 100, read }), "unknown");
});

test("what the file system says reaches the caller", async () => {
  const read = async (): Promise<Uint8Array> => Promise.reject(new Error("EIO"));
  await assert.rejects(detectRemoteFile({ name: "m.onnx", byteLength: 100, read }), /EIO/);
});
