import { after, describe, test } from "node:test";
import { encodeCalibratedModel } from "./calibrated-model.ts";
import { createCalibratedRuntime } from "./calibrated-runtime.ts";
import { describeRuntime } from "./runtime-suite.kit.ts";

describe("the runtime of Node workers", () => {
  describeRuntime({ after, describe, test }, "Node", {
    create: createCalibratedRuntime,
    encode: encodeCalibratedModel,
    suffix: ".onnx",
    encodeWeights: (tag) => encodeCalibratedModel({ tag }),
    options: {},
    isCode: false,
    hasThreads: true,
    startsSlowly: false,
    thrown: ["internal", /^Error: poison\n/],
    memoryLimitBytes: 256 * 1024 * 1024,
  });
});
