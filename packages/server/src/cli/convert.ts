import { resolveOptions } from "../config/resolve-options.ts";
import type { Command } from "./command.ts";
import { inputAndOutput } from "./input-and-output.ts";
import { openModel } from "./open-model.ts";
import { withOutputDraft } from "./output-draft.ts";
import { sizeText } from "./size-text.ts";
import { STATED_INPUTS, statedInputs } from "./stated-inputs.ts";
import { writeOnnx } from "./write-onnx.ts";

const CONVERT_OPTIONS = {
  output: {
    kind: "text",
    default: null,
    doc: "The ONNX file to write (-o). Weights past 2 GiB go into a file beside it.",
  },
} as const;

export const convertCommand: Command = {
  name: "convert",
  usage: "FILE -o OUT.onnx",
  summary:
    "Translates a .pt2 or TorchScript file into a self-contained ONNX file, or lists every op that stands against it.",
  tables: [CONVERT_OPTIONS, STATED_INPUTS],
  async run(args, terminal) {
    const { output } = resolveOptions(CONVERT_OPTIONS, { flags: args.flags });
    const paths = inputAndOutput(args, output);
    terminal.progress?.(`reading and translating ${paths.input}`);
    const model = openModel(paths.input, statedInputs(args));
    try {
      terminal.progress?.();
      for (const warning of model.warnings) terminal.stderr.write(`warning: ${warning}\n`);
      terminal.progress?.(`writing ${paths.output}`);
      const files = await withOutputDraft(paths.output, async (draft) => ({
        keep: true,
        value: writeOnnx(draft, model.model, model).files,
      }));
      terminal.progress?.();
      for (const file of files) terminal.stdout.write(`${file.name}  ${sizeText(file.byteLength)}\n`);
      return 0;
    } finally {
      model.close();
    }
  },
};
