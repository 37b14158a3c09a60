import type { FileKind } from "./file-kind.ts";

/** Kinds that this release runs without PyTorch. */
export const SERVABLE_KINDS: ReadonlySet<FileKind> = new Set(["pt2", "torchscript", "onnx"]);

const EXPORT_HINT = "export the model with torch.export.export and torch.export.save, and serve the .pt2";

const REASONS: Readonly<Record<FileKind, string>> = {
  pt2: `this server does not run exported programs: convert the model to ONNX`,
  torchscript: `this server does not run TorchScript: ${EXPORT_HINT}`,
  onnx: "this server does not run ONNX files: serve the model as a .pt2",
  mar: `TorchServe archives are not served by this release: ${EXPORT_HINT}`,
  checkpoint: `this file holds weights without a program: ${EXPORT_HINT}`,
  safetensors: `this file holds weights without a program: ${EXPORT_HINT}`,
  archive: `this archive holds no PyTorch program: ${EXPORT_HINT}`,
  unknown: `the content is no model format that Sconce knows: ${EXPORT_HINT}, or serve an .onnx file`,
};

const FAULTS: Readonly<Record<string, string>> = {
  ENOENT: "it does not exist",
  EACCES: "permission denied: let the server's user read it",
  EPERM: "permission denied: let the server's user read it",
  EMFILE: "too many open files: raise the server's limit (ulimit -n)",
  ENFILE: "the machine has too many open files",
  ELOOP: "its links lead in a circle",
  EIO: "the disk reports a read error",
};

/** Why a file of this kind is listed but not served, and what to do. */
export function unservableReason(kind: FileKind): string {
  return REASONS[kind];
}

/** An error of the file system in words for the user: never a path, always its code. */
export function faultReason(error: unknown): string {
  const code = faultCode(error);
  return `it cannot be read: ${FAULTS[code] ?? `the file system reports ${code}`}`;
}

/** Node's error code, or `UNKNOWN`. */
export function faultCode(error: unknown): string {
  return error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : "UNKNOWN";
}
