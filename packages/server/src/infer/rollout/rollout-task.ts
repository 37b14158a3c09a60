import { ServeError } from "../../base/errors.ts";
import type { Task, TaskRequest, TaskResponse } from "../../base/task.ts";
import { blameOf } from "./blame.ts";
import type { Rollout } from "./rollout.ts";
import type { Side } from "./rollout-request.ts";

/** What a model is for, done by one of two versions as a whole: what one makes tensors of, the other may not know how to read. */
export function rolloutTask(rollout: Rollout, stable: Task): Task {
  return {
    name: stable.name,
    async run(request) {
      const chosen = rollout.choose(request);
      const side = chosen?.side ?? "stable";
      const startMs = rollout.nowMs();
      try {
        const response = await (chosen?.served.task ?? stable).run(request);
        rollout.ended({ side, latencyMs: rollout.nowMs() - startMs });
        return response;
      } catch (thrown) {
        return await replaced(rollout, request, { side, error: ServeError.from(thrown) });
      }
    },
  };
}

/** What the old version says where the new one failed; throws where there is nobody to ask. */
async function replaced(
  rollout: Rollout,
  request: TaskRequest,
  { side, error }: { readonly side: Side; readonly error: ServeError },
): Promise<TaskResponse> {
  const blame = blameOf(error);
  const isAsked = side === "candidate" && blame !== "none" && !request.signal.aborted;
  const substitute = isAsked ? rollout.substitute()?.task : undefined;
  try {
    if (substitute === undefined) throw error;
    const response = await substitute.run(request);
    rollout.ended({ side, latencyMs: undefined, isReplaced: true });
    return response;
  } catch (thrown) {
    if (blame === "version") rollout.ended({ side, latencyMs: undefined });
    throw thrown;
  }
}
