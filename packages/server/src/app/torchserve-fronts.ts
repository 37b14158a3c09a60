import { randomUUID } from "node:crypto";
import type { AddressInfo, Socket } from "node:net";
import type { Clock } from "../base/clock.ts";
import type { Logger } from "../base/logger.ts";
import type { ServerConfig } from "../config/server-options.ts";
import type { GrpcEdge } from "../edge/grpc/grpc-edge.ts";
import type { Listener } from "../edge/listener.ts";
import type { RestEdge } from "../edge/rest/rest-edge.ts";
import { describeItself } from "../edge/torchserve/describe-itself.ts";
import { createTorchserveManagement } from "../edge/torchserve/management.ts";
import type { RenewToken, TorchserveApis } from "../edge/torchserve/torchserve-apis.ts";
import { createWorkflows, type WorkflowStore } from "../edge/torchserve/workflows.ts";
import type { Administration } from "../infer/administration.ts";
import type { Inference } from "../infer/inference.ts";
import {
  joinGrpcEdges,
  joinListeners,
  joinRestEdges,
  listenForTorchserve,
  type TorchserveAddresses,
  type TorchservePort,
  torchserveHosts,
  torchservePorts,
} from "./torchserve-ports.ts";

/** A port's listener, and what answers behind it. */
export interface Front {
  readonly rest: RestEdge;
  readonly grpc: GrpcEdge;
  readonly listener: Listener;
}

/** Makes the parts of more ports, like those of the first. */
export interface FrontMakers {
  /** `grpcOf`: the edge that takes the calls of gRPC which come by REST; it may be made after this one. */
  rest(torchserve: TorchserveApis | undefined, grpcOf: () => GrpcEdge): RestEdge;
  grpc(torchserve: TorchserveApis | undefined, rest: RestEdge): GrpcEdge;
  listener(onHttp1: (socket: Socket) => void, onHttp2: (socket: Socket) => void): Listener;
}

export interface TorchserveFronts {
  /** For the edges of the port that answers everything. */
  readonly main: TorchserveApis;
  /** The first front and TorchServe's own ports as one. */
  join(first: Front, makers: FrontMakers): Front;
  /** Opens TorchServe's own ports. The first one's `main` is open. */
  listen(main: AddressInfo): Promise<TorchserveAddresses>;
}

/** What `--compat torchserve` adds. Throws `invalid_argument` for ports that cannot be. */
export function createTorchserveFronts(
  config: ServerConfig,
  parts: {
    readonly inference: Inference;
    readonly administration: Administration;
    readonly clock: Clock;
    readonly logger: Logger;
    readonly renewToken: RenewToken | undefined;
    readonly workflowStore: WorkflowStore;
  },
): TorchserveFronts {
  const { renewToken } = parts;
  const ports = torchservePorts(config);
  torchserveHosts(config);
  const isOwn = (name: TorchservePort): boolean => config.port === 0 || ports[name] !== config.port;
  const workflows = createWorkflows(parts.workflowStore, parts.logger);
  const management = createTorchserveManagement(
    {
      ...parts,
      describeItself: (model, version, signal) =>
        describeItself({ ...parts, makeId: randomUUID }, [model, version], signal),
    },
    (model) => workflows.nodeOf(model),
  );
  const apis = { management, workflows, renewToken };
  const listeners = new Map<TorchservePort, Listener>();
  return {
    main: { ...apis, withManagement: !isOwn("management") || !isOwn("grpcManagement") },
    join(first, makers) {
      const managing: TorchserveApis = { ...apis, withManagement: true, only: "management" };
      const rest = {
        management: makers.rest(managing, () => grpc),
        metrics: makers.rest({ ...managing, only: "metrics" }, () => grpc),
      };
      const grpc: GrpcEdge = makers.grpc(managing, rest.management);
      const open = (name: TorchservePort, onHttp1: RestEdge, onHttp2: GrpcEdge): void => {
        if (!isOwn(name)) return;
        const listener = makers.listener(
          (socket) => onHttp1.accept(socket),
          (socket) => onHttp2.injectConnection(socket),
        );
        listeners.set(name, listener);
      };
      open("management", rest.management, grpc);
      open("metrics", rest.metrics, grpc);
      open("grpcInference", first.rest, first.grpc);
      open("grpcManagement", rest.management, grpc);
      return {
        rest: joinRestEdges([first.rest, rest.management, rest.metrics]),
        grpc: joinGrpcEdges([first.grpc, grpc]),
        listener: joinListeners([first.listener, ...listeners.values()]),
      };
    },
    listen: (main) => listenForTorchserve(listeners, config, main),
  };
}
