import type { DeclaredPorts } from "../base/declared-ports.ts";
import type { Instance } from "../base/instance.ts";
import type { ModelDescription, OwnSettings } from "../base/model-description.ts";
import type { TensorSpec } from "../base/signature.ts";
import type { FileStamp } from "./file-stamp.ts";

/** What to load. `file` is an absolute path that the server chose, never a client. */
export interface LoadSpec {
  readonly name: string;
  readonly version: string;
  readonly file: string;
  /** The folder that is served, without links: no file outside it is opened, whatever links say. */
  readonly root: string;
  /** The Python file that makes the model, where `file` holds no program; the same path where there are no weights either. */
  readonly codeFile?: string | undefined;
  /** Set for what surrounds a model; `file` is the model's all the same, so that both change together. */
  readonly task?: TaskLoad;
  readonly options: LoadOptions;
}

/** What surrounds a model. */
export interface TaskLoad {
  /** Such as `image-classification`. */
  readonly name: string;
  /** Absolute paths of the folders where its files may lie. */
  readonly folders: readonly string[];
  /** What the model takes and gives. */
  readonly inputs: readonly TensorSpec[];
  readonly outputs: readonly TensorSpec[];
  /** The name of the file with code of the model's own; undefined: there is none. */
  readonly handler?: string | undefined;
}

/** How to load it: the part of a model's configuration that a runtime needs. */
export interface LoadOptions {
  readonly instances: number;
  readonly threadsPerInstance: number;
  /** True: a model that more threads do not help gets one. Default: exactly `threadsPerInstance`. */
  readonly mayUseFewerThreads?: boolean;
  /** `process` (default): a crash, a hang or a leak costs one worker. `thread`: for trusted models that need the last microseconds. */
  readonly isolation: "process" | "thread";
  readonly loadTimeoutMs: number;
  readonly executionTimeoutMs: number;
  /** Kill and replace a worker whose resident memory passes this; undefined: no limit. */
  readonly memoryLimitBytes: number | undefined;
  readonly memory: "fast" | "shared";
  /** `bfloat16`: of the Python runtime, which has no `int4`. */
  readonly precision: "float32" | "bfloat16" | "float16" | "int8" | "int4";
  /** Requests may share a run although it changes their answers. Default: they may not. */
  readonly mayMixRows?: boolean;
  /** File whose tensors replace the program's weights of the same names. */
  readonly weightsFile: string | undefined;
  /** The types of a TorchScript program's arguments, such as `float32[batch, 3]`; undefined: the file says them. */
  readonly inputs: Readonly<Record<string, string>> | undefined;
  /** Other names for inputs and outputs, by the names that the file has; undefined: they keep those. */
  readonly rename?: Readonly<Record<string, string>> | undefined;
  /** What the settings of another server say of inputs and outputs. */
  readonly ports?: DeclaredPorts | undefined;
  /** Outputs that the server keeps for an input of the next request, by that input. Default: none. */
  readonly state?: Readonly<Record<string, string>> | undefined;
  /**
   * What it computes on, as `device` in model.yaml has it: `cuda:0`, or several separated by commas, which the instances share out. Default: the
   * runtime chooses.
   */
  readonly device?: string;
  /** What it computes on where that is not there; default: it is not loaded. */
  readonly deviceFallback?: "none" | "cpu";
  /** Runs before the model is ready. */
  readonly warmupRuns: number;
  /** False: the engine must not rewrite the model's graph, since a worker crashed where it did. Default: it may. */
  readonly isOptimised?: boolean;
  /** Where translations are kept from start to start; undefined: nowhere. */
  readonly translationCache?: TranslationCacheOptions | undefined;
  /** The most that the model's own file may ask for; what is undefined is not its to say. Default: nothing is. */
  readonly mayAsk?: OwnSettings;
  /** Writes down what runs spend their time on, which slows them. Default: nothing is written. */
  readonly profile?: ProfileRequest | undefined;
  /** Its workers compute when nobody else wants to. Default: like everybody. Known to the Python runtime only. */
  readonly isBackground?: boolean;
  /** Which runtime runs it. Default: the first that can. */
  readonly runtime?: "auto" | "onnx" | "python";
  /** For the Python runtime. */
  readonly python?: PythonOptions;
}

/** Asks for a profile of a model's runs, as files. */
export interface ProfileRequest {
  /** An absolute path: the files go into it. */
  readonly folder: string;
  /** Runs that come first and do not count. */
  readonly skip: number;
  /** Runs that count; after the last of them the files are complete. */
  readonly runs: number;
}

/** Where translations are kept. */
export interface TranslationCacheOptions {
  /** An absolute path. */
  readonly folder: string;
  readonly maxBytes: number;
  /** Which code made them; another release's are not used. */
  readonly release: string;
}

/** What only the Python runtime is told of a model. */
export interface PythonOptions {
  /** A program, or the folder of a virtual environment: an absolute path, or a name to be found in the search path; undefined: look for one. */
  readonly interpreter: string | undefined;
  /** Absolute paths of the model's folders: a `.venv` in one of them is its interpreter. */
  readonly folders: readonly string[];
  /** What makes the model, a class or a function of its code; undefined: the only one there is. */
  readonly class: string | undefined;
  /** What it is called with, as texts by name. */
  readonly arguments: Readonly<Record<string, string>> | undefined;
  /** The names and types of the model's outputs; undefined: a run shows them. */
  readonly outputs: Readonly<Record<string, string>> | undefined;
  /** Whether torch.compile makes code for it. Default: it does not. */
  readonly compile?: boolean;
  /** Rows of a batch, in place of what an archive says; undefined: the archive's own. */
  readonly maxBatchSize: number | undefined;
  /** Whether files may be read that run code of their own. */
  readonly allowsPickle: boolean;
  /** Of a TorchServe archive: how requests hold what its handler gets; undefined: as the archive says. */
  readonly envelope?: string | undefined;
}

/** A model in memory. */
export interface LoadedModel {
  readonly description: ModelDescription;
  readonly instances: readonly Instance[];
  /** The files that it was read from, as they were then. Default: nobody knows. */
  files?(): readonly FileStamp[];
  /** Calls `listener` whenever an instance's state changed; the returned function stops that. */
  onStateChange(listener: (instance: Instance) => void): () => void;
  /** Waits for running batches, then ends the workers. Idempotent. */
  close(): Promise<void>;
  /** Ends the workers now; running batches reject with `unavailable`. */
  destroy(reason: string): void;
}

/** How a batch becomes numbers. */
export interface Runtime {
  readonly name: "auto" | "onnx" | "python" | "js";
  /**
   * Loads and warms up a model; resolves when every instance is ready. Rejects with ServeError:
   * `failed_precondition` the file cannot be served and the message says what to do; `deadline_exceeded` too slow;
   * `not_found` the file is gone; `cancelled` the signal fired.
   */
  load(
    spec: LoadSpec,
    options: { readonly signal: AbortSignal; onProgress?(stage: string): void },
  ): Promise<LoadedModel>;
  close(): Promise<void>;
  destroy(reason: string): void;
}
