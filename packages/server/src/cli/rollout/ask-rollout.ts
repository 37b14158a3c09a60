import { ServeError } from "../../base/errors.ts";
import { askServer, refusal, type ServerAccess, unreachable } from "../server-access.ts";

/** A start waits until the new version is loaded. */
const LIMIT_MS = 600_000;

export interface RolloutQuestion {
  readonly server: string;
  readonly model: string;
  /** What is to be done; undefined: nothing. */
  readonly parameters: Readonly<Record<string, unknown>> | undefined;
}

/** Asks a server for a model's rollout. Rejects with ServeError `unavailable` when none answers, and with what the server says against it. */
export async function askRollout(
  { server, model, parameters }: RolloutQuestion,
  access: ServerAccess,
): Promise<Readonly<Record<string, unknown>>> {
  const url = `${server}/v2/repository/models/${encodeURIComponent(model)}/rollout`;
  const question = {
    timeoutMs: LIMIT_MS,
    ...(parameters !== undefined && {
      method: "POST" as const,
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ parameters }),
    }),
  };
  const response = await askServer(url, question, access).catch((cause: unknown) => {
    throw new ServeError("unavailable", unreachable(url, cause), { cause });
  });
  const body = (await response.json().catch(() => ({}))) as Record<string, unknown>;
  if (response.ok) return body;
  const words = typeof body["error"] === "string" ? body["error"] : "nothing that is known here";
  throw new ServeError("failed_precondition", refusal(response.status, words));
}
