/** What the server lets in, for suites that judge translations without a server. */
export type { NamedTensor } from "../../../packages/server/dist/base/tensor.js";
export { compileInputCheck, type InputCheck } from "../../../packages/server/dist/infer/input-check.js";
export { signatureOfPorts } from "../../../packages/server/dist/runtime/onnx/signature.js";
