/** Writes ONNX files of a few nodes. */
export { unary } from "../../../packages/server/dist/runtime/onnx/tiny-onnx.kit.js";
