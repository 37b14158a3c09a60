import type { CancelSignal } from "../base/call-signal.ts";
import type { Clock } from "../base/clock.ts";
import { ServeError } from "../base/errors.ts";
import type { InferRequest, InferResponse } from "../base/infer-request.ts";
import type { ResultReceiver } from "../base/result-receiver.ts";
import type { Signature } from "../base/signature.ts";
import type { ServedModel } from "../models/registry.ts";
import { checkClassification, classifying } from "./classification.ts";
import { compileInputCheck, type InputCheck } from "./input-check.ts";
import { compileOutputCheck, type OutputCheck } from "./output-check.ts";
import { compileOutputShapes, type Reshape } from "./reshape.ts";
import { compileResponseSize, type ResponseSize } from "./response-size.ts";
import { type ClaimCheck, compileClaimCheck } from "./size-claims.ts";
import { isTaskRequest, submitTask } from "./task/task-request.ts";

/** What is compiled once per signature. */
interface Checks {
  readonly inputs: InputCheck;
  readonly outputs: OutputCheck;
  readonly responseSize: ResponseSize;
  readonly claims: ClaimCheck | undefined;
  /** From the model's shapes of outputs to those that clients see; undefined: they are the same. */
  readonly reshape: ReadonlyMap<string, Reshape> | undefined;
}

/** Checks a request against a model's signature and submits it. Throws what is wrong with the request. */
export type CheckedSubmit = (
  served: ServedModel,
  request: InferRequest,
  receiver: ResultReceiver<InferResponse>,
) => void;

/** Compiles what it checks once per signature. */
export function createCheckedSubmit(clock: Clock): CheckedSubmit {
  const compiled = new WeakMap<Signature, Checks>();

  const checksOf = (signature: Signature): Checks => {
    const known = compiled.get(signature);
    if (known !== undefined) return known;
    const checks = {
      inputs: compileInputCheck(signature),
      outputs: compileOutputCheck(signature),
      responseSize: compileResponseSize(signature),
      claims: compileClaimCheck(signature),
      reshape: compileOutputShapes(signature),
    };
    compiled.set(signature, checks);
    return checks;
  };

  return (served, request, receiver) => {
    if (served.task !== undefined && isTaskRequest(request, served)) {
      submitTask(served.task, request, receiver);
      return;
    }
    const checks = checksOf(served.description.signature);
    const inputs = checks.inputs(request.inputs);
    const asked = request.outputs?.length === 0 ? undefined : request.outputs;
    const outputs = asked === undefined ? undefined : checks.outputs(asked);
    const broken = checks.claims?.(inputs);
    if (request.maxResponseBytes !== undefined && broken === undefined)
      checkResponseSize(checks.responseSize(inputs, outputs), request.maxResponseBytes);
    if (request.signal.aborted) throw leftError(request.signal);
    request.timeline.enqueuedMs = clock.nowMs();
    const asItIs = broken === undefined && inputs === request.inputs && outputs === request.outputs;
    const isAlone = broken !== undefined;
    const named = asked === outputs ? receiver : underNames(receiver, asked!);
    const classed = request.classify === undefined ? named : classifiedBy(served, request, named);
    const shaped = checks.reshape === undefined ? classed : inWireShapes(classed, checks.reshape);
    served.submit(
      asItIs ? request : { ...request, inputs, outputs, isAlone },
      isAlone ? blamingSizes(shaped, broken) : shaped,
    );
  };
}

/** A model that fails on sizes of which its file says that they do not occur has said so before. */
function blamingSizes(
  receiver: ResultReceiver<InferResponse>,
  broken: string,
): ResultReceiver<InferResponse> {
  return {
    resolve: (response) => receiver.resolve(response),
    reject(error) {
      const isSizes = error instanceof ServeError && error.reason === "model_failed";
      const message = `${broken}; the model fails where they differ`;
      receiver.reject(
        isSizes
          ? new ServeError("invalid_argument", message, { reason: "invalid_input", cause: error })
          : error,
      );
    },
  };
}

/** Throws when an output has no classes. The request asks for outputs by names that were checked. */
function classifiedBy(
  { description: { signature }, settings }: ServedModel,
  { classify = new Map() }: InferRequest,
  receiver: ResultReceiver<InferResponse>,
): ResultReceiver<InferResponse> {
  const wanted = new Map<string, number>();
  for (const { name, aliases = [] } of signature.outputs) {
    const count = [name, ...aliases].map((word) => classify.get(word)).find((found) => found !== undefined);
    if (count !== undefined) wanted.set(name, count);
  }
  checkClassification(wanted, signature);
  const isBatching = signature.batching.kind === "on" && settings.maxBatchSize > 1;
  return classifying(receiver, wanted, { isBatching, labels: settings.labels });
}

function inWireShapes(
  receiver: ResultReceiver<InferResponse>,
  shapes: ReadonlyMap<string, Reshape>,
): ResultReceiver<InferResponse> {
  return {
    resolve(response) {
      const outputs = response.outputs.map((output) => {
        const shape = shapes.get(output.name)?.(output.shape);
        return shape === undefined ? output : { ...output, shape };
      });
      receiver.resolve({ ...response, outputs });
    },
    reject: (error) => receiver.reject(error),
  };
}

/** Outputs go back under the names that the client asked for. */
function underNames(
  receiver: ResultReceiver<InferResponse>,
  names: readonly string[],
): ResultReceiver<InferResponse> {
  return {
    resolve(response) {
      const outputs = response.outputs.map((output, i) => ({ ...output, name: names[i] ?? output.name }));
      receiver.resolve({ ...response, outputs });
    },
    reject: (error) => receiver.reject(error),
  };
}

/** Before anything is computed that cannot be sent. */
function checkResponseSize(bytes: number, maxBytes: number): void {
  if (bytes <= maxBytes) return;
  throw new ServeError(
    "resource_exhausted",
    `the response would have ${bytes} bytes or more, and one message may have ${maxBytes} (--max-body); ask for fewer rows or outputs`,
    { reason: "response_too_large" },
  );
}

function leftError(signal: CancelSignal): ServeError {
  if (signal.reason instanceof ServeError) return signal.reason;
  return new ServeError("cancelled", "the request was cancelled", { cause: signal.reason });
}
