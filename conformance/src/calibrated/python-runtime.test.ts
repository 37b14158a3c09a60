// Tests packages/server/src/runtime/python with the suite of every runtime.

import { after, describe, test } from "node:test";
import { createPythonRuntime, pythonWorkerEnv } from "../internals/server.ts";
import { pythonOrReason } from "../python.ts";
import { encodeCalibratedCode } from "./calibrated-code.ts";
import { describeRuntime } from "./runtime-suite.kit.ts";

const python = pythonOrReason();

/** A file of no tensors: the model has no weights. The spaces make one differ from another. */
function emptySafetensors(tag: number): Uint8Array {
  const header = `{}${" ".repeat(6 + 8 * tag)}`;
  const length = Buffer.alloc(8);
  length.writeUInt32LE(header.length);
  return Buffer.concat([length, Buffer.from(header)]);
}

describe("the runtime of Python workers", { skip: "skip" in python && python.skip }, () => {
  if ("skip" in python) return;
  describeRuntime({ after, describe, test }, "Python", {
    create: (options) =>
      createPythonRuntime({ ...options, env: pythonWorkerEnv(process.env), searchPath: "" }),
    encode: encodeCalibratedCode,
    suffix: ".py",
    encodeWeights: emptySafetensors,
    options: {
      python: {
        interpreter: python.path,
        folders: [],
        class: undefined,
        arguments: undefined,
        outputs: { y: "uint8[batch, width]", tag: "int64[batch, 1]" },
        allowsPickle: false,
        maxBatchSize: undefined,
      },
    },
    isCode: true,
    hasThreads: false,
    startsSlowly: true,
    thrown: ["model_failed", /RuntimeError: poison/],
    memoryLimitBytes: 1024 ** 3,
  });
});
