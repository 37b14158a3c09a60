import { ServeError } from "../../../base/errors.ts";

/** What a handler throws is its model's fault, unless it says that it is the input's. */
export async function guarded<T>(part: string, run: () => Promise<T>): Promise<T> {
  try {
    return await run();
  } catch (thrown) {
    if (thrown instanceof Error && thrown.name === "InputError")
      throw new ServeError("invalid_argument", `input: ${thrown.message.slice(0, 1000)}`, {
        reason: "invalid_input",
      });
    throw new ServeError(
      "internal",
      `the model's handler failed in ${part}; the server's log has the details`,
      {
        reason: "model_failed",
        cause: thrown,
      },
    );
  }
}
