import type { Dim } from "../graph/sym.ts";
import { tensorType } from "./shapes/shape-args.ts";
import { int, knownNumber, type TensorValue, type Value } from "./value.ts";

/** How many sequences were packed, by the names of the tensors that say so in their first element: every sequence has a first step. */
export class PackedBatches {
  readonly #batches = new Map<string, Dim>();

  /** Remembers what `_pack_padded_sequence` gives. */
  note(target: string, args: ReadonlyMap<string, Value>, results: readonly TensorValue[]): void {
    const [lengths, name] = [args.get("lengths"), results[1]?.name];
    if (target !== "aten._pack_padded_sequence.default" || lengths?.kind !== "tensor" || name === undefined)
      return;
    this.#batches.set(name, lengths.type.dims[0]!);
  }

  /** The number that `select` takes from such a tensor. */
  selected(target: string, args: ReadonlyMap<string, Value>): TensorValue | undefined {
    const self = args.get("self");
    if (target !== "aten.select.int" || self?.kind !== "tensor") return undefined;
    const batch = this.#batches.get(self.name ?? "");
    const isFirst = [args.get("dim"), args.get("index")].every(
      (at) => at !== undefined && knownNumber(at) === 0,
    );
    if (batch === undefined || !isFirst) return undefined;
    return { kind: "tensor", name: undefined, type: tensorType("int64", []), number: int(batch) };
  }
}
