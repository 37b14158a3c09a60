export {
  type Datatype,
  elementBytes,
  elementCount,
  isDatatype,
  type NamedTensor,
  type Tensor,
} from "@sconce/protocol";
