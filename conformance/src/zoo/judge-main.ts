// Judges one model of the zoo in a process of its own, so that a native crash costs one verdict. Argument: its folder.
import { parseScriptInput, type ScriptInput } from "@sconce/torch";
import { judgeModel, type Verdict } from "./judge-model.ts";
import { readZooModel } from "./zoo-case.ts";

const folder = process.argv[2] ?? "";
const { model, blob } = readZooModel(folder);

function judge(
  file: string,
  absent: string | undefined,
  inputs?: ReadonlyMap<string, ScriptInput>,
): Promise<Verdict> | Verdict {
  if (absent !== undefined) return { kind: "absent", reason: absent };
  const work = { file: `${folder}/${file}`, cases: model.cases, blob };
  return judgeModel(inputs === undefined ? work : { ...work, inputs });
}

const exported = await judge("program.pt2", model.exportError);
const traced = await judge("traced.pt", model.traceError);
const types = Object.entries(model.scriptInputs ?? {}).map(([name, text]): [string, ScriptInput] => [
  name,
  parseScriptInput(text)!,
]);
const scripted = await judge("scripted.pt", model.scriptError, new Map(types));
console.log(JSON.stringify({ name: model.name, family: model.family, exported, traced, scripted }));
