import { once } from "../../base/once.ts";
import type { AdminGate } from "../../gate/admin-gate.ts";
import type { ManagementResult } from "../torchserve/management.ts";
import type { TorchserveApis } from "../torchserve/torchserve-apis.ts";
import type { GrpcCall, GrpcMethod } from "./grpc-call.ts";
import { unaryMethod } from "./unary-method.ts";

const SERVICE = "/org.pytorch.serve.grpc.management.ManagementAPIsService";

type Codec = typeof import("./torchserve-management-codec.ts");
type Act = (codec: Codec, bytes: Buffer, call: GrpcCall) => ManagementResult | Promise<ManagementResult>;

/** TorchServe's management over gRPC: what reads is free, the rest is for the administrator. The codec loads at the first call. */
export function torchserveManagementMethods(
  { adminGate }: { readonly adminGate: AdminGate },
  { management }: TorchserveApis,
): GrpcMethod[] {
  const codec = once(() => import("./torchserve-management-codec.ts"));
  const free = (name: string, act: Act): GrpcMethod =>
    unaryMethod(`${SERVICE}/${name}`, async (bytes, call) => {
      const loaded = await codec();
      return loaded.settle(async () => act(loaded, bytes, call));
    });
  const guarded = (name: string, act: Act): GrpcMethod =>
    free(name, (loaded, bytes, call) => {
      adminGate.admit(call.header("authorization"));
      return act(loaded, bytes, call);
    });
  return [
    free("ListModels", ({ decodeList }, bytes) => management.list(decodeList(bytes))),
    free("DescribeModel", ({ decodeDescribe }, bytes, { signal }) => {
      const { model, version, isCustomized } = decodeDescribe(bytes);
      return management.describe(model, version, { isCustomized, signal });
    }),
    guarded("RegisterModel", ({ decodeRegister }, bytes, { signal }) =>
      management.register(decodeRegister(bytes), signal),
    ),
    guarded("ScaleWorker", ({ decodeScale }, bytes, { signal }) => {
      const { model, version, wishes } = decodeScale(bytes);
      return management.scale(model, version, wishes, signal);
    }),
    guarded("SetDefault", ({ decodeSetDefault }, bytes) => {
      const { model, version = "" } = decodeSetDefault(bytes);
      return management.setDefault(model, version);
    }),
    guarded("UnregisterModel", ({ decodeUnregister }, bytes, { signal }) => {
      const { model, version } = decodeUnregister(bytes);
      return management.unregister(model, version, signal);
    }),
  ];
}
