import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileKey } from "../config/option.ts";
import type { Arguments } from "./arguments.ts";
import type { TorchserveWishes } from "./torchserve/torchserve-wishes.ts";

type Env = Readonly<Record<string, string | undefined>>;

/** What TorchServe looks for in the current folder. */
const FOUND = "config.properties";
const NONE = "none";

/**
 * Reads the config.properties that is named, or found where `--compat torchserve` is asked for; undefined: there is none. Throws `invalid_argument` for one that cannot
 * be followed.
 */
export async function torchserveStart(
  { flags, paths }: { readonly flags: Arguments["flags"]; readonly paths: readonly string[] },
  env: Env,
): Promise<TorchserveWishes | undefined> {
  const named = flags.get("--ts-config") ?? env["SCONCE_TS_CONFIG"];
  if (named === NONE) return undefined;
  if (typeof named === "string") return await read(named, { flags, paths, env });
  if ((flags.get("--compat") ?? env["SCONCE_COMPAT"]) !== "torchserve") return undefined;
  const found = env["TS_CONFIG_FILE"] ?? (existsSync(FOUND) ? FOUND : undefined);
  if (found === undefined) return undefined;
  const start = await read(found, { flags, paths, env });
  return {
    ...start,
    notes: [`TorchServe's configuration is followed: ${found} (--ts-config none: not)`, ...start.notes],
  };
}

/** A sentence for a config.properties that lies in or beside what is served, where nobody looks for one. */
export function overlookedProperties(
  { flags, paths }: { readonly flags: Arguments["flags"]; readonly paths: readonly string[] },
  env: Env,
): readonly string[] {
  if ((flags.get("--compat") ?? env["SCONCE_COMPAT"]) !== "torchserve" || flags.has("--ts-config")) return [];
  const file = paths
    .flatMap((path) => [join(path, FOUND), join(dirname(path), FOUND)])
    .find((place) => existsSync(place));
  return file === undefined ? [] : [`${file} is not read: --ts-config ${file} has it followed`];
}

async function read(
  file: string,
  asked: { readonly flags: Arguments["flags"]; readonly paths: readonly string[]; readonly env: Env },
): Promise<TorchserveWishes> {
  const { readTorchserveStart } = await import("./torchserve/read-torchserve-start.ts");
  const has = (option: string): boolean =>
    asked.flags.has(`--${fileKey(option).replaceAll("_", "-")}`) ||
    asked.env[`SCONCE_${fileKey(option).toUpperCase()}`] !== undefined;
  return readTorchserveStart(file, {
    paths: asked.paths,
    env: asked.env,
    canAdminister: ["adminToken", "apiKeys", "jwtKeys"].some(has),
  });
}
