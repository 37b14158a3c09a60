export {
  bfloat16Value,
  type Datatype,
  ELEMENT_ARRAYS,
  type ElementArrays,
  elementBytes,
  elementCount,
  float16Value,
  isDatatype,
  type NamedTensor,
  type Tensor,
} from "@sconce/protocol";
