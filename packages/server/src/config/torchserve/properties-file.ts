import { basename } from "node:path";
import { ServeError } from "../../base/errors.ts";
import { onFile } from "../../base/file-fault.ts";
import { readAtMostSync } from "../../base/read-at-most.ts";
import { MAX_PROPERTIES_BYTES } from "./properties-text.ts";

/** The text of a config.properties. Throws `invalid_argument`/`bad_config_file` for one that is too large, and what `onFile` throws. */
export function readPropertiesFile(path: string): string {
  const bytes = onFile(path, (file) => readAtMostSync(file, MAX_PROPERTIES_BYTES));
  if (bytes !== undefined) return bytes.toString("utf8");
  throw new ServeError("invalid_argument", `${basename(path)}: larger than ${MAX_PROPERTIES_BYTES} bytes`, {
    reason: "bad_config_file",
  });
}
