import { type Attack, statusesOf, type Target, withoutBase64 } from "./attack.ts";
import { answerTo } from "./witness.ts";

/** What everybody may see, and what is wrong with a call before it is one. */
const OPEN =
  /GET \/(docs)? on one connection$|GET \/console, left at once$|gRPC-Web: a deadline of a thousand digits$/;
/** gRPC-Web and streams of Connect say 200, and then how the call ended. */
const NO_KEY = /grpc-status: ?16\b|"code":"unauthenticated"/;
/** Their requests are right but for the body, which nobody may look at before the key. */
const UNREAD = /^(bombs REST|long tokens JSON): /;
const UNAUTHENTICATED = 16;

/** The same attacks by somebody without a key: none may get more than a rejection, no body is worked on, and no model hears of it. */
export function asStrangers(attacks: readonly Attack[]): Attack[] {
  return attacks
    .filter(({ group }) => group !== "files" && group !== "signals")
    .map((attack) => ({
      ...attack,
      name: `${attack.name} (no key)`,
      holds: "401 before anything is done, or what any broken request gets",
      run: (target) => runAsStranger(attack, target),
    }));
}

async function runAsStranger(attack: Attack, target: Target): Promise<string> {
  const title = `${attack.group} ${attack.name}`;
  let problem = "";
  const onHeard: NonNullable<Target["onHeard"]> = (said) => {
    problem ||= "grpcStatus" in said ? judgeGrpc(said.grpcStatus) : judgeText(said.text, title);
  };
  const before = await requestsOf(target);
  // What it must find is another with a key: what it says of that counts for nothing here.
  await attack.run({ ...target, onHeard });
  return problem || ((await requestsOf(target)) === before ? "" : "a model heard of it");
}

function judgeText(text: string, title: string): string {
  const statuses = statusesOf({ text, isClosed: true });
  if (UNREAD.test(title)) {
    // Bytes that are still on their way when it closes may cost the client its answer.
    const other = statuses.find((status) => status !== 401);
    return other === undefined ? "" : `answered with ${other}`;
  }
  const success = statuses.find((status) => status < 400);
  const isEnded = /^(browser RPC|cut bodies) /.test(title) && NO_KEY.test(withoutBase64(text));
  return success === undefined || isEnded || OPEN.test(title) ? "" : `answered with ${success}`;
}

/** A status, or what happened to the stream. */
function judgeGrpc(status: string): string {
  return !/^\d+$/.test(status) || Number(status) === UNAUTHENTICATED ? "" : `gRPC status ${status}`;
}

/** Requests that the model has answered or refused. */
async function requestsOf(target: Target): Promise<number> {
  const { text } = await answerTo(target, { path: `/v2/models/${target.model}/stats` });
  const { model_stats } = JSON.parse(text) as {
    readonly model_stats: readonly {
      readonly inference_stats: Readonly<Record<"success" | "fail", { readonly count: number }>>;
    }[];
  };
  return model_stats.reduce(
    (sum, { inference_stats: { success, fail } }) => sum + success.count + fail.count,
    0,
  );
}
