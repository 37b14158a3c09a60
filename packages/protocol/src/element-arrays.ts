/** What holds the elements of each datatype of fixed width, on any kind of buffer. FP16 and BF16 are their bits. */
export interface ElementArrays {
  readonly BOOL: Uint8Array;
  readonly UINT8: Uint8Array;
  readonly UINT16: Uint16Array;
  readonly UINT32: Uint32Array;
  readonly UINT64: BigUint64Array;
  readonly INT8: Int8Array;
  readonly INT16: Int16Array;
  readonly INT32: Int32Array;
  readonly INT64: BigInt64Array;
  readonly FP16: Uint16Array;
  readonly BF16: Uint16Array;
  readonly FP32: Float32Array;
  readonly FP64: Float64Array;
}

/** How these arrays are made; their byte order is the machine's, which has to be the wire's: little-endian. */
export const ELEMENT_ARRAYS: {
  readonly BOOL: Uint8ArrayConstructor;
  readonly UINT8: Uint8ArrayConstructor;
  readonly UINT16: Uint16ArrayConstructor;
  readonly UINT32: Uint32ArrayConstructor;
  readonly UINT64: BigUint64ArrayConstructor;
  readonly INT8: Int8ArrayConstructor;
  readonly INT16: Int16ArrayConstructor;
  readonly INT32: Int32ArrayConstructor;
  readonly INT64: BigInt64ArrayConstructor;
  readonly FP16: Uint16ArrayConstructor;
  readonly BF16: Uint16ArrayConstructor;
  readonly FP32: Float32ArrayConstructor;
  readonly FP64: Float64ArrayConstructor;
} = {
  BOOL: Uint8Array,
  UINT8: Uint8Array,
  UINT16: Uint16Array,
  UINT32: Uint32Array,
  UINT64: BigUint64Array,
  INT8: Int8Array,
  INT16: Int16Array,
  INT32: Int32Array,
  INT64: BigInt64Array,
  FP16: Uint16Array,
  BF16: Uint16Array,
  FP32: Float32Array,
  FP64: Float64Array,
};
