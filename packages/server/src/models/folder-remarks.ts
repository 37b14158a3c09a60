import { formatAdvice } from "@sconce/torch/formats";

/** Settings of other servers that are read, under our own where both are there; the first one counts. */
export const FOREIGN_SETTINGS: readonly string[] = ["config.pbtxt", "model-settings.json"];
/** Those that are not. */
const OTHER_SETTINGS: Readonly<Record<string, string>> = {
  "model-config.yaml":
    "model-config.yaml is TorchServe's and is not read outside an archive: put minWorkers as instances, batchSize as max_batch_size and the like into model.yaml",
};
const OWN_SETTINGS = "model.yaml";
const OWN_SETTINGS_TOO = "model.yml";

/** Whether a model must not be served as if this file were not there. */
export function isSettingsFile(name: string): boolean {
  const isOwn = name === OWN_SETTINGS || name === OWN_SETTINGS_TOO;
  return isOwn || FOREIGN_SETTINGS.includes(name) || Object.hasOwn(OTHER_SETTINGS, name);
}

/** What lies in a model's folder and is not used, though somebody meant it: each in a sentence that says what to do. */
export function folderRemarks(files: readonly string[], folders: readonly string[]): readonly string[] {
  const remarks = files.flatMap((name) => OTHER_SETTINGS[name] ?? []);
  if (files.includes(OWN_SETTINGS) && files.includes(OWN_SETTINGS_TOO))
    remarks.push("model.yml is not read, because there is a model.yaml: keep one of them");
  if (FOREIGN_SETTINGS.every((name) => files.includes(name)))
    remarks.push("model-settings.json is not read, because there is a config.pbtxt: keep one of them");
  for (const name of folders) {
    if (name.endsWith(".savedmodel")) remarks.push(formatAdvice("savedmodel"));
    const number = /^[vV]?0*([0-9]{1,18})$/.exec(name)?.[1];
    if (number !== undefined) remarks.push(versionRemark(name, number));
  }
  return remarks;
}

/** Servers differ on what such a folder is, so that nobody can know which one is meant. */
function versionRemark(name: string, number: string): string {
  const version = number === "0" ? "1" : number;
  return `the folder ${name} is not read, since it is not a version: rename it to a number from 1 on, such as ${version}`;
}
