import type { TensorSpec } from "../../base/signature.ts";
import type { NamedTensor } from "../../base/tensor.ts";
import type { SideFiles } from "./side-files.ts";

/** One thing that a request asks about. */
export type TaskInput =
  | { readonly kind: "text"; readonly text: string }
  | { readonly kind: "bytes"; readonly bytes: Uint8Array; readonly type?: string }
  /** JSON that is neither. */
  | { readonly kind: "value"; readonly value: unknown };

/** What a request sets beside its inputs, as JSON. */
export type TaskParameters = Readonly<Record<string, unknown>>;

export interface PreparedInput {
  /** The model's inputs for each run that this one takes. */
  readonly runs: readonly (readonly NamedTensor[])[];
  /** JSON that `finish` gets back. */
  readonly state?: unknown;
}

/** What surrounds a model: made once, when the model is loaded. */
export interface TaskProcessor {
  /** What a text of a JSON body is: a text, or bytes in base64. `values`: JSON as it is, and bodies that are none as bytes. */
  readonly takes: "text" | "bytes" | "values";
  /** Which parameters there are. */
  readonly parameters: readonly string[] | "any";
  /** A list is one input as a whole, such as two texts that belong together. Default: a list is several inputs. */
  isOneInput?(list: readonly unknown[]): boolean;
  /** Throws ServeError `invalid_argument`. */
  prepare(input: TaskInput, parameters: TaskParameters): PreparedInput | Promise<PreparedInput>;
  /** `outputs`: of the input's runs, in their order. The result is JSON. */
  finish(
    outputs: readonly (readonly NamedTensor[])[],
    context: { readonly state: unknown; readonly parameters: TaskParameters },
  ): unknown | Promise<unknown>;
  /** The answer for a request of one input that was no list, where it is not the input's own. */
  single?(result: unknown, context: SingleContext): unknown;
}

interface SingleContext {
  readonly parameters: TaskParameters;
  readonly isText: boolean;
}

/** What a task is made from. */
export interface TaskContext {
  /** The files beside the model. */
  readonly files: SideFiles;
  readonly inputs: readonly TensorSpec[];
  readonly outputs: readonly TensorSpec[];
  /** The name of the file with the model's own code. */
  readonly handler?: string | undefined;
}

/** Throws ServeError `failed_precondition` when files or signature do not fit. */
export type MakeTask = (context: TaskContext) => TaskProcessor | Promise<TaskProcessor>;
