// What a file is, and what lies in a zip, for those who do not read models: nothing of the readers and the translation is loaded with it.
export { openZip, type ZipArchive } from "./archive/zip.ts";
export { detectFile } from "./formats/detect-file.ts";
export { detectRemoteFile, type RemoteFile } from "./formats/detect-remote-file.ts";
export {
  type FileFormat,
  formatAdvice,
  isProgram,
  isWeights,
  type ProgramFormat,
} from "./formats/file-format.ts";
