export {
  defineHandler,
  defineTransform,
  type HandlerContext,
  type HandlerFile,
  type HandlerInput,
  type HandlerModel,
  type HandlerTensor,
  InputError,
  type ModelHandler,
  type NestedValues,
  type Transform,
  type TransformTensors,
} from "./define-handler.ts";
