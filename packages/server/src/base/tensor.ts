export { type Datatype, elementBytes, elementCount, type NamedTensor, type Tensor } from "@sconce/protocol";
