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

/** Why a file of this kind is listed but not served, and what to do. */
export function unservableReason(kind: FileKind): string {
  return REASONS[kind];
}
