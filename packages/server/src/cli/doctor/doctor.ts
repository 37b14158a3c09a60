import { oneLine } from "../../base/printable.ts";
import { resolveOptions } from "../../config/resolve-options.ts";
import type { Command } from "../command.ts";
import { usageError } from "../usage-error.ts";
import { type Diagnosis, examine } from "./examine.ts";

const DOCTOR_OPTIONS = {
  python: {
    kind: "text",
    default: null,
    doc: "The interpreter to look at, as sconce serve takes it. Default: python3.",
  },
  json: { kind: "flag", default: false, doc: "Print everything as JSON." },
} as const;

export const doctorCommand: Command = {
  name: "doctor",
  usage: "",
  summary:
    "Shows what this machine has for a server: cores, memory, ONNX Runtime, PyTorch, and a sandbox for workers.",
  tables: [DOCTOR_OPTIONS],
  async run(args, terminal) {
    const { python, json } = resolveOptions(DOCTOR_OPTIONS, { flags: args.flags });
    if (args.positionals.length > 0) throw usageError("expected no argument");
    terminal.progress?.("looking at this machine");
    const diagnoses = await examine({ env: terminal.env, python });
    terminal.stdout.write(json ? `${JSON.stringify(diagnoses, null, 2)}\n` : diagnosesText(diagnoses));
    return 0;
  },
};

function diagnosesText(diagnoses: readonly Diagnosis[]): string {
  const width = Math.max(...diagnoses.map(({ what }) => what.length));
  return diagnoses
    .map(({ what, found, lacks }) => {
      const line = `${what.padEnd(width)}  ${oneLine(found)}\n`;
      return lacks === undefined ? line : `${line}${" ".repeat(width + 2)}! ${oneLine(lacks)}\n`;
    })
    .join("");
}
