import { ServeError } from "../../base/errors.ts";
import { resolveOptions } from "../../config/resolve-options.ts";
import { get, readModelPorts } from "../bench/model-ports.ts";
import type { Target } from "../bench/target.ts";
import type { Command, Terminal } from "../command.ts";
import { requireWritable, writeOutput } from "../output-draft.ts";
import { ACCESS_OPTIONS, refusal, serverAccess } from "../server-access.ts";
import { serverUrl } from "../server-url.ts";
import { usageError } from "../usage-error.ts";
import { type DescribedModel, typesText } from "./types-text.ts";

const TYPES_OPTIONS = {
  output: {
    kind: "text",
    default: null,
    doc: "The file to write (-o), such as models.d.ts. Default: the terminal.",
  },
} as const;

export const typesCommand: Command = {
  name: "types",
  usage: "URL",
  summary: "Writes TypeScript types of the models on a running server, for @sconce/client.",
  tables: [TYPES_OPTIONS, ACCESS_OPTIONS],
  async run(args, terminal) {
    const options = resolveOptions(TYPES_OPTIONS, { flags: args.flags });
    const { output } = options;
    const [url, ...others] = args.positionals;
    if (url === undefined || others.length > 0) throw usageError("expected the URL of a server");
    const { origin } = new URL(serverUrl(url, "URL"));
    if (output !== undefined) requireWritable(output);
    const text = typesText(
      origin,
      await describe({ origin, access: serverAccess(args, terminal) }, terminal),
    );
    if (output === undefined) terminal.stdout.write(text);
    else await writeOutput(output, text);
    return 0;
  },
};

/** Every model that says what it takes; the others are named on the error output. */
async function describe(
  { origin, access }: Pick<Target, "origin" | "access">,
  terminal: Terminal,
): Promise<DescribedModel[]> {
  const response = await get(`${origin}/v2/models`, access);
  const body = (await response.json().catch(() => undefined)) as
    | { readonly models?: unknown; readonly error?: unknown }
    | undefined;
  if (!response.ok && typeof body?.error === "string")
    throw new ServeError("failed_precondition", refusal(response.status, body.error));
  const names = body?.models;
  if (!Array.isArray(names)) {
    throw new ServeError("failed_precondition", `${origin} does not list its models under /v2/models`);
  }
  const models: DescribedModel[] = [];
  for (const name of names as readonly string[]) {
    try {
      models.push({ name, ...(await readModelPorts({ origin, model: name, version: undefined, access })) });
    } catch (error) {
      if (!(error instanceof ServeError)) throw error;
      terminal.stderr.write(`warning: ${name} is left out: ${error.message}\n`);
    }
  }
  return models;
}
