import { register } from "node:module";
import { dirname } from "node:path";
import { pathToFileURL } from "node:url";
import type { SideFiles } from "../side-files.ts";
import { isObject, unfit } from "../side-files.ts";
import type { ModelHandler, Transform } from "./define-handler.ts";

/** Runs the code of a handler and gives what it exports. Throws `failed_precondition` with the first line of what it raises. */
export async function loadHandler(files: SideFiles, name: string): Promise<ModelHandler> {
  return checked(await exportOf(files, name), name);
}

/** The same of code between models. */
export async function loadTransform(files: SideFiles, name: string): Promise<Transform> {
  const given = await exportOf(files, name);
  if (typeof given === "function") return given as Transform;
  throw unfit(
    `${name}: there is no model for it to surround; expected export default defineTransform((inputs) => outputs)`,
  );
}

async function exportOf(files: SideFiles, name: string): Promise<unknown> {
  const path = files.hold(name);
  if (path === undefined) throw unfit(`${name} is gone`);
  register(new URL("./loader-hooks.js", import.meta.url));
  let loaded: { readonly default?: unknown };
  try {
    loaded = (await import(pathToFileURL(path).href)) as { readonly default?: unknown };
  } catch (thrown) {
    throw unfit(`${name}: ${explain(thrown, path)}`, thrown);
  }
  return loaded.default;
}

function explain(thrown: unknown, path: string): string {
  const { message, code } =
    thrown instanceof Error ? (thrown as NodeJS.ErrnoException) : { message: String(thrown), code: "" };
  if (
    code === "ERR_UNKNOWN_FILE_EXTENSION" ||
    (code === "ERR_MODULE_NOT_FOUND" && /'typescript'/.test(message))
  )
    return "this version of Node does not read TypeScript: take Node 22.18 or later, install the package typescript, or write JavaScript";
  const [line = ""] = message.split("\n", 1);
  // Where the model lies is nobody's business.
  return line
    .replaceAll(`file://${dirname(path)}/`, "")
    .replaceAll(`${dirname(path)}/`, "")
    .slice(0, 200);
}

const PARTS = ["preprocess", "postprocess"];

function checked(given: unknown, name: string): ModelHandler {
  if (!isObject(given))
    throw unfit(`${name}: expected export default defineHandler({ preprocess, postprocess })`);
  const strange = Object.keys(given).find((key) => !PARTS.includes(key));
  if (strange !== undefined)
    throw unfit(`${name}: ${strange.slice(0, 80)} is unknown; there are ${PARTS.join(" and ")}`);
  for (const part of PARTS) {
    if (given[part] !== undefined && typeof given[part] !== "function")
      throw unfit(`${name}: ${part} is no function`);
  }
  return given as ModelHandler;
}
