export { decodeBase64, encodeBase64 } from "./base64.ts";
export { ByteWriter } from "./byte-writer.ts";
export { DATATYPES, type Datatype, elementBytes, isDatatype } from "./datatype.ts";
export { ELEMENT_ARRAYS, type ElementArrays } from "./element-arrays.ts";
export { CODE_HELP, ERROR_CODES, type ErrorCode, isErrorCode } from "./error-code.ts";
export {
  type ErrorReason,
  isErrorReason,
  REASON_GROUPS,
  type ReasonGroup,
  type ReasonOf,
} from "./error-reasons.ts";
export { bfloat16Bits, bfloat16Value, float16Bits, float16Value } from "./half.ts";
export { MAX_NUMBER_CHARS, type NumberLiteral, newNumberLiteral, readNumber } from "./json-number.ts";
export { isUtf8, readString, writeString, writeUtf8 } from "./json-string.ts";
export {
  decodeJsonTensor,
  JsonTensorDecoder,
  type JsonTensorOptions,
  showShape,
} from "./json-tensor-decode.ts";
export { encodeJsonTensor, type JsonEncodeOptions, JsonTensorEncoder } from "./json-tensor-encode.ts";
export { packBytes, unpackBytes } from "./packed-bytes.ts";
export { MAX_REGION_NAME, type RegionPlace, readPlace } from "./region-place.ts";
export { MAX_ID_BYTES } from "./request-id.ts";
export { invariant, ServeError, type ServeErrorOptions } from "./serve-error.ts";
export { elementCount, type NamedTensor, type Tensor } from "./tensor.ts";
