export {
  defineHandler,
  type HandlerContext,
  type HandlerFile,
  type HandlerInput,
  type HandlerModel,
  type HandlerTensor,
  InputError,
  type ModelHandler,
  type NestedValues,
} from "./define-handler.ts";
