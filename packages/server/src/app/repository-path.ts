import { existsSync } from "node:fs";
import { isModelName } from "../models/model-candidate.ts";
import type { RepositoryPath } from "../models/repository.ts";

/** `PATH`, or `NAME=PATH` for one model under a name of the operator's choice. A path that is there is a path, whatever it is called. */
export function repositoryPath(text: string): RepositoryPath {
  const at = text.indexOf("=");
  if (at <= 0 || existsSync(text)) return { path: text };
  const [name, path] = [text.slice(0, at), text.slice(at + 1)];
  return isModelName(name) && path !== "" ? { path, name } : { path: text };
}
