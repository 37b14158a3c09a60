import type { ZipArchive } from "../archive/zip.ts";
import type { Platform } from "../byte-source.ts";
import type { Program } from "../graph/ir.ts";
import { findLayout } from "./layout.ts";
import { readExportedProgram } from "./program-reader.ts";

export interface ExportedFile {
  readonly program: Program;
  /** The entry that holds example inputs, if there is one. */
  readonly samples: string | undefined;
}

/** Reads what `torch.export.save` wrote, in any layout since torch 2.1. Throws ModelFileError. */
export function readPt2(zip: ZipArchive, platform: Platform, keepsPlaces = false): ExportedFile {
  const { program, name, weights, samples } = findLayout(zip, platform);
  return { program: readExportedProgram(zip.read(program), name, { lookup: weights, keepsPlaces }), samples };
}
