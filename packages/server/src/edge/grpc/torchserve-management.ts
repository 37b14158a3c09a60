import { randomUUID } from "node:crypto";
import type { CancelSignal } from "../../base/call-signal.ts";
import type { Clock } from "../../base/clock.ts";
import { once } from "../../base/once.ts";
import type { Administration } from "../../infer/administration.ts";
import { describeItself } from "../torchserve/describe-itself.ts";
import type { ManagementParts, ManagementResult, TorchserveManagement } from "../torchserve/management.ts";
import type { TorchserveApis } from "../torchserve/torchserve-apis.ts";
import type { GrpcCall, GrpcMethod } from "./grpc-call.ts";
import type { RepositoryMethodsOptions } from "./repository-methods.ts";
import { unaryMethod } from "./unary-method.ts";

const SERVICE = "/org.pytorch.serve.grpc.management.ManagementAPIsService";

type Codec = typeof import("./torchserve-management-codec.ts");
type Act = (codec: Codec, bytes: Buffer, call: GrpcCall) => ManagementResult | Promise<ManagementResult>;
type AdminAct = (
  codec: Codec,
  bytes: Buffer,
  admitted: { readonly management: TorchserveManagement; readonly signal: CancelSignal },
) => ManagementResult | Promise<ManagementResult>;

/** TorchServe's management over gRPC: what reads is free, the rest is for the administrator. The codec loads at the first call. */
export function torchserveManagementMethods(
  deps: RepositoryMethodsOptions & Pick<ManagementParts, "inference" | "logger"> & { readonly clock: Clock },
  apis: TorchserveApis,
): GrpcMethod[] {
  const { administration, adminGate, authentication } = deps;
  const as = (parts: Administration): TorchserveManagement =>
    apis.management.as({
      ...deps,
      administration: parts,
      describeItself: (model, version, signal) =>
        describeItself({ ...deps, makeId: randomUUID }, [model, version], signal),
    });
  const management = as(administration);
  const codec = once(() => import("./torchserve-management-codec.ts"));
  const free = (name: string, act: Act): GrpcMethod => ({
    ...unaryMethod(`${SERVICE}/${name}`, async (bytes, call) => {
      const loaded = await codec();
      return loaded.settle(async () => act(loaded, bytes, call));
    }),
    // TorchServe's tokens for inference are not for what this service tells.
    ...(apis.renewToken !== undefined && { needs: "admin" }),
  });
  const guarded = (name: string, act: AdminAct): GrpcMethod => {
    const method = free(name, (loaded, bytes, call) => {
      const by = adminGate.admit({ authorization: call.header("authorization"), caller: call.caller });
      const audited = authentication?.audit(administration, by) ?? administration;
      return act(loaded, bytes, { management: as(audited), signal: call.signal });
    });
    return { ...method, needs: "admin" };
  };
  return [
    free("ListModels", ({ decodeList }, bytes) => management.list(decodeList(bytes))),
    free("DescribeModel", ({ decodeDescribe }, bytes, { signal }) => {
      const { model, version, isCustomized } = decodeDescribe(bytes);
      return management.describe(model, version, { isCustomized, signal });
    }),
    guarded("RegisterModel", ({ decodeRegister }, bytes, { management: own, signal }) =>
      own.register(decodeRegister(bytes), signal),
    ),
    guarded("ScaleWorker", ({ decodeScale }, bytes, { management: own, signal }) => {
      const { model, version, wishes } = decodeScale(bytes);
      return own.scale(model, version, wishes, signal);
    }),
    guarded("SetDefault", ({ decodeSetDefault }, bytes, { management: own }) => {
      const { model, version = "" } = decodeSetDefault(bytes);
      return own.setDefault(model, version);
    }),
    guarded("UnregisterModel", ({ decodeUnregister }, bytes, { management: own, signal }) => {
      const { model, version } = decodeUnregister(bytes);
      return own.unregister(model, version, signal);
    }),
  ];
}
