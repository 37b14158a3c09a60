// Entry of the thread that reads the files beside models; see yaml-reader.ts.
import { fstatSync, readFileSync } from "node:fs";
import { basename } from "node:path";
import { parentPort } from "node:worker_threads";
import { closeRead } from "../base/close-read.ts";
import { ServeError } from "../base/errors.ts";
import { onFile } from "../base/file-fault.ts";
import { openBelow } from "../base/open-below.ts";
import { readMlserverSettings } from "./mlserver-settings.ts";
import type { SettingsFile } from "./settings-file.ts";
import { readTritonSettings } from "./triton-settings.ts";
import { checkYamlSize, parseYaml } from "./yaml-file.ts";
import type { YamlOutcome, YamlQuestion } from "./yaml-reader.ts";

const READERS: Readonly<Record<string, (text: string, name: string) => SettingsFile>> = {
  "config.pbtxt": readTritonSettings,
  "model-settings.json": readMlserverSettings,
};

parentPort!.on("message", (question: YamlQuestion) => parentPort!.postMessage(answer(question)));

function answer({ root, path }: YamlQuestion): YamlOutcome {
  try {
    const { fd } = openBelow(root, path);
    try {
      checkYamlSize(onFile(path, () => fstatSync(fd)).size, basename(path));
      const text = onFile(path, () => readFileSync(fd, "utf8"));
      const read = READERS[basename(path)] ?? parseYaml;
      return { file: read(text, basename(path)) };
    } finally {
      closeRead(fd);
    }
  } catch (thrown) {
    const { code, reason, message } = ServeError.from(thrown);
    return { error: { code, reason, message } };
  }
}
