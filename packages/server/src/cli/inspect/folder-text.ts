import type { ModelCandidate } from "../../models/model-candidate.ts";
import { sizeText } from "../size-text.ts";
import { batchingText, portText } from "./facts-text.ts";
import type { ModelFileFacts } from "./model-file-facts.ts";

/** A model that was found in a folder: what its file says, or why it cannot be served. */
export interface FoundModel extends Pick<ModelCandidate, "name" | "version" | "remark"> {
  readonly facts: ModelFileFacts | undefined;
  /** Why there are no facts; undefined where there are. */
  readonly problem: string | undefined;
  /** The models of a pipeline's steps; undefined: it is none. */
  readonly steps?: readonly string[];
}

/** The models of a folder for people, two or three lines each. */
export function folderText(found: readonly FoundModel[], problems: readonly string[]): string {
  const width = Math.max(5, ...found.map(({ name, version }) => name.length + version.length + 1));
  const lines = found.flatMap((model) => {
    const title = `${model.name} ${model.version}`.padEnd(width);
    const [first, ...others] = linesOf(model);
    return [`${title}  ${first}`, ...others.map((line) => `${" ".repeat(width)}  ${line}`)];
  });
  return [...lines, ...problems.map((problem) => `problem: ${problem}`), ""].join("\n");
}

function linesOf({ facts, problem, remark, steps }: FoundModel): string[] {
  const remarks = remark === "" ? [] : [`note: ${remark}`];
  if (steps !== undefined)
    return [
      `pipeline of ${steps.join(", ")}`,
      "sconce check loads all and shows what it takes and gives",
      ...remarks,
    ];
  if (facts === undefined) return [`cannot be served: ${problem ?? "it is no model"}`, ...remarks];
  const { summary, runtime, batching, advice } = facts;
  const ports = `${summary.inputs.map(portText).join(", ")} → ${summary.outputs.map(portText).join(", ")}`;
  return [
    `${summary.format} file, ${runtime.name === undefined ? "which nothing runs" : `run by ${runtime.name}`}, ${sizeText(summary.weightBytes)} of weights`,
    ...(summary.inputs.length === 0 ? [] : [ports]),
    ...(batching === undefined ? [runtime.why] : [`batching ${batchingText(batching, summary.format)}`]),
    ...advice.map(({ what, how }) => `faster: ${what}: ${how}`),
    ...remarks,
  ];
}
