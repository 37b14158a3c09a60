// Judges one model of the zoo in a process of its own, so that a native crash costs one verdict. Argument: its folder.
import { judgeModel, type Verdict } from "./judge-model.ts";
import { readZooModel } from "./zoo-case.ts";

const folder = process.argv[2] ?? "";
const { model, blob } = readZooModel(folder);

function judge(file: string, absent: string | undefined): Promise<Verdict> | Verdict {
  if (absent !== undefined) return { kind: "absent", reason: absent };
  return judgeModel({ file: `${folder}/${file}`, cases: model.cases, blob });
}

const exported = await judge("program.pt2", model.exportError);
const traced = await judge("traced.pt", model.traceError);
console.log(JSON.stringify({ name: model.name, family: model.family, exported, traced }));
