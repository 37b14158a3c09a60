export {
  bfloat16Value,
  type Datatype,
  elementBytes,
  elementCount,
  float16Value,
  isDatatype,
  type NamedTensor,
  type Tensor,
} from "@sconce/protocol";
