import type { MissingInputs } from "@sconce/torch";
import { MODEL_OPTIONS } from "../../config/model-options.ts";
import { fileKey, type OptionRow } from "../../config/option.ts";
import { shownDefault } from "../../config/option-docs.ts";
import { batchingText, portText } from "../inspect/facts-text.ts";
import type { ModelFileFacts } from "../inspect/model-file-facts.ts";

/** What is changed most, in the order of a day's work. */
const KEYS = [
  "maxBatchSize",
  "maxQueueDelayMs",
  "instances",
  "threads",
  "memory",
  "precision",
  "queueTimeoutMs",
  "executionTimeoutMs",
  "memoryLimitBytes",
  "maxQueueSize",
  "warmupRuns",
  "versionPolicy",
] as const satisfies readonly (keyof typeof MODEL_OPTIONS)[];

/** What stands where an option has no default. */
const EXAMPLES: Readonly<Record<string, string>> = {
  queueTimeoutMs: "2s",
  memoryLimitBytes: "2GiB",
  maxQueueSize: "256",
};

const WIDTH = 100;

/** A model.yaml in which every key is a comment with its default: it changes nothing until one is uncommented. */
export function modelYaml(name: string, { summary, batching, advice }: ModelFileFacts): string {
  const [input] = summary.inputs;
  const [output] = summary.outputs;
  const lines = [
    ...comment(
      `Settings of ${name} for sconce serve. Every key is optional; docs/configuration.md lists them all.`,
    ),
    ...comment(summary.detail),
    ...summary.inputs.map((port) => `#   input   ${portText(port)}`),
    ...summary.outputs.map((port) => `#   output  ${portText(port)}`),
    ...(batching === undefined ? [] : comment(`Batching is ${batchingText(batching, summary.format)}.`)),
    ...advice.flatMap(({ what, how }) => comment(`Faster: ${what}: ${how}`)),
    ...KEYS.flatMap((key) => [
      "",
      ...comment(MODEL_OPTIONS[key].doc),
      `# ${keyLine(key, MODEL_OPTIONS[key])}`,
    ]),
    ...(input === undefined
      ? []
      : [
          "",
          ...comment("Other names for inputs and outputs."),
          "# rename:",
          `#   ${quoted(input.name)}: my_input`,
        ]),
    ...(output === undefined
      ? []
      : ["", ...comment(MODEL_OPTIONS.labels.doc), "# labels:", `#   ${quoted(output.name)}: labels.txt`]),
  ];
  return `${lines.join("\n")}\n`;
}

/** For a scripted program, which does not say what it takes: the lines that it cannot do without. */
export function modelYamlOfScript(name: string, { message, example }: MissingInputs): string {
  const lines = [
    ...comment(
      `Settings of ${name} for sconce serve. Every key is optional but 'inputs'; docs/configuration.md lists them all.`,
    ),
    ...comment(message),
    `inputs: ${example}`,
  ];
  return `${lines.join("\n")}\n`;
}

function keyLine(key: keyof typeof MODEL_OPTIONS, row: OptionRow): string {
  return `${fileKey(key)}: ${EXAMPLES[key] ?? shownDefault(row)}`;
}

/** A name as YAML reads it back. */
function quoted(name: string): string {
  return /^[A-Za-z_][A-Za-z0-9_-]*$/.test(name) ? name : JSON.stringify(name);
}

function comment(text: string): string[] {
  const lines: string[] = [];
  let line = "#";
  for (const word of text.replace(/\s+/g, " ").split(" ")) {
    if (line.length + word.length + 1 > WIDTH && line !== "#") {
      lines.push(line);
      line = "#";
    }
    line += ` ${word}`;
  }
  return [...lines, line];
}
