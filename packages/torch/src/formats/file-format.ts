import { ModelFileError } from "../errors.ts";

/** Files that hold a program which can be served. */
export type ProgramFormat = "pt2" | "torchscript" | "onnx";

/** Files that hold tensors and no program. */
export type WeightsFormat = "checkpoint" | "safetensors";

/** What a file is, by its content. */
export type FileFormat = ProgramFormat | WeightsFormat | OtherFormat;

/** Files that are known and not read, and what is not a file of a model at all. */
export type OtherFormat =
  | "mar"
  | "aotinductor"
  | "executorch"
  | "tar-checkpoint"
  | "scikit-learn"
  | "pickle"
  | "savedmodel"
  | "keras"
  | "hdf5"
  | "tflite"
  | "coreml"
  | "tensorrt"
  | "gguf"
  | "tar"
  | "gzip"
  | "zip"
  | "large-zip"
  | "damaged-zip"
  | "git-lfs"
  | "web-page"
  | "empty"
  | "unknown";

const EXPORT = "export the model with torch.export.export and torch.export.save, and serve the .pt2";
const CONVERT = "convert the model it was made from to ONNX, and serve the .onnx";

/** One sentence for each format that is known and not read: what the file is, and what to do. */
const OTHER_FORMATS: Readonly<Record<OtherFormat, string>> = {
  mar: `the file is a TorchServe archive, whose handler is Python: serve it as it is where Python with PyTorch is installed; to do without, take the model out of it with unzip, ${EXPORT}`,
  aotinductor: `the file is an AOTInductor package, native code for one machine: ${EXPORT}`,
  executorch: `the file is an ExecuTorch program, made for one device: ${EXPORT}`,
  "tar-checkpoint": `the file is a checkpoint in PyTorch's first (tar) layout, weights without a program: load it with PyTorch, and ${EXPORT}`,
  "scikit-learn": "the file is a pickled scikit-learn model: convert it with skl2onnx, and serve the .onnx",
  pickle: `the file is a Python pickle, which only Python code can open: if it holds a PyTorch module, ${EXPORT}`,
  savedmodel:
    "the file is a TensorFlow SavedModel: convert its folder to ONNX with tf2onnx, and serve the .onnx",
  keras: "the file is a Keras model: convert it to ONNX with tf2onnx, and serve the .onnx",
  hdf5: "the file is HDF5, as Keras writes it: convert the model to ONNX with tf2onnx, and serve the .onnx",
  tflite: `the file is a TensorFlow Lite model: ${CONVERT}`,
  coreml: `the file is a Core ML model: ${CONVERT}`,
  tensorrt: "the file is a TensorRT engine, built for one kind of GPU: serve the ONNX file it was built from",
  gguf: `the file is a GGUF model: serve it with llama.cpp, or, if there is a PyTorch model behind it, ${EXPORT}`,
  tar: "the file is a tar archive: unpack it, and serve the model that is in it",
  gzip: "the file is compressed with gzip: unpack it, and serve the model that is in it",
  zip: `the file is a zip archive without a PyTorch program: ${EXPORT}`,
  "large-zip": "the file is a zip archive with more entries than a model has: serve the model that is in it",
  "damaged-zip":
    "the file is a zip archive that is truncated or damaged: copy it again, or export the model anew",
  "git-lfs": "the file is a Git LFS pointer and not the model itself: run git lfs pull",
  "web-page": "the file is a web page and not a model: download the model again",
  empty: "the file is empty: copy it again",
  unknown: `the content is not a model format that Sconce knows: ${EXPORT}, or serve an .onnx file`,
};

const WEIGHTS =
  "holds weights without a program: export the model with torch.export.export and torch.export.save, and serve the .pt2; this file can then " +
  "replace its weights";

/** Modules that were saved whole are checkpoints to whoever runs no pickle. */
const WHOLE = ". What torch.save(model) wrote takes --allow-pickle, if you trust the file";

/** Whether files of a format hold a graph to run. */
export function isProgram(format: FileFormat): format is ProgramFormat {
  return format === "pt2" || format === "torchscript" || format === "onnx";
}

/** Whether files of a format hold named tensors and no graph. */
export function isWeights(format: FileFormat): format is WeightsFormat {
  return format === "checkpoint" || format === "safetensors";
}

/** What a file without a program is and what to do about it, in one sentence. */
export function formatAdvice(format: WeightsFormat | OtherFormat): string {
  if (!isWeights(format)) return OTHER_FORMATS[format];
  return `the file ${WEIGHTS}${format === "checkpoint" ? WHOLE : ""}`;
}

/** `formatAdvice` as an error: "corrupt" when another copy of the same file would help, else "unsupported". */
export function formatError(format: WeightsFormat | OtherFormat): ModelFileError {
  const isBroken = format === "damaged-zip" || format === "empty" || format === "web-page";
  return new ModelFileError(isBroken ? "corrupt" : "unsupported", formatAdvice(format));
}
