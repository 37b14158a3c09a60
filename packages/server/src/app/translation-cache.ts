import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { DiskCache } from "../base/disk-cache.ts";
import type { Logger } from "../base/logger.ts";
import type { ServerConfig } from "../config/server-options.ts";
import type { TranslationCacheOptions } from "../runtime/runtime.ts";
import { usualCacheFolder } from "./cache-folder.ts";
import { VERSION } from "./version.ts";

/** The value of the option that keeps nothing. */
const OFF = "off";
/** What the compiler notes of the sources it read: there in a checkout, and in no published package. */
const BUILD_NOTES = ["server", "torch"].map((name) =>
  fileURLToPath(new URL(`../../../${name}/tsconfig.tsbuildinfo`, import.meta.url)),
);

/** Where `sconce serve` keeps translations unless it is told otherwise; `off` for a user without a home. */
export function usualTranslationFolder(env: Readonly<Record<string, string | undefined>>): string {
  const caches = usualCacheFolder(env);
  return caches === undefined ? OFF : join(caches, "translations");
}

/** Where translations are kept; undefined: nowhere, and the log says why where somebody may wonder. */
export function translationCacheOf(
  { translationCache = OFF, translationCacheSizeBytes: maxBytes }: ServerConfig,
  logger: Logger,
): TranslationCacheOptions | undefined {
  if (translationCache === OFF) return undefined;
  const folder = resolve(translationCache);
  const fault = new DiskCache({ folder, maxBytes }).fault();
  if (fault === undefined) return { folder, maxBytes, release: release() };
  logger.warn(
    { folder },
    `translations of models are not kept: the folder for them ${fault}; --translation-cache names another one, or off`,
  );
  return undefined;
}

/** Whether the folder holds anything yet. */
export function hasTranslations({ folder }: TranslationCacheOptions): boolean {
  try {
    return readdirSync(folder).length > 0;
  } catch {
    return false;
  }
}

/** The version; in a checkout also which sources it was built from. */
function release(): string {
  const hash = createHash("sha256");
  try {
    for (const path of BUILD_NOTES) hash.update(readFileSync(path));
  } catch {
    return VERSION;
  }
  return `${VERSION} ${hash.digest("hex")}`;
}
