import type { Emitter } from "../core/emitter.ts";
import type { Val } from "../core/tensor.ts";

/**
 * Codes and their zero as QuantizeLinear and DequantizeLinear have them. Those of int8 are made as uint8, 128 more: ONNX Runtime turns pairs of int8
 * into such, and fails over what it has made of reshapes between them (1.30, opset 21 and later).
 */
export interface Unsigned {
  /** Undefined: the codes were not made here. */
  readonly codes: Val | undefined;
  readonly zero: Val;
  /** By how much they are more than the program's. */
  readonly offset: number;
  /** Codes of the program from made ones. */
  back(codes: Val): Val;
}

export interface Zero {
  readonly zero: Val;
  /** Where the program says it. */
  readonly known: number | undefined;
}

export function unsigned(g: Emitter, { zero, known }: Zero, codes?: Val): Unsigned {
  if (zero.dtype !== "int8")
    return {
      codes: codes !== undefined && isMade(g, codes) ? codes : undefined,
      zero,
      offset: 0,
      back: (made) => made,
    };
  return {
    codes: codes === undefined ? undefined : g.unsigned.get(codes.name),
    zero:
      known === undefined
        ? g.cast(g.op("Add", [g.cast(zero, "int32"), g.scalar("int32", 128)]), "uint8")
        : g.scalar("uint8", known + 128),
    offset: 128,
    back(made) {
      const whole = g.op("Sub", [g.cast(made, "int32"), g.scalar("int32", 128)]);
      const signed = g.cast(whole, "int8");
      g.unsigned.set(signed.name, made);
      return signed;
    },
  };
}

/** Whether the codes come from a node, rather than from the file. */
function isMade(g: Emitter, codes: Val): boolean {
  return g.builder.producer(codes.name) !== undefined;
}

/** Numbers that the program is given, with what is none replaced by what has the code 0: so has PyTorch on x86. Calculated ones are left as they are. */
export function withoutNan(g: Emitter, x: Val, substitute: () => Val): Val {
  const node = g.builder.producer(g.uncast(x).name);
  return node === undefined ? g.where(g.op("IsNaN", [x]), substitute(), x) : x;
}
