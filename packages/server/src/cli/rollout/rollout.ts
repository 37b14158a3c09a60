import { nearestWord } from "../../base/nearest-word.ts";
import { ROLLOUT_ACTIONS, type RolloutAction } from "../../base/rollout.ts";
import { resolveOptions } from "../../config/resolve-options.ts";
import type { Command } from "../command.ts";
import { ACCESS_OPTIONS, serverAccess } from "../server-access.ts";
import { serverUrl } from "../server-url.ts";
import { usageError } from "../usage-error.ts";
import { askRollout } from "./ask-rollout.ts";
import { ROLLOUT_OPTIONS } from "./rollout-options.ts";
import { rolloutText } from "./rollout-text.ts";

export const rolloutCommand: Command = {
  name: "rollout",
  usage: `MODEL [${ROLLOUT_ACTIONS.join("|")}]`,
  summary:
    "Shows how a running server rolls out a model's new version, or steers that: the key of SCONCE_API_KEY has to be an administrator's.",
  tables: [ROLLOUT_OPTIONS, ACCESS_OPTIONS],
  async run(args, terminal) {
    const { url, json, ...options } = resolveOptions(ROLLOUT_OPTIONS, { flags: args.flags });
    const [model, word, ...others] = args.positionals;
    if (model === undefined || others.length > 0)
      throw usageError("expected the name of a model, and what to do with its rollout");
    const parameters = parametersOf(word, options);
    const document = await askRollout(
      { server: serverUrl(url), model, parameters },
      serverAccess(args, terminal),
    );
    terminal.stdout.write(json ? `${JSON.stringify(document, null, 2)}\n` : rolloutText(document));
    return 0;
  },
};

type Options = Omit<ReturnType<typeof resolveOptions<typeof ROLLOUT_OPTIONS>>, "url" | "json">;

/** Undefined: nothing is asked but how it stands. */
function parametersOf(
  word: string | undefined,
  options: Options,
): Readonly<Record<string, unknown>> | undefined {
  const given = Object.entries({
    version: options.version,
    share: options.share,
    window: options.window,
    min_requests: options.minRequests,
    promotion: options.promotion,
  }).filter(([, value]) => value !== undefined);
  if (word === undefined) {
    if (given.length === 0) return undefined;
    throw usageError(`${flagOf(given[0]![0])} is for start; expected one of ${ROLLOUT_ACTIONS.join(", ")}`);
  }
  const action = actionOf(word);
  const allowed = action === "start" ? undefined : action === "advance" ? ["share"] : [];
  const stray = given.find(([key]) => allowed?.includes(key) === false);
  if (stray !== undefined) throw usageError(`${flagOf(stray[0])} means nothing to ${action}`);
  if (action === "start" && options.version === undefined)
    throw usageError("--version: which version is to be rolled out?");
  return { action, ...Object.fromEntries(given) };
}

function actionOf(word: string): RolloutAction {
  const action = ROLLOUT_ACTIONS.find((known) => known === word);
  if (action !== undefined) return action;
  const near = nearestWord(word, ROLLOUT_ACTIONS);
  const hint = near === undefined ? `expected one of ${ROLLOUT_ACTIONS.join(", ")}` : `did you mean ${near}?`;
  throw usageError(`unknown action ${JSON.stringify(word.slice(0, 80))}; ${hint}`);
}

function flagOf(key: string): string {
  return `--${key.replaceAll("_", "-")}`;
}
