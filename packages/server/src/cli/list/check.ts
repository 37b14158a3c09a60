import { MODEL_OPTIONS } from "../../config/model-options.ts";
import { resolveOptions } from "../../config/resolve-options.ts";
import { SERVER_OPTIONS } from "../../config/server-options.ts";
import type { Command } from "../command.ts";
import { checkServing } from "./check-serving.ts";

const CHECK_OPTIONS = {
  strict: { kind: "flag", default: false, doc: "Warnings fail the check as well." },
  json: { kind: "flag", default: false, doc: "Print everything as JSON." },
} as const;

export const checkCommand: Command = {
  name: "check",
  usage: "PATH|ADDRESS…",
  summary:
    "Loads every model as sconce serve would with the same options, runs it once, reads what the options name, and ends: with 0 when all serve, with 1 when a model does not, with 2 when no server would start. For CI.",
  tables: [CHECK_OPTIONS, SERVER_OPTIONS, MODEL_OPTIONS],
  run(args, terminal) {
    const { strict: isStrict, json: isJson } = resolveOptions(CHECK_OPTIONS, { flags: args.flags });
    const flags = new Map([...args.flags].filter(([flag]) => flag !== "--strict" && flag !== "--json"));
    return checkServing({ ...args, flags }, { isStrict, isJson, showsServer: false }, terminal);
  },
};
