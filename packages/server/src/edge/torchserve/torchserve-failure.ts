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
  const { code, message } = failure;
  const cause = new Worded(failure);
  switch (code) {
    case 400:
      return new ServeError("invalid_argument", message, { cause });
    case 403:
      return new ServeError("failed_precondition", message, { cause });
    case 404:
      return new ServeError("not_found", message, { cause });
    case 409:
      return new ServeError("already_exists", message, { cause });
    case 503:
      return new ServeError("unavailable", message, { cause });
    default:
      return new ServeError("internal", message, { cause });
  }
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

function noWorkers(model: string): string {
  return `Model "${model}" has no worker to serve inference request. Please use scale workers API to add workers. If this is a sequence inference, please check if it is closed, or expired; or exceeds maxSequenceJobQueueSize`;
}

/** Where TorchServe's own clients over gRPC read which error it is: the last line of its message. */
const PACKAGES: Readonly<Record<string, string>> = {
  ModelNotFoundException: "archive.model",
  ModelVersionNotFoundException: "archive.model",
  InvalidModelVersionException: "archive.model",
};

/** An error as TorchServe says it over gRPC; one that it has no words for stays as it is. */
export function failureOverGrpc(error: ServeError): ServeError {
  const worded =
    error.reason === "model_failed" ? failing(torchserveFailure(error, 503, NOTHING_ASKED)) : error;
  if (!(worded.cause instanceof Worded)) return error;
  const { code, type, message } = worded.cause.failure;
  const place = PACKAGES[type] ?? "http";
  return failing({ code, type, message: `${message}\norg.pytorch.serve.${place}.${type}` });
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
  /** It is registered, and was scaled to no workers. */
  readonly hasNoWorkers?: boolean;
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

/** What TorchServe says of a token that is missing, wrong, expired or for another of its APIs. */
export function tokenFailure(message: string = AUTHORIZATION_FAILED): ServeError {
  return failing({ code: 400, type: "InvalidKeyException", message });
}

const AUTHORIZATION_FAILED =
  "Token Authorization failed. Token either incorrect, expired, or not provided correctly";

/** The same of a key with which tokens were to be renewed. */
export const AUTHENTICATION_FAILED: string = AUTHORIZATION_FAILED.replace("Authorization", "Authentication");

function named(code: number, message: string): TorchserveFailure {
  return { code, type: TYPES.get(code) ?? "InternalServerException", message };
}

function missing(
  { code, reason }: ServeError,
  { model, version, isUnregistered, hasNoWorkers = false }: Asked,
): TorchserveFailure | undefined {
  if (hasNoWorkers && reason === "model_not_ready") return named(503, noWorkers(model ?? ""));
  const isMissing = code === "not_found" || (reason === "model_not_ready" && isUnregistered);
  if (!isMissing || model === undefined) return undefined;
  if (version === undefined || isUnregistered) return modelMissing(model);
  return versionMissing(`Model version: ${version} does not exist for model: ${model}`);
}
