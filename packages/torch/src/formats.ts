// What a file is, for those who do not open it: nothing of the readers and the translation is loaded with it.
export { detectFile } from "./formats/detect-file.ts";
export { detectRemoteFile, type RemoteFile } from "./formats/detect-remote-file.ts";
export {
  type FileFormat,
  formatAdvice,
  isProgram,
  isWeights,
  type ProgramFormat,
} from "./formats/file-format.ts";
