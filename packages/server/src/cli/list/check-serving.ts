import { type Foreseen, foreseeServer } from "../../app/foresee-server.ts";
import { systemClock } from "../../base/clock.ts";
import type { Logger } from "../../base/logger.ts";
import { oneLine } from "../../base/printable.ts";
import { type Config, loadConfig } from "../../config/load-config.ts";
import { SERVER_OPTIONS } from "../../config/server-options.ts";
import { optionsWithoutEffect } from "../../config/without-effect.ts";
import type { Arguments } from "../arguments.ts";
import type { Terminal } from "../command.ts";
import { fitLines } from "../fit-lines.ts";
import { withFoundConfig } from "../found-config.ts";
import { hasStores, requirePaths } from "../model-path.ts";
import { startOwnServer } from "../own-server.ts";
import { torchserveStart } from "../torchserve-start.ts";
import { usageError } from "../usage-error.ts";
import { type ModelRow, modelRowsText, readModelRows } from "./model-rows.ts";

export interface CheckWishes {
  /** Warnings fail the check as well. */
  readonly isStrict: boolean;
  readonly isJson: boolean;
  /** Text begins with what the server would be beside its models. */
  readonly showsServer: boolean;
}

const WOULD_NOT_START = 2;

/**
 * Loads what `sconce serve` would serve with these arguments, on a server of its own that nobody else can find, and reads what its options name.
 * Writes what came of it, and resolves with the exit code: 0 all serve, 1 a model does not or there is none, 2 no server would start.
 */
export async function checkServing(
  args: Arguments,
  wishes: CheckWishes,
  terminal: Terminal,
): Promise<number> {
  const { flags } = withFoundConfig(args.flags, terminal.env);
  const torchserve = await torchserveStart({ flags, paths: args.positionals }, terminal.env);
  const { paths = args.positionals, base } = torchserve ?? {};
  if (paths.length === 0) throw usageError("expected at least one PATH: a model file, or a folder of models");
  const config = loadConfig({ flags, env: terminal.env, base });
  requirePaths(paths);
  const warnings = [...optionsWithoutEffect(config, { hasStores: hasStores(paths) })];
  const { facts, faults } = await foreseeServer(config.server, { logger: warningsInto(warnings) });
  const { rows, warnings: all } = await served(paths, ownConfig(config), { warnings, terminal });
  const failed = rows.filter(({ state }) => state !== "READY");
  const isGood =
    faults.length === 0 && rows.length > 0 && failed.length === 0 && (all.length === 0 || !wishes.isStrict);
  const counts = { models: rows.length, failed: failed.length, warnings: all.length };
  if (wishes.isJson) {
    const report = { isGood, ...counts, server: facts, faults, rows, warnings: all };
    terminal.stdout.write(`${JSON.stringify(report, null, 2)}\n`);
  } else {
    const server = wishes.showsServer ? factLines(facts) : "";
    const text = `${server}${modelRowsText(rows)}${warningLines(all)}${faultLines(faults)}${verdict({ ...counts, faults: faults.length })}`;
    terminal.stdout.write(fitLines(text, terminal.widths?.stdout));
  }
  return faults.length > 0 ? WOULD_NOT_START : isGood ? 0 : 1;
}

interface Hearing {
  /** What the server warns of comes to these. */
  readonly warnings: string[];
  readonly terminal: Terminal;
}

/** What is foreseen otherwise, or is another server's: its callers, its ports, what it tells others and remembers. */
const OWN = {
  host: "127.0.0.1",
  port: 0,
  edges: 1,
  healthAddress: undefined,
  torchserveHosts: [],
  tlsCert: undefined,
  tlsKey: undefined,
  tlsClientCa: undefined,
  tlsCrl: undefined,
  apiKeys: undefined,
  jwtKeys: undefined,
  torchserveTokens: undefined,
  adminToken: undefined,
  tenantHeader: undefined,
  corsOrigins: [],
  allowedHosts: [],
  readiness: SERVER_OPTIONS.readiness.default,
  cacheStore: undefined,
  cacheStoreCa: undefined,
  cacheStoreCert: undefined,
  cacheStoreKey: undefined,
  tracesEndpoint: undefined,
  record: undefined,
  stateDir: undefined,
  lazyLoading: false,
  modelControl: "none",
  loadModels: [],
  maxLoadedModels: undefined,
  modelMemoryBudgetBytes: undefined,
} as const;

/** The server's own, but that nobody is to reach it and that everything is loaded at once. */
function ownConfig({ server, ...others }: Config): Config {
  return { ...others, server: { ...server, ...OWN } };
}

interface Checked {
  readonly rows: readonly ModelRow[];
  readonly warnings: readonly string[];
}

async function served(
  paths: readonly string[],
  config: Config,
  { warnings, terminal }: Hearing,
): Promise<Checked> {
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

function faultLines(faults: readonly string[]): string {
  return faults.map((fault) => `error: ${oneLine(fault)}\n`).join("");
}

function factLines(facts: readonly Foreseen[]): string {
  const width = Math.max(...facts.map(({ what }) => what.length));
  return facts.map(({ what, found }) => `${what.padEnd(width)}  ${oneLine(found)}\n`).join("");
}

function warningLines(warnings: readonly string[]): string {
  return warnings.map((warning) => `warning: ${oneLine(warning)}\n`).join("");
}

interface Counts {
  readonly faults: number;
  readonly models: number;
  readonly failed: number;
  readonly warnings: number;
}

function verdict({ faults, models, failed, warnings }: Counts): string {
  const start = faults === 0 ? "" : "; a server with these options would not start";
  if (models === 0) return `no model was found${start}\n`;
  const all = models === 1 ? "1 model" : `${models} models`;
  const noted = warnings === 0 ? "" : `, ${warnings} ${warnings === 1 ? "warning" : "warnings"}`;
  return `${all}: ${failed === 0 ? "all serve" : `${failed} cannot be served`}${noted}${start}\n`;
}
