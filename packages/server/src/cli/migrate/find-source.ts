import { existsSync, readdirSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { missingFile } from "../model-path.ts";
import { usageError } from "../usage-error.ts";

/** What is to be moved. */
export type Source =
  | { readonly kind: "torchserve"; readonly store: string | undefined; readonly config: string | undefined }
  | { readonly kind: "triton"; readonly store: string };

const PROPERTIES = "config.properties";
const ARCHIVE = /\.mar$/;

/** Finds out whose folder, or configuration, a path is. Throws a usage error for what is nobody's. */
export function findSource(path: string, tsConfig: string | undefined): Source {
  const stats = statSync(path, { throwIfNoEntry: false });
  if (stats === undefined) throw missingFile(path, "file or folder");
  if (tsConfig !== undefined && !existsSync(tsConfig)) throw missingFile(tsConfig);
  if (!stats.isDirectory()) {
    if (path.endsWith(".properties")) return { kind: "torchserve", store: undefined, config: path };
    throw usageError(`${path}: expected a folder of models, or a config.properties of TorchServe`);
  }
  const entries = readdirSync(path, { withFileTypes: true });
  const own = [tsConfig, join(path, PROPERTIES), join(dirname(path), PROPERTIES)].find(
    (file) => file !== undefined && existsSync(file),
  );
  const hasArchives = entries.some(({ name }) => ARCHIVE.test(name));
  if (hasArchives) return { kind: "torchserve", store: path, config: own };
  const folders = entries.filter((entry) => entry.isDirectory()).map(({ name }) => join(path, name));
  if (folders.some(isTritonModel)) return { kind: "triton", store: path };
  if (own !== undefined) return { kind: "torchserve", store: undefined, config: own };
  throw usageError(
    `${path} holds neither TorchServe's archives (.mar) nor models as Triton has them (NAME/config.pbtxt, NAME/1/model.onnx)`,
  );
}

function isTritonModel(folder: string): boolean {
  if (existsSync(join(folder, "config.pbtxt"))) return true;
  return readdirSync(folder).some(
    (name) =>
      /^[1-9][0-9]*$/.test(name) &&
      statSync(join(folder, name)).isDirectory() &&
      readdirSync(join(folder, name)).some((file) =>
        /^model\.(onnx|pt|plan|graphdef|py|savedmodel|xml)$/.test(file),
      ),
  );
}
