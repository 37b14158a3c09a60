import type { ByteSource } from "@sconce/torch";
import { openZip } from "@sconce/torch/formats";
import { nodePlatform, openFileSource } from "@sconce/torch/node";
import { ServeError } from "../../base/errors.ts";

const MANIFEST = "MAR-INF/MANIFEST.json";
const MOST_BYTES = 2 ** 20;

/** What a TorchServe archive says of itself. */
export interface ArchiveManifest {
  /** "" where it does not say, as of all of these. */
  readonly modelName: string;
  readonly modelVersion: string;
  readonly handler: string;
  readonly serializedFile: string;
  readonly modelFile: string;
  readonly configFile: string;
  readonly requirementsFile: string;
  readonly envelope: string;
  /** `PYTHON`, `PYTHON3`, `LSP`. */
  readonly runtime: string;
}

/** What lies in an archive that is open. */
export interface ArchiveContent {
  /** A file up to 1 MiB; undefined: there is none of this name. */
  read(name: string): Buffer | undefined;
  /** A file of any size. */
  open(name: string): ByteSource | undefined;
}

/** Opens an archive for as long as `use` runs. Throws `invalid_argument` for what is none. */
export function readArchive<T>(
  path: string,
  use: (manifest: ArchiveManifest, content: ArchiveContent) => T,
): T {
  const source = openFileSource(path);
  try {
    const zip = openZip(source, nodePlatform);
    const read: ArchiveContent["read"] = (name) => {
      const entry = zip.entries.get(name);
      if (entry === undefined) return undefined;
      if (entry.byteLength > MOST_BYTES) throw bad(path, `${name} is larger than ${MOST_BYTES} bytes`);
      return Buffer.from(zip.read(name));
    };
    const text = read(MANIFEST)?.toString("utf8");
    if (text === undefined)
      throw bad(path, `there is no ${MANIFEST} in it: pack it with torch-model-archiver`);
    return use(manifestOf(path, text), {
      read,
      open: (name) => (zip.entries.has(name) ? zip.open(name) : undefined),
    });
  } catch (cause) {
    if (cause instanceof ServeError) throw cause;
    throw bad(path, cause instanceof Error ? cause.message : "it cannot be read", cause);
  } finally {
    source.close();
  }
}

function manifestOf(path: string, text: string): ArchiveManifest {
  let said: unknown;
  try {
    said = JSON.parse(text);
  } catch {
    throw bad(path, `${MANIFEST} is not JSON`);
  }
  const manifest = record(said);
  const model = record(manifest["model"]);
  const field = (from: Readonly<Record<string, unknown>>, key: string): string => {
    const value = from[key];
    return typeof value === "string" || typeof value === "number" ? String(value).slice(0, 300) : "";
  };
  return {
    modelName: field(model, "modelName"),
    modelVersion: field(model, "modelVersion"),
    handler: field(model, "handler"),
    serializedFile: field(model, "serializedFile"),
    modelFile: field(model, "modelFile"),
    configFile: field(model, "configFile"),
    requirementsFile: field(model, "requirementsFile"),
    envelope: field(model, "envelope"),
    runtime: field(manifest, "runtime"),
  };
}

function record(value: unknown): Readonly<Record<string, unknown>> {
  const isRecord = typeof value === "object" && value !== null && !Array.isArray(value);
  return isRecord ? (value as Readonly<Record<string, unknown>>) : {};
}

function bad(path: string, why: string, cause?: unknown): ServeError {
  return new ServeError("invalid_argument", `${path}: ${why}`, { cause });
}
