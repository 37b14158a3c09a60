export { DATATYPES, type Datatype, elementBytes, isDatatype } from "./datatype.ts";
export { ERROR_CODES, type ErrorCode } from "./error-code.ts";
export { invariant, ServeError, type ServeErrorOptions } from "./serve-error.ts";
export { elementCount, type NamedTensor, type Tensor } from "./tensor.ts";
