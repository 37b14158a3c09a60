import { ServeError } from "../base/errors.ts";
import type { RequestedSettings } from "../infer/administration.ts";

/** Reads a configuration of Triton's, in JSON, as keys of model.yaml. Throws `invalid_argument`. */
export type ReadLoadConfig = (json: string) => RequestedSettings;

/**
 * The settings that Triton's load takes as its parameter `config`; undefined: none. `read`: undefined when the operator does not allow it. Files are never
 * taken: what is served comes from the server's own repository. Throws `invalid_argument` naming the parameter.
 */
export function readLoadParameters(
  parameters: Iterable<readonly [name: string, value: unknown]>,
  read: ReadLoadConfig | undefined,
): RequestedSettings | undefined {
  let settings: RequestedSettings | undefined;
  for (const [name, value] of parameters) {
    if (name.startsWith("file:")) {
      throw rejected(
        "file:…",
        "files are not taken from a request; put them into the repository and load again",
      );
    }
    if (name !== "config") throw unknown(name, "load takes config only");
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
  return settings;
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
