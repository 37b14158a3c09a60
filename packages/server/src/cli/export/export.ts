import { existsSync, statSync } from "node:fs";
import { ServeError } from "../../base/errors.ts";
import { resolveOptions } from "../../config/resolve-options.ts";
import { findPython } from "../../runtime/python/find-python.ts";
import { pythonWorkerEnv } from "../../worker/worker-env.ts";
import type { Command } from "../command.ts";
import { missingFile } from "../model-path.ts";
import { openModel } from "../open-model.ts";
import { withOutputDraft } from "../output-draft.ts";
import { usageError } from "../usage-error.ts";
import { EXPORT_OPTIONS } from "./export-options.ts";
import { exportText } from "./export-text.ts";
import { loadSpecOf } from "./load-spec-of.ts";
import { runExport } from "./run-export.ts";

export const exportCommand: Command = {
  name: "export",
  usage: "SOURCE -o OUT.pt2",
  summary:
    "Exports a model.py with its weights, or a transformers folder, to a .pt2 with free sizes, compares it with the code, and says whether it runs without Python from then on.",
  tables: [EXPORT_OPTIONS],
  async run(args, terminal) {
    const options = resolveOptions(EXPORT_OPTIONS, { flags: args.flags });
    const [source, ...others] = args.positionals;
    if (source === undefined || others.length > 0)
      throw usageError("expected one SOURCE: the folder of a model");
    if (!existsSync(source)) throw missingFile(source, "file or folder");
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
    const report = await withOutputDraft(output, async (draft) => ({
      keep: true,
      value: await runExport(program, spec, { output: draft, env: pythonWorkerEnv(terminal.env) }),
    }));
    terminal.progress?.(`translating ${output}`);
    const blocked = whatBlocks(output);
    terminal.progress?.();
    const done = { output, bytes: statSync(output).size, report, blocked };
    terminal.stdout.write(options.json ? `${JSON.stringify(done)}\n` : exportText(done));
    return 0;
  },
};

/** Why the program does not run without Python; undefined: it does. */
function whatBlocks(file: string): string | undefined {
  try {
    openModel(file).close();
    return undefined;
  } catch (error) {
    if (error instanceof ServeError) return error.message;
    throw error;
  }
}
