/** Writes models of a few nodes. */
export { tinyOnnx, unary } from "../../../packages/server/dist/runtime/onnx/tiny-onnx.kit.js";
