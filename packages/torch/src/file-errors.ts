// What went wrong with a file or its inputs, for those who only tell of it: nothing of the readers and the translation is loaded with it.
export { ModelFileError, type ModelFileErrorKind } from "./errors.ts";
export { inputFault } from "./onnx/input-fault.ts";
export { MissingInputs } from "./torchscript/missing-inputs.ts";
