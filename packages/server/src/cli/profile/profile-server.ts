import { ServeError } from "../../base/errors.ts";
import { requireWritable, writeOutput } from "../output-draft.ts";
import { askServer, type ServerAccess, unreachable } from "../server-access.ts";
import { serverUrl } from "../server-url.ts";

const SLACK_MS = 30_000;

interface ServerProfile {
  readonly server: string;
  readonly seconds: number;
  /** The file to write. */
  readonly output: string;
}

/** Has a server record a CPU profile of itself, and writes it to a file. Throws ServeError. */
export async function profileServer(
  { server, seconds, output }: ServerProfile,
  access: ServerAccess,
): Promise<void> {
  requireWritable(output);
  const url = `${serverUrl(server)}/v2/profile`;
  const question = {
    method: "POST" as const,
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ seconds }),
    timeoutMs: seconds * 1000 + SLACK_MS,
  };
  const answer = await askServer(url, question, access).catch((cause: unknown) => {
    throw new ServeError("unavailable", unreachable(url, cause), { cause });
  });
  const text = await answer.text();
  if (!answer.ok)
    throw new ServeError("failed_precondition", `the server answered ${answer.status}: ${text}`);
  await writeOutput(output, text);
}
