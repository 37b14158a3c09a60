import { resolveOptions } from "../../config/resolve-options.ts";
import type { Command } from "../command.ts";
import { fitLines } from "../fit-lines.ts";
import { ACCESS_OPTIONS, serverAccess } from "../server-access.ts";
import { serverUrl } from "../server-url.ts";
import { usageError } from "../usage-error.ts";
import { modelRowsText, readModelRows } from "./model-rows.ts";

const LIST_OPTIONS = {
  url: { kind: "text", default: "http://127.0.0.1:8080", doc: "The server to ask." },
  json: { kind: "flag", default: false, doc: "Print everything as JSON." },
} as const;

export const listCommand: Command = {
  name: "list",
  usage: "",
  summary:
    "Shows the models of a running server: state and reason, inputs and outputs, whether they batch, and memory.",
  tables: [LIST_OPTIONS, ACCESS_OPTIONS],
  async run(args, terminal) {
    const options = resolveOptions(LIST_OPTIONS, { flags: args.flags });
    const { url, json } = options;
    if (args.positionals.length > 0) throw usageError("expected no argument; the server is --url");
    const rows = await readModelRows(serverUrl(url), serverAccess(args, terminal));
    if (json) terminal.stdout.write(`${JSON.stringify(rows, null, 2)}\n`);
    else {
      const text = rows.length === 0 ? "the server has no model\n" : modelRowsText(rows);
      terminal.stdout.write(fitLines(text, terminal.widths?.stdout));
    }
    return 0;
  },
};
