import type { RestCall } from "../call/rest-call.ts";
import type { Route, RouteParams } from "../call/route.ts";

/** The services that answer, under their full names. */
export const RPC_SERVICES = [
  "inference.GRPCInferenceService",
  "sconce.v1.ModelServing",
  "grpc.health.v1.Health",
] as const;

/** gRPC's methods for clients that cannot speak gRPC, such as browsers: gRPC-Web and Connect. Their code loads at the first call. */
export function rpcRoutes(): readonly Route[] {
  return RPC_SERVICES.map((service) => ({
    method: "POST",
    urls: [`/${service}/:method`],
    isInPieces: true,
    // The call goes on as one of gRPC, which asks who calls and knows what each method needs.
    needs: "nothing",
    run: (call, params) => runMethod(call, service, params),
  }));
}

async function runMethod(call: RestCall, service: string, { method = "" }: RouteParams): Promise<void> {
  const { runRpc } = await import("./run-rpc.ts");
  await runRpc(call, { service, method });
}
