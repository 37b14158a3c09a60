import { systemClock } from "../../base/clock.ts";
import type { Logger } from "../../base/logger.ts";
import { oneLine } from "../../base/printable.ts";
import { cacheStoreAddressOf } from "../../config/cache-store-address.ts";
import { type BaseConfig, type Config, loadConfig } from "../../config/load-config.ts";
import { MODEL_OPTIONS } from "../../config/model-options.ts";
import { resolveOptions } from "../../config/resolve-options.ts";
import { SERVER_OPTIONS } from "../../config/server-options.ts";
import type { Arguments } from "../arguments.ts";
import type { Command, Terminal } from "../command.ts";
import { fitLines } from "../fit-lines.ts";
import { withFoundConfig } from "../found-config.ts";
import { requirePaths } from "../model-path.ts";
import { startOwnServer } from "../own-server.ts";
import { torchserveStart } from "../torchserve-start.ts";
import { usageError } from "../usage-error.ts";
import { type ModelRow, modelRowsText, readModelRows } from "./model-rows.ts";

const CHECK_OPTIONS = {
  strict: { kind: "flag", default: false, doc: "Warnings fail the check as well." },
  json: { kind: "flag", default: false, doc: "Print everything as JSON." },
} as const;

export const checkCommand: Command = {
  name: "check",
  usage: "PATH|ADDRESS…",
  summary:
    "Loads every model as sconce serve would with the same options, runs it once, and ends: with 0 when all serve, else with 1. For CI.",
  tables: [CHECK_OPTIONS, SERVER_OPTIONS, MODEL_OPTIONS],
  async run(args, terminal) {
    const options = resolveOptions(CHECK_OPTIONS, { flags: args.flags });
    const own = new Map([...args.flags].filter(([flag]) => flag !== "--strict" && flag !== "--json"));
    const { flags } = withFoundConfig(own, terminal.env);
    const torchserve = await torchserveStart({ flags, paths: args.positionals }, terminal.env);
    const { paths = args.positionals, base } = torchserve ?? {};
    if (paths.length === 0) {
      throw usageError("expected at least one PATH: a model file, or a folder of models");
    }
    requirePaths(paths);
    const { rows, warnings } = await served(paths, configOf({ flags, base }, terminal), terminal);
    const failed = rows.filter(({ state }) => state !== "READY");
    const isGood = rows.length > 0 && failed.length === 0 && (warnings.length === 0 || !options.strict);
    const counts = { models: rows.length, failed: failed.length, warnings: warnings.length };
    if (options.json)
      terminal.stdout.write(`${JSON.stringify({ isGood, ...counts, rows, warnings }, null, 2)}\n`);
    else {
      const text = `${modelRowsText(rows)}${warningLines(warnings)}${verdict(counts)}`;
      terminal.stdout.write(fitLines(text, terminal.widths?.stdout));
    }
    return isGood ? 0 : 1;
  },
};

/** The server's own, but that nobody is to reach it and that everything is loaded at once. */
function configOf(
  { flags, base }: { readonly flags: Arguments["flags"]; readonly base: BaseConfig | undefined },
  { env }: Terminal,
): Config {
  const { server, ...others } = loadConfig({ flags, env, base });
  cacheStoreAddressOf(server);
  const own = {
    host: "127.0.0.1",
    port: 0,
    healthAddress: undefined,
    torchserveHosts: [],
    apiKeys: undefined,
    jwtKeys: undefined,
    torchserveTokens: undefined,
    cacheStore: undefined,
    lazyLoading: false,
    modelControl: "none",
    loadModels: [],
    maxLoadedModels: undefined,
    modelMemoryBudgetBytes: undefined,
  } as const;
  return { ...others, server: { ...server, ...own } };
}

interface Checked {
  readonly rows: readonly ModelRow[];
  readonly warnings: readonly string[];
}

async function served(paths: readonly string[], config: Config, terminal: Terminal): Promise<Checked> {
  const warnings: string[] = [];
  const running = await startOwnServer({
    config,
    paths,
    logger: warningsInto(warnings),
    clock: systemClock,
    random: Math.random,
  });
  try {
    terminal.progress?.(`loading what is in ${paths.join(", ")}`);
    await running.settled;
    const rows = await readModelRows(running.url);
    terminal.progress?.();
    const said = rows.map(({ reason }) => reason).filter((reason) => reason !== "");
    return { rows, warnings: warnings.filter((warning) => !said.some((reason) => warning.includes(reason))) };
  } finally {
    await running.stop();
  }
}

/** Keeps what the server warns of; what it says of models that fail is in their rows, and that this machine is slow is none of their faults. */
function warningsInto(warnings: string[], fields: Readonly<Record<string, unknown>> = {}): Logger {
  const keep = (more: object, message: string): void => {
    const { model, err, stalledMs } = { ...fields, ...more } as Readonly<Record<string, unknown>>;
    if (err === undefined && stalledMs === undefined)
      warnings.push(`${model === undefined ? "" : `${String(model)}: `}${message}`);
  };
  return {
    debug() {},
    info() {},
    warn: keep,
    error() {},
    child: (more) => warningsInto(warnings, { ...fields, ...more }),
  };
}

function warningLines(warnings: readonly string[]): string {
  return warnings.map((warning) => `warning: ${oneLine(warning)}\n`).join("");
}

interface Counts {
  readonly models: number;
  readonly failed: number;
  readonly warnings: number;
}

function verdict({ models, failed, warnings }: Counts): string {
  if (models === 0) return "no model was found\n";
  const all = models === 1 ? "1 model" : `${models} models`;
  const noted = warnings === 0 ? "" : `, ${warnings} ${warnings === 1 ? "warning" : "warnings"}`;
  return `${all}: ${failed === 0 ? "all serve" : `${failed} cannot be served`}${noted}\n`;
}
