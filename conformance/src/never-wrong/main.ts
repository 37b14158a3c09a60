// Asks the built server for every case of a folder and prints what differs from PyTorch. Argument: the folder.
import { askCases } from "./ask-cases.ts";

const { problems, passed } = await askCases(process.argv[2] ?? "");
for (const problem of problems) console.log(problem);
console.log(`${passed} passed, ${problems.length} failed`);
process.exitCode = problems.length > 0 ? 1 : 0;
