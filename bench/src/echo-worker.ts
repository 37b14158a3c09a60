import { hostModel } from "@sconce/conformance/internals/worker";

/** A model that gives back its first input: what remains is the way there and back. */
hostModel(async () => ({
  description: {
    signature: {
      inputs: [{ name: "x", datatype: "UINT8", dims: [{ symbol: "n", min: 0, max: undefined }] }],
      outputs: [{ name: "y", datatype: "UINT8", dims: [{ symbol: "n", min: 0, max: undefined }] }],
      batching: { kind: "off", reason: "it is a benchmark" },
    },
    platform: "echo",
    runtime: "onnx",
    runtimeReason: "it is a benchmark",
    parameterCount: 0,
    weightBytes: 0,
    digest: "",
    warnings: [],
    loadMs: {},
  },
  files: [],
  run: async ([x]) => ({ outputs: [{ ...x!, chunks: [x!.bytes] }], computeMs: 0 }),
}));
