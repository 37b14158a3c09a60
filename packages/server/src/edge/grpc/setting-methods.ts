import { once } from "../../base/once.ts";
import type { GrpcMethod } from "./grpc-call.ts";
import type { SettingDeps } from "./setting-handlers.ts";
import { unaryMethod } from "./unary-method.ts";

const SERVICE = "/inference.GRPCInferenceService";

/** Triton's trace, logging and shared memory methods. Their codec loads at the first call. */
export function settingMethods(deps: SettingDeps): GrpcMethod[] {
  const handlers = once(async () => (await import("./setting-handlers.ts")).settingHandlers(deps));
  const names = [
    "SystemSharedMemoryStatus",
    "SystemSharedMemoryRegister",
    "SystemSharedMemoryUnregister",
    "CudaSharedMemoryStatus",
    "CudaSharedMemoryRegister",
    "CudaSharedMemoryUnregister",
    "TraceSetting",
    "LogSettings",
  ] as const;
  return names.map((name) =>
    unaryMethod(`${SERVICE}/${name}`, async (bytes) => (await handlers())[name](bytes)),
  );
}
