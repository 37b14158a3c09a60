import { denseBytes, locateTensor, type TensorStorage } from "../../archive/stored-tensor.ts";
import { componentDtype, isComplex } from "../../dtype.ts";
import type { Weight } from "../../graph/ir.ts";
import type { GraphBuilder } from "../../onnx/graph-builder.ts";
import type { Initializer } from "../../onnx/model.ts";
import type { Emitter } from "./emitter.ts";
import { carrier, type Tensor, type Val } from "./tensor.ts";
import { unsupported } from "./unsupported.ts";

/** Weights up to this many bytes are written into the model: a page fault costs more than the copy. */
const INLINE_BYTES = 1024;

/** Puts weights into the model as they are used: mapped from the source file where it holds them dense, copied otherwise. */
export class WeightStore {
  readonly #weights: ReadonlyMap<string, Weight>;
  readonly #location: string | undefined;
  readonly #emitted = new Map<string, string>();
  readonly #storages = new Map<TensorStorage, number>();

  /** `location`: the file that initializers point into; undefined writes all bytes into the model. */
  constructor(weights: ReadonlyMap<string, Weight>, location: string | undefined) {
    this.#weights = weights;
    this.#location = location;
  }

  has(value: string): boolean {
    return this.#weights.has(value);
  }

  weight(value: string): Weight | undefined {
    return this.#weights.get(value);
  }

  /** The weight as a value in the type it is calculated in. Weights that share their bytes share an initializer. */
  tensor(value: string, g: Emitter): Tensor {
    const weight = this.#weights.get(value)!;
    const { dtype, shape } = weight.tensor;
    if (isComplex(dtype) || dtype.startsWith("float8"))
      return unsupported(`the weight '${weight.name}' is ${dtype}`);
    const name = this.#initializer(weight, g.builder);
    return { ...g.cast({ name, dtype }, carrier(dtype)), dims: shape, declared: dtype };
  }

  /** A complex weight, its parts in a last dimension of 2: so they lie in the file. `dims` are those of the program. */
  complex(value: string, g: Emitter): Val & { readonly dims: readonly number[] } {
    const weight = this.#weights.get(value)!;
    const { dtype, shape } = weight.tensor;
    const part = componentDtype(dtype);
    if (part === undefined) return unsupported(`the weight '${weight.name}' is ${dtype}`);
    return { name: this.#initializer(weight, g.builder), dtype: part, dims: shape };
  }

  #initializer(weight: Weight, builder: GraphBuilder): string {
    const { storage, storageOffset, shape, strides, dtype } = weight.tensor;
    const part = componentDtype(dtype);
    const key = [this.#storageId(storage), dtype, storageOffset, shape.join("x"), strides.join("x")].join(
      ":",
    );
    const known = this.#emitted.get(key);
    if (known !== undefined) return known;
    const name = builder.unique(weight.name);
    const dims = part === undefined ? shape : [...shape, 2];
    builder.initializer({ name, dtype: part ?? dtype, dims, data: this.#data(weight) });
    this.#emitted.set(key, name);
    return name;
  }

  #storageId(storage: TensorStorage): number {
    const id = this.#storages.get(storage) ?? this.#storages.size;
    this.#storages.set(storage, id);
    return id;
  }

  #data({ name, tensor, file }: Weight): Initializer["data"] {
    const isMapped = this.#location !== undefined && file !== null;
    const place = isMapped ? locateTensor(tensor) : undefined;
    if (place === undefined || place.byteLength <= INLINE_BYTES) return denseBytes(name, tensor);
    return { location: file ?? this.#location!, ...place };
  }
}
