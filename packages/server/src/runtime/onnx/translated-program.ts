import type { Signature } from "../../base/signature.ts";
import type { Tensor } from "../../base/tensor.ts";

/** A program as ONNX, and all that is known of it before it is opened. */
export interface TranslatedProgram {
  /** Its weights' location is the file's name, so the file's folder makes it the file that was read. */
  readonly model: Uint8Array;
  /** The model holds its weights, so that nothing is mapped from the file. */
  readonly holdsWeights: boolean;
  /** Of a model that ONNX Runtime has optimised already: where its weights lie. */
  readonly optimisedIn?: string;
  readonly signature: Signature;
  /** Why rows of one run change each other's answers; see `OpenedModel`. */
  readonly rowMixing: string | undefined;
  /** Which of the model's outputs answers may hold, by their places. */
  readonly shownOutputs: readonly number[];
  readonly platform: string;
  readonly parameterCount: number;
  readonly weightBytes: number;
  readonly warnings: readonly string[];
  readonly sampleInputs: readonly Tensor[] | undefined;
}
