/** The messages of onnx-ml.proto (IR 13) that this reader walks through. */
export type OnnxMessage =
  | "model"
  | "graph"
  | "node"
  | "attribute"
  | "function"
  | "tensor"
  | "sparseTensor"
  | "segment"
  | "valueInfo"
  | "type"
  | "tensorType"
  | "sequenceType"
  | "mapType"
  | "optionalType"
  | "opaqueType"
  | "shape"
  | "dimension"
  | "opset"
  | "entry"
  | "trainingInfo"
  | "annotation"
  | "nodeDevices"
  | "sharding"
  | "shardedDim"
  | "simpleShardedDim"
  | "deviceGroup"
  | "devices";

/** What a field holds; the plural ones repeat, packed or not. `bytes` are text too. */
export type OnnxScalar = "int" | "ints" | "float" | "floats" | "doubles" | "bytes";

export type OnnxFieldType = OnnxScalar | OnnxMessage;

type Fields = Readonly<Record<number, OnnxFieldType>>;

const TYPE_OF_ELEMENTS: Fields = { 1: "type" };
const TENSOR_TYPE: Fields = { 1: "int", 2: "shape" };

/**
 * Every field of onnx-ml.proto by its number. It is whole on purpose: where a tensor may hide is a question of safety, and how deep
 * messages lie in each other is counted as ONNX Runtime's parser counts it.
 */
export const ONNX_FIELDS: Readonly<Record<OnnxMessage, Fields>> = {
  model: {
    1: "int",
    2: "bytes",
    3: "bytes",
    4: "bytes",
    5: "int",
    6: "bytes",
    7: "graph",
    8: "opset",
    14: "entry",
    20: "trainingInfo",
    25: "function",
    26: "devices",
  },
  graph: {
    1: "node",
    2: "bytes",
    5: "tensor",
    10: "bytes",
    11: "valueInfo",
    12: "valueInfo",
    13: "valueInfo",
    14: "annotation",
    15: "sparseTensor",
    16: "entry",
  },
  node: {
    1: "bytes",
    2: "bytes",
    3: "bytes",
    4: "bytes",
    5: "attribute",
    6: "bytes",
    7: "bytes",
    8: "bytes",
    9: "entry",
    10: "nodeDevices",
  },
  attribute: {
    1: "bytes",
    2: "float",
    3: "int",
    4: "bytes",
    5: "tensor",
    6: "graph",
    7: "floats",
    8: "ints",
    9: "bytes",
    10: "tensor",
    11: "graph",
    13: "bytes",
    14: "type",
    15: "type",
    20: "int",
    21: "bytes",
    22: "sparseTensor",
    23: "sparseTensor",
  },
  function: {
    1: "bytes",
    4: "bytes",
    5: "bytes",
    6: "bytes",
    7: "node",
    8: "bytes",
    9: "opset",
    10: "bytes",
    11: "attribute",
    12: "valueInfo",
    13: "bytes",
    14: "entry",
  },
  tensor: {
    1: "ints",
    2: "int",
    3: "segment",
    4: "floats",
    5: "ints",
    6: "bytes",
    7: "ints",
    8: "bytes",
    9: "bytes",
    10: "doubles",
    11: "ints",
    12: "bytes",
    13: "entry",
    14: "int",
    16: "entry",
  },
  sparseTensor: { 1: "tensor", 2: "tensor", 3: "ints" },
  segment: { 1: "int", 2: "int" },
  valueInfo: { 1: "bytes", 2: "type", 3: "bytes", 4: "entry" },
  type: {
    1: "tensorType",
    4: "sequenceType",
    5: "mapType",
    6: "bytes",
    7: "opaqueType",
    8: "tensorType",
    9: "optionalType",
  },
  tensorType: TENSOR_TYPE,
  sequenceType: TYPE_OF_ELEMENTS,
  optionalType: TYPE_OF_ELEMENTS,
  mapType: { 1: "int", 2: "type" },
  opaqueType: { 1: "bytes", 2: "bytes" },
  shape: { 1: "dimension" },
  dimension: { 1: "int", 2: "bytes", 3: "bytes" },
  opset: { 1: "bytes", 2: "int" },
  entry: { 1: "bytes", 2: "bytes" },
  trainingInfo: { 1: "graph", 2: "graph", 3: "entry", 4: "entry" },
  annotation: { 1: "bytes", 2: "entry" },
  nodeDevices: { 1: "bytes", 2: "sharding", 3: "int" },
  sharding: { 1: "bytes", 2: "ints", 3: "deviceGroup", 4: "shardedDim" },
  shardedDim: { 1: "int", 2: "simpleShardedDim" },
  simpleShardedDim: { 1: "int", 2: "bytes", 3: "int" },
  deviceGroup: { 1: "int", 2: "ints" },
  devices: { 1: "bytes", 2: "int", 3: "bytes" },
};

const WIRE_TYPES: Readonly<Record<OnnxScalar, readonly number[]>> = {
  int: [0],
  ints: [0, 2],
  float: [5],
  floats: [5, 2],
  doubles: [1, 2],
  bytes: [2],
};

export function isMessage(type: OnnxFieldType): type is OnnxMessage {
  return !(type in WIRE_TYPES);
}

/** Whether a field of this type may be written so; one that is not counts as unknown, as every protobuf parser has it. */
export function fitsWireType(type: OnnxFieldType, wireType: number): boolean {
  return isMessage(type) ? wireType === 2 : WIRE_TYPES[type].includes(wireType);
}
