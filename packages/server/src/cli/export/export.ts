import { existsSync } from "node:fs";
import { resolveOptions } from "../../config/resolve-options.ts";
import { findPython } from "../../runtime/python/find-python.ts";
import type { Command } from "../command.ts";
import { loadSpecOf } from "../load-spec-of.ts";
import { missingFile } from "../model-path.ts";
import { withOutputDraft } from "../output-draft.ts";
import { usageError } from "../usage-error.ts";
import { exportModel } from "./export-model.ts";
import { EXPORT_OPTIONS } from "./export-options.ts";
import { equalsCode, exportText } from "./export-text.ts";

export const exportCommand: Command = {
  name: "export",
  usage: "SOURCE -o OUT.pt2",
  summary:
    "Exports a model.py with its weights, a transformers folder, an archive of TorchServe or a TorchScript file to a .pt2 with free sizes, compares it with the code, and says whether it runs without Python from then on.",
  tables: [EXPORT_OPTIONS],
  async run(args, terminal) {
    const options = resolveOptions(EXPORT_OPTIONS, { flags: args.flags });
    const [source, ...others] = args.positionals;
    if (source === undefined || others.length > 0)
      throw usageError("expected one SOURCE: the folder or file of a model");
    if (!existsSync(source)) throw missingFile(source, "file or folder");
    if (/\.(pt2|onnx)$/i.test(source)) {
      throw usageError(`${source} is exported already; expected the folder of a model, with its code`);
    }
    const { output } = options;
    if (output === undefined) throw usageError("-o OUT.pt2 is missing");
    if (!output.endsWith(".pt2")) throw usageError(`-o: expected a file that ends with .pt2, got ${output}`);
    terminal.progress?.(`looking at ${source}`);
    const spec = await loadSpecOf(source, options.python);
    const { program } = findPython(
      spec.options.python ?? { interpreter: undefined, folders: [] },
      terminal.env["PATH"] ?? "",
    );
    terminal.progress?.(`exporting ${source}`);
    const done = await withOutputDraft(output, async (draft) => {
      const int8Output = options.int8 ? int8Name(draft) : undefined;
      const made = await exportModel({ spec, python: program, output: draft, int8Output }, terminal);
      const int8 =
        made.int8 === undefined || "why" in made.int8
          ? made.int8
          : { ...made.int8, output: int8Name(output) };
      return { keep: true, value: { ...made, output, int8 } };
    });
    terminal.progress?.();
    terminal.stdout.write(options.json ? `${JSON.stringify(done)}\n` : exportText(done));
    return equalsCode(done) ? 0 : 1;
  },
};

/** `digits-int8.onnx` of `digits.pt2`. */
function int8Name(output: string): string {
  return output.replace(/\.pt2$/, "-int8.onnx");
}
