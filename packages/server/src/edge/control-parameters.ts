import { ServeError } from "../base/errors.ts";
import type { RequestedSettings } from "../infer/administration.ts";

/** Reads a configuration of Triton's, in JSON, as keys of model.yaml. Throws `invalid_argument`. */
export type ReadLoadConfig = (json: string) => RequestedSettings;

/** What a load request may bring beside the model's name. */
export interface LoadAllowance {
  /** Undefined: no configuration. */
  readonly readConfig: ReadLoadConfig | undefined;
  /** Files of the model. */
  readonly takesFiles: boolean;
}

/** What it brought. */
export interface LoadParameters {
  readonly settings: RequestedSettings | undefined;
  /** By their paths in the model's folder; undefined: none. */
  readonly files: ReadonlyMap<string, Uint8Array> | undefined;
}

/** What the name of a parameter begins with whose value is a file of the model. */
export const FILE_PREFIX = "file:";

/**
 * Triton's parameters of a load: `config`, and `file:…` with a file's bytes. Throws `invalid_argument` naming the parameter for what is unknown, or what the
 * operator does not allow.
 */
export function readLoadParameters(
  parameters: Iterable<readonly [name: string, value: unknown]>,
  { readConfig: read, takesFiles }: LoadAllowance,
): LoadParameters {
  let settings: RequestedSettings | undefined;
  let files: Map<string, Uint8Array> | undefined;
  for (const [name, value] of parameters) {
    if (name.startsWith(FILE_PREFIX)) {
      if (!takesFiles) {
        throw rejected(
          "file:…",
          "files are not taken from a request unless the server was started with --allow-model-upload; put them into the repository and load again",
        );
      }
      if (!(value instanceof Uint8Array)) {
        const field = `parameters.${name.slice(0, 64)}`;
        throw new ServeError("invalid_argument", `${field}: expected the bytes of a file`, {
          reason: "bad_request",
        });
      }
      files ??= new Map();
      files.set(name.slice(FILE_PREFIX.length), value);
      continue;
    }
    if (name !== "config")
      throw unknown(name, takesFiles ? "load takes config and file:… only" : "load takes config only");
    if (read === undefined) {
      throw rejected(
        name,
        "a configuration is not taken from a request unless the server was started with --allow-load-config; change model.yaml and load again",
      );
    }
    if (typeof value !== "string") {
      throw new ServeError("invalid_argument", "parameters.config: expected JSON in a string", {
        reason: "bad_request",
      });
    }
    settings = read(value);
  }
  return { settings, files };
}

/** Whether the models that a pipeline is made of go with it: `unload_dependents`. Throws `invalid_argument` for any other parameter. */
export function readUnloadParameters(parameters: Iterable<readonly [name: string, value: unknown]>): boolean {
  let withDependents = false;
  for (const [name, value] of parameters) {
    if (name !== "unload_dependents") throw unknown(name, "unload takes unload_dependents only");
    if (typeof value !== "boolean") {
      throw new ServeError("invalid_argument", "parameters.unload_dependents: expected true or false", {
        reason: "bad_request",
      });
    }
    withDependents = value;
  }
  return withDependents;
}

function rejected(name: string, why: string): ServeError {
  return new ServeError("invalid_argument", `parameters.${name}: ${why}`, {
    reason: "unsupported_extension",
  });
}

function unknown(name: string, what: string): ServeError {
  return new ServeError("invalid_argument", `parameters.${name.slice(0, 64)}: unknown; ${what}`, {
    reason: "bad_request",
  });
}
