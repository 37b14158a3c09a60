import { readDirectory } from "../archive/zip-directory.ts";
import { ZIP_LIMITS } from "../archive/zip-limits.ts";
import type { ByteSource } from "../byte-source.ts";
import { ModelFileError } from "../errors.ts";
import type { FileFormat } from "./file-format.ts";

/** What a zip holds, by the names in its directory; nothing else is read. Throws ModelFileError "unreadable" only. */
export function zipFormat(source: ByteSource): FileFormat {
  try {
    return formatOfNames(readDirectory(source, ZIP_LIMITS).records.map(({ name }) => name));
  } catch (error) {
    if (!(error instanceof ModelFileError) || error.kind === "unreadable") throw error;
    return error.kind === "limit" ? "large-zip" : "damaged-zip";
  }
}

const PROGRAM = /^serialized_exported_program\.json$|(^|\/)models\/[^/]+\.json$/;
const AOT_INDUCTOR = /(^|\/)data\/aotinductor\/|\.(so|cubin|wrapper\.cpp)$/;
/** The pickles of TorchScript and torch.save lie in the archive's one folder, or in none. */
const CONSTANTS = /^([^/]*\/)?constants\.pkl$/;
const DATA = /^([^/]*\/)?data\.pkl$/;

/** Nearly all entries of a large model are weights, which tell nothing. */
const TELLING = /\.(json|pkl|pte|so|cubin|cpp|h5)$|\/aotinductor\/|archive_format$/;

function formatOfNames(all: readonly string[]): FileFormat {
  const names = all.filter((name) => TELLING.test(name));
  const has = (pattern: RegExp): boolean => names.some((name) => pattern.test(name));
  // What has handlers: of one model, or of a workflow.
  if (names.includes("MAR-INF/MANIFEST.json") || names.includes("WAR-INF/MANIFEST.json")) return "mar";
  if (has(PROGRAM)) return "pt2";
  if (has(AOT_INDUCTOR)) return "aotinductor";
  if (has(/\.pte$/)) return "executorch";
  if (has(DATA)) return has(CONSTANTS) ? "torchscript" : "checkpoint";
  if (names.includes("model.weights.h5") && names.includes("config.json")) return "keras";
  // The archives of torch.export have it even when the program is missing: what is wrong is told when the file is opened.
  return has(/(^|\/)archive_format$/) ? "pt2" : "zip";
}
