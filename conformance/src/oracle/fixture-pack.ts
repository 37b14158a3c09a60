import { readFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";
import type { DType } from "@sconce/torch";

/** A tensor of a fixture: row-major, little-endian bytes. */
export interface FixtureTensor {
  readonly dtype: DType;
  readonly shape: readonly number[];
  readonly bytes: Uint8Array;
  /** PyTorch leaves the values open (positions of equal values after a sort); only dtype and shape are compared. */
  readonly unspecified: boolean;
  /** Numbers may be this far from PyTorch's, beyond what their dtype allows: a step between two codes. */
  readonly within?: number;
}

/** What a complex tensor is outside of PyTorch: a real one whose last dimension holds real and imaginary part. Others stay as they are. */
function asReal(tensor: FixtureTensor): FixtureTensor {
  const dtype = PARTS[tensor.dtype];
  return dtype === undefined ? tensor : { ...tensor, dtype, shape: [...tensor.shape, 2] };
}

const PARTS: Partial<Record<DType, DType>> = {
  complex32: "float16",
  complex64: "float32",
  complex128: "float64",
};

export interface FixtureRun {
  readonly inputs: readonly FixtureTensor[];
  readonly outputs: readonly FixtureTensor[];
  /** What PyTorch raises for these inputs; there are no outputs then. */
  readonly raises?: string;
}

/** A run of a TorchScript program at other sizes than its example's; without outputs where PyTorch refuses them. */
export interface OtherRun {
  readonly inputs: readonly FixtureTensor[];
  readonly outputs: readonly FixtureTensor[] | null;
}

/** One program with inputs and PyTorch's own outputs. */
export interface FixtureSample {
  readonly id: string;
  /** The ops of the program, such as `aten.add.Tensor`. */
  readonly targets: readonly string[];
  /** Whether all of them are Core ATen. */
  readonly core: boolean;
  readonly program: Uint8Array;
  /** The narrowest floating dtype inside the program, when that is one of 16 bits. */
  readonly precision?: DType;
  readonly runs: readonly FixtureRun[];
  /** Of a TorchScript program. */
  readonly others?: readonly OtherRun[];
  /** What a scripted program takes, as model.yaml would say it. */
  readonly inputs?: Readonly<Record<string, string>>;
  /** PyTorch raises for the dtypes, whatever the numbers: the program has to be refused when it is read. */
  readonly refuses?: boolean;
}

/** All samples of one op. The format is described in scripts/python/fixture_pack.py. */
export interface FixturePack {
  readonly op: string;
  readonly samples: readonly FixtureSample[];
  readonly skipped: readonly { readonly id: string; readonly reason: string }[];
}

type Place = readonly [offset: number, length: number];

interface PackedTensor {
  readonly dtype: DType;
  readonly shape: readonly number[];
  readonly at: Place;
  readonly unspecified?: boolean;
  readonly within?: number;
}

interface PackHeader {
  readonly op: string;
  readonly samples: readonly {
    readonly id: string;
    readonly targets: readonly string[];
    readonly core: boolean;
    readonly program: Place;
    readonly precision?: DType;
    readonly runs: readonly {
      readonly inputs: readonly PackedTensor[];
      readonly outputs?: readonly PackedTensor[];
      readonly raises?: string;
    }[];
    readonly others?: readonly {
      readonly inputs: readonly PackedTensor[];
      readonly outputs: readonly PackedTensor[] | null;
    }[];
    readonly inputs?: Readonly<Record<string, string>>;
    readonly refuses?: boolean;
  }[];
  readonly skipped: FixturePack["skipped"];
}

/** Reads a pack that our own script wrote; trusts its header. */
export function readFixturePack(path: string): FixturePack {
  const unpacked = gunzipSync(readFileSync(path));
  const start = 4 + unpacked.readUInt32LE(0);
  const header = JSON.parse(unpacked.toString("utf8", 4, start)) as PackHeader;
  // Copies: typed arrays on the bytes need aligned offsets.
  const bytesAt = ([offset, length]: Place): Uint8Array =>
    Uint8Array.from(unpacked.subarray(start + offset, start + offset + length));
  const tensor = ({ at, unspecified = false, ...described }: PackedTensor): FixtureTensor => ({
    ...described,
    bytes: bytesAt(at),
    unspecified,
  });
  const reals = (tensors: readonly PackedTensor[]): FixtureTensor[] =>
    tensors.map((packed) => asReal(tensor(packed)));
  return {
    op: header.op,
    skipped: header.skipped,
    samples: header.samples.map(({ others, ...sample }) => ({
      ...sample,
      program: bytesAt(sample.program),
      runs: sample.runs.map(({ inputs, outputs = [], raises }) => ({
        inputs: reals(inputs),
        outputs: reals(outputs),
        ...(raises !== undefined && { raises }),
      })),
      ...(others !== undefined && {
        others: others.map(({ inputs, outputs }) => ({
          inputs: reals(inputs),
          outputs: outputs === null ? null : reals(outputs),
        })),
      }),
    })),
  };
}
