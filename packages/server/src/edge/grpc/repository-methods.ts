import { abortSignalOf } from "../../base/call-signal.ts";
import { once } from "../../base/once.ts";
import type { AdminGate } from "../../gate/admin-gate.ts";
import { checkModelName } from "../../gate/model-name.ts";
import type { Administration } from "../../infer/administration.ts";
import type { Inference } from "../../infer/inference.ts";
import type { Authentication } from "../authentication.ts";
import type { ReadLoadConfig } from "../control-parameters.ts";
import { loadModel } from "../load-model.ts";
import { unloadModels } from "../unload-models.ts";
import type { GrpcCall, GrpcMethod } from "./grpc-call.ts";
import { unaryMethod } from "./unary-method.ts";

const SERVICE = "/inference.GRPCInferenceService";

export interface RepositoryMethodsOptions {
  readonly administration: Administration;
  readonly inference: Inference;
  readonly adminGate: AdminGate;
  readonly authentication?: Authentication | undefined;
  /** Reads the configuration of a load request. Default: the operator does not allow it. */
  readonly readLoadConfig?: ReadLoadConfig | undefined;
}

/** RepositoryModelLoad and RepositoryModelUnload, for the administrator. Their codec loads at the first call. */
export function repositoryMethods({
  administration,
  inference,
  adminGate,
  authentication,
  readLoadConfig,
}: RepositoryMethodsOptions): GrpcMethod[] {
  const codec = once(() => import("./repository-codec.ts"));
  const admit = (call: GrpcCall): Administration => {
    const by = adminGate.admit({ authorization: call.header("authorization"), caller: call.caller });
    return authentication?.audit(administration, by) ?? administration;
  };
  const methods: readonly GrpcMethod[] = [
    unaryMethod(`${SERVICE}/RepositoryModelLoad`, async (bytes, call) => {
      const admitted = admit(call);
      const { decodeLoad, encodeLoaded } = await codec();
      const takesFiles = admitted.uploadModel !== undefined;
      const { name, ...wanted } = decodeLoad(bytes, { readConfig: readLoadConfig, takesFiles });
      checkModelName(name);
      await loadModel(admitted, name, { ...wanted, signal: abortSignalOf(call.signal) });
      return encodeLoaded(name);
    }),
    unaryMethod(`${SERVICE}/RepositoryModelUnload`, async (bytes, call) => {
      const admitted = admit(call);
      const { decodeUnload, encodeUnloaded } = await codec();
      const { name, withDependents } = decodeUnload(bytes);
      checkModelName(name);
      const signal = abortSignalOf(call.signal);
      await unloadModels({ administration: admitted, inference }, name, { signal, withDependents });
      return encodeUnloaded(name);
    }),
  ];
  return methods.map((method) => ({ ...method, needs: "admin" }));
}
