import { ServeError } from "../../base/errors.ts";

/** An error as TorchServe has it. */
export interface TorchserveFailure {
  readonly code: number;
  readonly type: string;
  readonly message: string;
}

/** TorchServe's names of errors, by status. */
const TYPES: ReadonlyMap<number, string> = new Map([
  [400, "BadRequestException"],
  [401, "InvalidKeyException"],
  [403, "InvalidKeyException"],
  [404, "ResourceNotFoundException"],
  [405, "MethodNotAllowedException"],
  [409, "ConflictStatusException"],
  [413, "RequestEntityTooLargeException"],
  [503, "ServiceUnavailableException"],
]);

/** An error that TorchServe has its own words for. */
export function failing(failure: TorchserveFailure): ServeError {
  return new ServeError(failure.code === 404 ? "not_found" : "failed_precondition", failure.message, {
    cause: new Worded(failure),
  });
}

class Worded {
  readonly failure: TorchserveFailure;

  constructor(failure: TorchserveFailure) {
    this.failure = failure;
  }
}

export function modelNotFound(message: string): ServeError {
  return failing({ code: 404, type: "ModelNotFoundException", message });
}

export function versionNotFound(message: string): ServeError {
  return failing(versionMissing(message));
}

function modelMissing(model: string): TorchserveFailure {
  return { code: 404, type: "ModelNotFoundException", message: `Model not found: ${model}` };
}

function versionMissing(message: string): TorchserveFailure {
  return { code: 404, type: "ModelVersionNotFoundException", message };
}

/** What of a request an error is about. */
export interface Asked {
  readonly model: string | undefined;
  /** The one asked for, of a model that is there. */
  readonly version: string | undefined;
  /** The model is on disk, and nobody registered it. */
  readonly isUnregistered: boolean;
}

export const NOTHING_ASKED: Asked = { model: undefined, version: undefined, isUnregistered: false };

/** How TorchServe says an error. `status`: of HTTP, as this server's own dialects have it. */
export function torchserveFailure(error: ServeError, status: number, asked: Asked): TorchserveFailure {
  const { reason, message, cause } = error;
  if (cause instanceof Worded) return cause.failure;
  if (reason === "model_failed")
    return { code: 503, type: "InternalServerException", message: "Prediction failed" };
  if (reason === "no_such_url")
    return named(404, "Requested resource is not found, please refer to API document.");
  if (reason === "method_not_allowed")
    return named(405, "Requested method is not allowed, please refer to API document.");
  // A full queue is what TorchServe calls "unavailable".
  return missing(error, asked) ?? named(status === 429 ? 503 : status, message);
}

function named(code: number, message: string): TorchserveFailure {
  return { code, type: TYPES.get(code) ?? "InternalServerException", message };
}

function missing(
  { code, reason }: ServeError,
  { model, version, isUnregistered }: Asked,
): TorchserveFailure | undefined {
  const isMissing = code === "not_found" || (reason === "model_not_ready" && isUnregistered);
  if (!isMissing || model === undefined) return undefined;
  if (version === undefined || isUnregistered) return modelMissing(model);
  return versionMissing(`Model version: ${version} does not exist for model: ${model}`);
}
