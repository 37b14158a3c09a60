import { ServeError } from "../base/errors.ts";

/**
 * Rejects what Triton's load takes as parameters: a configuration or files. What is served comes from the server's own repository,
 * never from a request. Throws `invalid_argument` naming the parameter.
 */
export function rejectLoadParameters(names: Iterable<string>): void {
  for (const name of names) {
    if (name === "config") {
      throw rejected(name, "a configuration is not taken from a request; change model.yaml and load again");
    }
    if (name.startsWith("file:")) {
      throw rejected(
        "file:…",
        "files are not taken from a request; put them into the repository and load again",
      );
    }
    throw unknown(name, "load takes no parameters");
  }
}

/** Takes `unload_dependents`, which changes nothing here (no model depends on another), and nothing else. */
export function checkUnloadParameters(parameters: Iterable<readonly [name: string, value: unknown]>): void {
  for (const [name, value] of parameters) {
    if (name !== "unload_dependents") throw unknown(name, "unload takes unload_dependents only");
    if (typeof value !== "boolean") {
      throw new ServeError("invalid_argument", "parameters.unload_dependents: expected true or false", {
        reason: "bad_request",
      });
    }
  }
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
