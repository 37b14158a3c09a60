/** Writes models of a few nodes. */
export {
  floatWeight,
  type TinyModel,
  tinyOnnx,
  unary,
} from "../../../packages/server/dist/runtime/onnx/tiny-onnx.kit.js";
