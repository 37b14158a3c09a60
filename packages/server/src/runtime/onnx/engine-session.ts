import { createRequire } from "node:module";
import { InferenceSession, type Tensor as OrtTensor } from "onnxruntime-node";

type Tensors = Readonly<Record<string, OrtTensor>>;

/** A session of ONNX Runtime. */
export interface EngineSession extends Pick<InferenceSession, "inputMetadata" | "outputMetadata"> {
  /**
   * Blocks the thread while it computes. `fetches` names the outputs, each with a tensor of the right size to compute it into, or null. Throws, or
   * rejects, with ONNX Runtime's own error.
   */
  run(feeds: Tensors, fetches: Readonly<Record<string, OrtTensor | null>>): Tensors | Promise<Tensors>;
  /** Writes down what was gathered since the session was opened, if it was opened to gather that. */
  endProfiling(): void;
  release(): Promise<void>;
}

interface NativeMetadata {
  readonly name: string;
  readonly isTensor: boolean;
  readonly symbolicDimensions: readonly string[];
  readonly shape: readonly number[];
  readonly type: number;
}

interface NativeSession {
  loadModel(path: string, options: InferenceSession.SessionOptions): void;
  loadModel(
    buffer: ArrayBufferLike,
    byteOffset: number,
    byteLength: number,
    options: InferenceSession.SessionOptions,
  ): void;
  readonly inputMetadata: readonly NativeMetadata[];
  readonly outputMetadata: readonly NativeMetadata[];
  run(feeds: object, fetches: object, options: object): Tensors;
  endProfiling(): void;
  dispose(): void;
}

interface NativeBinding {
  readonly binding: { readonly InferenceSession: new () => NativeSession };
  initOrt(): void;
}

/** Of the binding's `type`, by ONNX's numbers of element types. */
const TYPES: readonly (string | undefined)[] = [
  undefined,
  "float32",
  "uint8",
  "int8",
  "uint16",
  "int16",
  "int32",
  "int64",
  "string",
  "bool",
  "float16",
  "float64",
  "uint32",
  "uint64",
  "complex64",
  "complex128",
  "bfloat16",
  ...new Array<undefined>(4).fill(undefined),
  "uint4",
  "int4",
];
const NO_OPTIONS = {};

/**
 * The binding below the published API, whose `run` defers every run to a later turn of the event loop: a worker has no use for one. It
 * is not a promise of the package, so its version is pinned; undefined when it is not there.
 */
export function nativeBinding(): NativeBinding | undefined {
  const found = createRequire(import.meta.url)("onnxruntime-node/dist/binding.js") as Partial<NativeBinding>;
  const prototype: Partial<NativeSession> | undefined = found.binding?.InferenceSession?.prototype;
  const isWhole =
    typeof found.initOrt === "function" &&
    [prototype?.loadModel, prototype?.run, prototype?.endProfiling, prototype?.dispose].every(
      (method) => typeof method === "function",
    );
  return isWhole ? (found as NativeBinding) : undefined;
}

/** Opens a model: a path, or its bytes. Rejects with ONNX Runtime's own error. */
export async function createEngineSession(
  model: string | Uint8Array,
  options: InferenceSession.SessionOptions,
  find: typeof nativeBinding = nativeBinding,
): Promise<EngineSession> {
  const native = find();
  return native === undefined ? createPublic(model, options) : createNative(native, model, options);
}

function createNative(
  { binding, initOrt }: NativeBinding,
  model: string | Uint8Array,
  options: InferenceSession.SessionOptions,
): EngineSession {
  initOrt();
  const session = new binding.InferenceSession();
  if (typeof model === "string") session.loadModel(model, options);
  else session.loadModel(model.buffer, model.byteOffset, model.byteLength, options);
  return {
    inputMetadata: session.inputMetadata.map(publicMetadata),
    outputMetadata: session.outputMetadata.map(publicMetadata),
    run: (feeds, fetches) => session.run(feeds, fetches, NO_OPTIONS),
    endProfiling: () => session.endProfiling(),
    release: async () => session.dispose(),
  };
}

async function createPublic(
  model: string | Uint8Array,
  options: InferenceSession.SessionOptions,
): Promise<EngineSession> {
  const session =
    typeof model === "string"
      ? await InferenceSession.create(model, options)
      : await InferenceSession.create(model, options);
  return {
    inputMetadata: session.inputMetadata,
    outputMetadata: session.outputMetadata,
    run: (feeds, fetches) => session.run(feeds, fetches),
    endProfiling: () => session.endProfiling(),
    release: () => session.release(),
  };
}

function publicMetadata(value: NativeMetadata): InferenceSession.ValueMetadata {
  const { name, isTensor, symbolicDimensions } = value;
  if (!isTensor) return { name, isTensor };
  const type = TYPES[value.type];
  if (type === undefined) throw new Error(`Unsupported data type: ${value.type}`);
  const shape = value.shape.map((size, axis) => (size === -1 ? (symbolicDimensions[axis] ?? "") : size));
  // The names are those of the published API.
  return { name, isTensor, type: type as OrtTensor.Type, shape };
}
