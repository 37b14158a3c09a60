import { type Datatype, elementBytes } from "../base/tensor.ts";

/** One element of this datatype holding `value`, little-endian; rounded to the nearest value where the datatype is coarser. */
export function encodeElement(datatype: Datatype, value: number): Uint8Array {
  const bytes = new Uint8Array(elementBytes(datatype));
  const view = new DataView(bytes.buffer);
  switch (datatype) {
    case "BOOL":
      bytes[0] = value === 0 ? 0 : 1;
      break;
    case "INT8":
    case "UINT8":
      view.setUint8(0, value);
      break;
    case "INT16":
    case "UINT16":
      view.setUint16(0, value, true);
      break;
    case "INT32":
    case "UINT32":
      view.setUint32(0, value, true);
      break;
    case "INT64":
    case "UINT64":
      view.setBigInt64(0, BigInt(Math.trunc(value)), true);
      break;
    case "FP16":
      view.setUint16(0, float16Bits(value), true);
      break;
    case "BF16":
      view.setUint16(0, bfloat16Bits(value), true);
      break;
    case "FP32":
      view.setFloat32(0, value, true);
      break;
    case "FP64":
      view.setFloat64(0, value, true);
      break;
    case "BYTES":
      break;
  }
  return bytes;
}

function float32Bits(value: number): number {
  const view = new DataView(new ArrayBuffer(4));
  view.setFloat32(0, value);
  return view.getUint32(0);
}

/** bfloat16 is the upper half of a float32, rounded to nearest even. */
function bfloat16Bits(value: number): number {
  const bits = float32Bits(value);
  if (Number.isNaN(value)) return 0x7fc0;
  return ((bits + 0x7fff + ((bits >>> 16) & 1)) >>> 16) & 0xffff;
}

/** IEEE 754 binary16, rounded to nearest even. */
function float16Bits(value: number): number {
  const sign = value < 0 || Object.is(value, -0) ? 0x8000 : 0;
  const size = Math.abs(value);
  if (Number.isNaN(value)) return 0x7e00;
  if (size >= 65520) return sign | 0x7c00;
  const exponent = size === 0 ? -14 : Math.max(-14, Math.floor(Math.log2(size)));
  const units = roundHalfEven(size / 2 ** (exponent - 10));
  return sign | (units < 1024 ? units : ((exponent + 15) << 10) + (units - 1024));
}

function roundHalfEven(value: number): number {
  const floor = Math.floor(value);
  const rest = value - floor;
  if (rest !== 0.5) return Math.round(value);
  return floor % 2 === 0 ? floor : floor + 1;
}
