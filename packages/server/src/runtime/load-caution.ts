import { ServeError } from "../base/errors.ts";
import { failureReason } from "../worker/worker.ts";
import type { LoadSpec } from "./runtime.ts";

/** Where the engine has the model in its hands. */
const ENGINE_STAGES: ReadonlySet<string> = new Set(["session", "warmup"]);
/** What native code ends by when it is at fault itself; an end from outside, or for want of memory, is none of these. */
const CRASH = /\bSIG(?:SEGV|FPE|ABRT|ILL)\b|\bcode (?:134|136|139|3221225477)\b/;

/** One try to load a model. */
export interface LoadAttempt {
  /** What to ask the worker for. */
  readonly spec: LoadSpec;
  /** The worker began a stage. */
  reached(stage: string): void;
  failed(error: unknown): void;
}

/**
 * What the instances of a model learned about loading it: after the engine crashed over its graph, it may not rewrite the graph any more.
 * (ONNX Runtime's optimiser has steps that end the process over some graphs which it runs without them.)
 */
export class LoadCaution {
  #isOptimised = true;

  attempt(spec: LoadSpec): LoadAttempt {
    const isOptimised = this.#isOptimised;
    let isInEngine = false;
    return {
      spec: isOptimised ? spec : { ...spec, options: { ...spec.options, isOptimised } },
      reached: (stage) => {
        isInEngine = ENGINE_STAGES.has(stage);
      },
      failed: (error) => {
        if (isInEngine && isCrash(error)) this.#isOptimised = false;
      },
    };
  }
}

function isCrash(error: unknown): boolean {
  const { reason } = ServeError.from(error);
  return reason.startsWith("worker_died") && CRASH.test(failureReason(error));
}
