import { existsSync } from "node:fs";
import { ServeError } from "../../base/errors.ts";
import { MODEL_OPTIONS } from "../../config/model-options.ts";
import type { OptionValues } from "../../config/option.ts";
import { flagName } from "../../config/option.ts";
import { resolveOptions } from "../../config/resolve-options.ts";
import type { Finding, Remedy } from "../../why/finding.ts";
import { findingsOf } from "../../why/findings.ts";
import type { Arguments } from "../arguments.ts";
import { loadBody } from "../bench/load-body.ts";
import { type ModelPorts, readModelPorts } from "../bench/model-ports.ts";
import { parseTarget, type Target } from "../bench/target.ts";
import type { Command } from "../command.ts";
import { looksLikePath, missingFile } from "../model-path.ts";
import { startPrivateServer } from "../private/private-server.ts";
import { ACCESS_OPTIONS, OPEN_ACCESS, type ServerAccess, serverAccess } from "../server-access.ts";
import { usageError } from "../usage-error.ts";
import { type Load, observe } from "./observe.ts";
import { type TrialBase, tryRemedy } from "./try-remedy.ts";
import { WHY_OPTIONS } from "./why-options.ts";
import { type Judged, whyText } from "./why-text.ts";

type WhyValues = OptionValues<typeof WHY_OPTIONS>;

export const whyCommand: Command = {
  name: "why",
  usage: "MODEL",
  summary:
    "Says where the time of a model's requests goes and what to change: of a running server, or of a file that it serves itself.",
  tables: [WHY_OPTIONS, ACCESS_OPTIONS, MODEL_OPTIONS],
  async run(args, terminal) {
    const options = resolveOptions(WHY_OPTIONS, { flags: args.flags });
    const { threads, warmupRuns } = resolveOptions(MODEL_OPTIONS, { flags: args.flags });
    const [path = ""] = args.positionals;
    terminal.progress?.(`reaching ${path}`);
    const reached = await reach(args, options, serverAccess(args, terminal));
    try {
      const { target } = reached;
      const ports = await portsOf(target, options);
      const load = options.load || reached.path !== undefined ? await bounded(target, options) : undefined;
      terminal.progress?.(`watching ${target.model}`);
      const evidence = await observe(
        target,
        { load, windowMs: options.windowMs },
        {
          ports,
          threads: threads === "auto" ? undefined : threads,
          // Of a server that others started nobody says.
          warmupRuns: reached.path === undefined ? undefined : warmupRuns,
        },
      );
      const found = findingsOf(evidence);
      const findings = options.try ? await tryAll(found, { reached, options, load }) : found;
      const head = `${target.model} at ${reached.path === undefined ? target.origin : "a private server"}`;
      terminal.stdout.write(
        options.json
          ? `${JSON.stringify({ model: target.model, evidence, findings })}\n`
          : whyText(head, evidence, findings),
      );
      return evidence.answered === 0 ? 1 : 0;
    } finally {
      await reached.stop();
    }
  },
};

/** What the model takes, now; of one that is loaded when its clients ask for it, later. */
async function portsOf(target: Target, { load }: WhyValues): Promise<() => Promise<ModelPorts>> {
  try {
    const ports = await readModelPorts(target);
    return async () => ports;
  } catch (thrown) {
    if (load || !/answered 503/.test(ServeError.from(thrown).message)) throw thrown;
    return () => readModelPorts(target);
  }
}

interface Reached {
  readonly target: Target;
  /** Of the file or folder that is served privately. */
  readonly path: string | undefined;
  readonly flags: Readonly<Record<string, string>>;
  stop(): Promise<void>;
}

async function reach(args: Arguments, options: WhyValues, access: ServerAccess): Promise<Reached> {
  const [model, ...others] = args.positionals;
  if (model === undefined || others.length > 0)
    throw usageError("expected one MODEL: a name on the server, or a file");
  // As with sconce predict: a name on the server that --url names, even where a folder is called so.
  const isFile = !args.flags.has("--url") && existsSync(model);
  if (!isFile && !args.flags.has("--url") && looksLikePath(model)) throw missingFile(model);
  if (!isFile) {
    if (options.try) throw usageError("--try needs MODEL to be a file, which it serves privately");
    const allowRemote = options.allowRemote || !options.load;
    const target = parseTarget(model, { url: options.url, protocol: options.protocol, allowRemote, access });
    return { target, path: undefined, flags: {}, stop: async () => {} };
  }
  const names = new Set(Object.keys(MODEL_OPTIONS).map(flagName));
  const flags = Object.fromEntries(
    [...args.flags].filter(([name]) => names.has(name)).map(([name, value]) => [name, String(value)]),
  );
  const server = await startPrivateServer(model, flags);
  const target = {
    origin: server.origin,
    model: server.model,
    version: undefined,
    protocol: options.protocol,
    access: OPEN_ACCESS,
  };
  return { target, path: model, flags, stop: server.stop };
}

async function bounded(target: Target, options: WhyValues): Promise<Load> {
  const { connections, requests, windowMs } = options;
  return { body: await loadBody(target, made(options)), connections, requests, forMs: windowMs };
}

function made({ input, rows, size }: WhyValues): TrialBase["made"] {
  return { input, rows, size, seed: 1 };
}

interface TryParts {
  readonly reached: Reached;
  readonly options: WhyValues;
  readonly load: Load | undefined;
}

async function tryAll(findings: readonly Finding[], { reached, options, load }: TryParts): Promise<Judged[]> {
  const { path, flags, target } = reached;
  if (path === undefined || load === undefined) return [...findings];
  const judged: Judged[] = [];
  for (const finding of findings) {
    const { remedy } = finding;
    if (remedy === undefined || isSaid(remedy, flags)) judged.push(finding);
    else {
      const base = { path, flags, target, load, made: made(options) };
      judged.push({ ...finding, tried: await tryRemedy(remedy, base) });
    }
  }
  return judged;
}

/** The model is served with this setting already. */
function isSaid(remedy: Remedy, flags: Readonly<Record<string, string>>): boolean {
  return (
    remedy.kind === "options" && Object.entries(remedy.flags).every(([name, value]) => flags[name] === value)
  );
}
