import type { RegionPlace } from "../region-place.ts";
import { ServeError } from "../serve-error.ts";
import type { NamedTensor } from "../tensor.ts";
import type { CodecLimits } from "./codec-limits.ts";
import { type InferParameterValue, readParameter } from "./infer-parameters.ts";
import { LENGTH, WireReader } from "./wire-reader.ts";
import {
  type FieldFour,
  finishTensor,
  type LateWork,
  type OutputForm,
  readTensor,
  type TensorDraft,
} from "./wire-tensor.ts";

/** What a request message says, free of its encoding. Empty strings mean "not given", as proto3 has it. */
export interface WireRequest {
  readonly model: string;
  readonly version: string | undefined;
  readonly id: string | undefined;
  readonly parameters: ReadonlyMap<string, InferParameterValue>;
  readonly inputs: readonly NamedTensor[];
  /** Undefined: all. */
  readonly outputs: readonly string[] | undefined;
  /** Tensors came as typed contents. */
  readonly isTyped?: boolean;
  /** How many of the best classes are wanted in place of an output, by its name; undefined: none. */
  readonly classify?: ReadonlyMap<string, number> | undefined;
  /** Which tensors lie in shared memory, or are to be written there; undefined: none. */
  readonly places?: RequestPlaces | undefined;
  /** 0: none given. Always 0 in the Open Inference Protocol, which has a parameter for it. */
  readonly timeoutMs: number;
}

/** Where tensors of a request lie: inputs by their index, outputs by the names that the request gives them. */
export interface RequestPlaces {
  readonly inputs: ReadonlyMap<number, RegionPlace>;
  readonly outputs: ReadonlyMap<string, RegionPlace>;
}

/** Who a message is decoded for. */
export interface Receiver {
  /** Told which model the request is for, before its tensors are decoded, if the message names it by then. What it throws ends the decoding. */
  readonly onModel?: ((model: string, version: string | undefined) => void) | undefined;
  /** Takes the work that is left to be done before the tensors are used. Default: all is done at once. */
  readonly late?: LateWork[] | undefined;
}

const NO_INPUTS: RequestPlaces["inputs"] = new Map();
const NO_OUTPUTS: RequestPlaces["outputs"] = new Map();

export const NOBODY: Receiver = {};

const NONE: ReadonlyMap<string, InferParameterValue> = new Map();

/**
 * A request while its message is read. The dialects number some of their fields differently and read those themselves; what
 * a field means, and how many of it there may be, is said here.
 */
export class RequestDraft {
  readonly reader: WireReader;
  readonly #limits: CodecLimits;
  readonly #receiver: Receiver;
  readonly #end: number;
  readonly #tensors: TensorDraft[] = [];
  readonly #outputs: string[] = [];
  #parameters: Map<string, InferParameterValue> | undefined;
  #classify: Map<string, number> | undefined;
  #inputPlaces: Map<number, RegionPlace> | undefined;
  #outputPlaces: Map<string, RegionPlace> | undefined;
  #model = "";
  #version = "";
  #id = "";

  constructor(bytes: Uint8Array, limits: CodecLimits, receiver: Receiver) {
    this.reader = new WireReader(bytes);
    this.#limits = limits;
    this.#receiver = receiver;
    this.#end = bytes.length;
  }

  /** Reads a field that has one number in every dialect; steps over one that none has. */
  readCommon(tag: number): void {
    const { maxTextBytes, maxIdBytes } = this.#limits;
    switch (tag) {
      case (1 << 3) | LENGTH:
        this.#model = this.reader.text(this.#end, maxTextBytes, "the model's name");
        return;
      case (2 << 3) | LENGTH:
        this.#version = this.reader.text(this.#end, maxTextBytes, "the model's version");
        return;
      case (3 << 3) | LENGTH:
        this.#id = this.reader.text(this.#end, maxIdBytes, "the id");
        return;
      default:
        this.reader.skip(tag, this.#end);
    }
  }

  readParameter(): void {
    this.#parameters ??= new Map();
    readParameter(this.reader, this.#end, this.#parameters, this.#limits);
  }

  readTensor(fieldFour: FieldFour): void {
    if (this.#tensors.length === 0 && this.#model !== "")
      this.#receiver.onModel?.(this.#model, given(this.#version));
    const draft = readTensor(this.reader, this.#end, fieldFour, this.#limits);
    if (draft.place !== undefined) {
      this.#inputPlaces ??= new Map();
      this.#inputPlaces.set(this.#tensors.length, draft.place);
    }
    this.#tensors.push(draft);
    this.#checkCount();
  }

  /** `form`: what is wanted in its place, and where. Default: the output itself, in the answer. */
  addOutput(name: string, form?: OutputForm): void {
    this.#outputs.push(name);
    if (form !== undefined && form.classes > 0) {
      this.#classify ??= new Map();
      this.#classify.set(name, form.classes);
    }
    if (form?.place !== undefined) {
      this.#outputPlaces ??= new Map();
      this.#outputPlaces.set(name, form.place);
    }
    this.#checkCount();
  }

  /** Gives the tensors their bytes, in order; those in shared memory have none. */
  attachRaw(raws: readonly Uint8Array[]): void {
    const isElsewhere = this.#inputPlaces !== undefined;
    const tensors = isElsewhere ? this.#tensors.filter((draft) => draft.place === undefined) : this.#tensors;
    if (raws.length !== tensors.length) {
      throw new ServeError(
        "invalid_argument",
        `there are ${tensors.length} inputs but ${raws.length} raw_input_contents; send one for each input`,
        { reason: "raw_count" },
      );
    }
    for (let i = 0; i < tensors.length; i++) tensors[i]!.bytes = raws[i]!;
  }

  finish(timeoutMs: number): WireRequest {
    const tensors = this.#tensors;
    const inputs = new Array<NamedTensor>(tensors.length);
    const how = { limits: this.#limits, late: this.#receiver.late };
    let isTyped = false;
    for (let i = 0; i < inputs.length; i++) {
      inputs[i] = finishTensor(this.reader, tensors[i]!, how);
      isTyped ||= tensors[i]!.contents !== undefined;
    }
    return {
      model: this.#model,
      version: given(this.#version),
      id: given(this.#id),
      parameters: this.#parameters ?? NONE,
      inputs,
      outputs: this.#outputs.length === 0 ? undefined : this.#outputs,
      ...(isTyped && { isTyped }),
      ...(this.#classify !== undefined && { classify: this.#classify }),
      ...this.#places(),
      timeoutMs,
    };
  }

  #places(): { readonly places: RequestPlaces } | undefined {
    if (this.#inputPlaces === undefined && this.#outputPlaces === undefined) return undefined;
    return { places: { inputs: this.#inputPlaces ?? NO_INPUTS, outputs: this.#outputPlaces ?? NO_OUTPUTS } };
  }

  #checkCount(): void {
    checkTensorCount(this.#tensors.length + this.#outputs.length, this.#limits);
  }
}

function given(text: string): string | undefined {
  return text === "" ? undefined : text;
}

/** Throws `invalid_argument` when a request has too many tensors. */
export function checkTensorCount(count: number, limits: CodecLimits): void {
  if (count <= limits.maxTensors) return;
  throw new ServeError("invalid_argument", `there are more than ${limits.maxTensors} inputs and outputs`, {
    reason: "limit_exceeded",
  });
}
