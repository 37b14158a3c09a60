export {
  bfloat16Value,
  type Datatype,
  elementBytes,
  elementCount,
  float16Value,
  type NamedTensor,
  type Tensor,
} from "@sconce/protocol";
