// Asks the built server for every case of a folder and prints what differs from PyTorch. Argument: the folder.
import { startServerProcess } from "../server-process.ts";
import { askRun } from "./ask-case.ts";
import { readCases } from "./case-folder.ts";

const folder = process.argv[2] ?? "";
// One model at a time: a folder may hold hundreds.
const lazily = [
  "--lazy-loading",
  "--max-loaded-models",
  "2",
  "--readiness",
  "settled",
  "--log-level",
  "error",
];
const server = await startServerProcess([folder, ...lazily]);
let failed = 0;
let passed = 0;
try {
  for (const { name, runs } of readCases(folder)) {
    for (const [i, run] of runs.entries()) {
      const problem = await askRun(`${server.url}/v2/models/${name}`, run);
      if (problem === undefined) passed += 1;
      else {
        failed += 1;
        console.log(`${name}[${i}]: ${problem}`);
      }
    }
  }
} finally {
  await server.stop();
}
console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed > 0 ? 1 : 0;
