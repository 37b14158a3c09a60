import type { Clock } from "../../base/clock.ts";
import { once } from "../../base/once.ts";
import type { Inference } from "../../infer/inference.ts";
import type { GrpcMethod } from "./grpc-call.ts";
import { unaryMethod } from "./unary-method.ts";

/** Who asks for these asks for the server, not for its models. */
const PROBES: ReadonlySet<string> = new Set(["ServerLive", "ServerReady"]);
const SERVICE = "/inference.GRPCInferenceService";

/** The methods of the Open Inference Protocol that are about the server and its models. Their codec loads at the first call. */
export function serverMethods(inference: Inference, clock: Clock): GrpcMethod[] {
  const handlers = once(async () => (await import("./server-handlers.ts")).serverHandlers(inference, clock));
  const names = [
    "ServerLive",
    "ServerReady",
    "ModelReady",
    "ServerMetadata",
    "ModelMetadata",
    "ModelConfig",
    "ModelStatistics",
    "RepositoryIndex",
  ] as const;
  return names.map((name) => ({
    ...unaryMethod(`${SERVICE}/${name}`, async (bytes) => (await handlers())[name](bytes)),
    needs: PROBES.has(name) ? "nothing" : "infer",
  }));
}
