import type { ByteSource } from "../byte-source.ts";
import type { Port } from "../graph/port.ts";
import type { QuantizedPrecision } from "../quantize/quantize-options.ts";
import type { TorchScriptOptions } from "../torchscript/torchscript.ts";

/** What a program calls its inputs and outputs. */
export interface ProgramNames {
  readonly inputs: readonly PortNaming[];
  readonly outputs: readonly PortNaming[];
}

/** What an input or output is called. */
export type PortNaming = Pick<Port, "name" | "aliases">;

/** How a program is translated; all of it may be left out. */
export interface TranslateOptions extends TorchScriptOptions {
  /** Gives inputs and outputs other names, each its own, in the order in which they come. Default: they keep the program's. */
  readonly rename?: (names: ProgramNames) => ProgramNames;
  /**
   * Where big weights are: `"mapped"` (default) points into the source file by offset, so that ONNX Runtime maps them and nothing is
   * copied; `"embedded"` writes them into the model, for a file of its own (up to 2 GiB).
   */
  readonly weights?: "mapped" | "embedded";
  /**
   * The caller refuses inputs outside of `Port.indices`, so that the model need not check them in each run. Default: false, the model
   * fails for them.
   */
  readonly areIndicesChecked?: boolean;
  /** Weights that replace the program's own by name. */
  readonly weightsFrom?: WeightsSource;
  /**
   * Tensors inside the program that the model gives as well, behind its own outputs, by the names that the program has for them:
   * `exposedValue` tells them by their outputs' names. What is joined into one operation otherwise may be several then.
   */
  readonly exposes?: readonly string[];
  /** Stores weights in fewer bits, which changes the answers; see `quantizeModel`. Default: as the program has them. */
  readonly precision?: QuantizedPrecision;
}

/** A checkpoint, a safetensors file, or the index of a sharded one. */
export interface WeightsSource {
  readonly source: ByteSource;
  /** Opens a shard that lies beside the index; the caller closes it after the translation. */
  openShard(name: string): ByteSource;
  /** Whether it lies in the program's folder, so that its tensors can be mapped from it; otherwise they are copied. */
  readonly isBeside: boolean;
}
