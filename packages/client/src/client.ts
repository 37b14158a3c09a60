import type { Datatype } from "@sconce/protocol";
import type { Fetch } from "./ask-endpoint.ts";
import type { InferResponse } from "./infer-response.ts";
import type { StreamSocket } from "./model-stream.ts";
import type { NestedValue } from "./nested-values.ts";
import type { Timing } from "./timing.ts";
import type { TypedTensor } from "./typed-tensor.ts";

/** How a client calls. */
export interface ClientOptions {
  /** For a whole call, all attempts together; the server is told as well. Default: 60,000. */
  readonly timeoutMs?: number;
  /** Sent with every request, such as `authorization`; a function is asked anew for each call. */
  readonly headers?: Readonly<Record<string, string>> | (() => Readonly<Record<string, string>>);
  /** Attempts of one call at most, where an answer may come a moment later. Default: 3; 1 turns retries off. */
  readonly attempts?: number;
  /** Further attempts per call over all calls, so that a server in trouble is not asked several times as often. Default: 0.2. */
  readonly retryShare?: number;
  /** With several endpoints: ask a second one when the first did not answer within this; the first answer counts. Default: never. */
  readonly hedgeAfterMs?: number;
  /** Default: the global one. */
  readonly fetch?: Fetch;
  /** For streams. Default: the global one, which Node has from version 22 on; before, that of the package `ws`. */
  readonly webSocket?: new (
    url: string,
  ) => StreamSocket;
  /** For tests. Default: the system's. */
  readonly timing?: Timing;
}

/** One call's own terms. */
export interface CallOptions {
  /** Default: the model's own choice. */
  readonly version?: string;
  /** Default: that of the client. */
  readonly timeoutMs?: number;
  /** Aborting it cancels the call, on the server as well. */
  readonly signal?: AbortSignal;
  /** False: never asked twice, for models that remember what they are asked. Default: true. */
  readonly mayRepeat?: boolean;
}

/** What an inference may say beside its inputs. */
export interface InferOptions extends CallOptions {
  /** Names of the outputs that are wanted; default: all. */
  readonly outputs?: readonly string[];
  readonly id?: string;
  readonly parameters?: Readonly<Record<string, string | number | boolean>>;
}

/** What a stream may say beside its inputs. */
export type StreamOptions = Pick<InferOptions, "version" | "signal" | "outputs" | "parameters">;

/** A value of an input: a tensor, or nested lists, which take the datatype that the model has. */
export type InputValue<D extends Datatype = Datatype> = TypedTensor<D> | NestedValue;

/** The names and tensors of a model, as `sconce types` writes them. */
export interface ModelTypes {
  readonly inputs: object;
  readonly outputs: object;
}

/** Every model has any inputs and outputs. */
export type AnyModels = Readonly<
  Record<
    string,
    {
      readonly inputs: Readonly<Record<string, InputValue>>;
      readonly outputs: Readonly<Record<string, TypedTensor>>;
    }
  >
>;

/** An answer whose outputs are those of a model's types. */
export type ResponseOf<M extends ModelTypes> = Omit<InferResponse, "outputs"> & {
  readonly outputs: M["outputs"];
};

/** An input or output as the model describes it. */
export interface PortMetadata {
  readonly name: string;
  readonly datatype: Datatype;
  /** −1: any size. */
  readonly shape: readonly number[];
}

/** What a model says of itself. */
export interface ModelMetadata {
  readonly name: string;
  readonly versions: readonly string[];
  readonly platform: string;
  readonly inputs: readonly PortMetadata[];
  readonly outputs: readonly PortMetadata[];
}

/** Calls models. `Models` are their types, by name. All calls throw ClientError, and the reason of an aborted signal. */
export interface Client<Models extends { [Name in keyof Models]: ModelTypes } = AnyModels> {
  /** Named tensors in, named tensors out, binary on the wire. */
  infer<Name extends keyof Models & string>(
    model: Name,
    inputs: Models[Name]["inputs"],
    options?: InferOptions,
  ): Promise<ResponseOf<Models[Name]>>;
  /**
   * Inputs one after the other over one WebSocket, their responses in the same order: of a model with a state, one sequence. The first request that
   * fails ends it, and so does who stops reading. Browsers send none of the client's headers with it. Nothing is asked twice.
   */
  stream<Name extends keyof Models & string>(
    model: Name,
    inputs: AsyncIterable<Models[Name]["inputs"]> | Iterable<Models[Name]["inputs"]>,
    options?: StreamOptions,
  ): AsyncGenerator<ResponseOf<Models[Name]>, void, undefined>;
  /**
   * Values in, values out, as JSON: nested lists, or an object of them by input name. What else a model takes, such as a picture, goes as it is: a
   * Blob with its type, or bytes.
   */
  predict(model: string, input: unknown, options?: CallOptions): Promise<unknown>;
  metadata(model: string, options?: CallOptions): Promise<ModelMetadata>;
  /** Whether a server is ready to answer; false as well when none can be reached. */
  isReady(options?: CallOptions): Promise<boolean>;
  /** Cancels what is in flight; later calls fail. */
  close(): void;
}
