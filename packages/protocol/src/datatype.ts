/** Open Inference Protocol datatypes, plus Triton's BF16. BYTES elements have a length of their own. */
export const DATATYPES = [
  "BOOL",
  "UINT8",
  "UINT16",
  "UINT32",
  "UINT64",
  "INT8",
  "INT16",
  "INT32",
  "INT64",
  "FP16",
  "BF16",
  "FP32",
  "FP64",
  "BYTES",
] as const;

/** The protocol's name of an element type, such as `FP32`. */
export type Datatype = (typeof DATATYPES)[number];

const ELEMENT_BYTES: Readonly<Record<Datatype, number>> = {
  BOOL: 1,
  UINT8: 1,
  UINT16: 2,
  UINT32: 4,
  UINT64: 8,
  INT8: 1,
  INT16: 2,
  INT32: 4,
  INT64: 8,
  FP16: 2,
  BF16: 2,
  FP32: 4,
  FP64: 8,
  BYTES: 0,
};

/** Bytes of one element; 0 for BYTES, whose elements carry a uint32 length each. */
export function elementBytes(datatype: Datatype): number {
  return ELEMENT_BYTES[datatype];
}

/** Whether a text is the name of an element type. */
export function isDatatype(text: string): text is Datatype {
  return Object.hasOwn(ELEMENT_BYTES, text);
}
