export {
  defineHandler,
  type Handler,
  type HandlerContext,
  type HandlerFile,
  type HandlerInput,
  type HandlerModel,
  type HandlerTensor,
  InputError,
  type NestedValues,
} from "./define-handler.ts";
