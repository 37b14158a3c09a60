import type { AddressInfo } from "node:net";
import { ServeError } from "../base/errors.ts";
import { hostAddress } from "../config/host-address.ts";
import type { ServerConfig } from "../config/server-options.ts";
import type { GrpcEdge } from "../edge/grpc/grpc-edge.ts";
import type { Listener } from "../edge/listener.ts";
import type { RestEdge } from "../edge/rest/rest-edge.ts";
import { listenError } from "./listen-error.ts";

/** TorchServe's ports beside the one of inference, in the order of `--torchserve-ports`. */
export const TORCHSERVE_PORTS = ["management", "metrics", "grpcInference", "grpcManagement"] as const;
export type TorchservePort = (typeof TORCHSERVE_PORTS)[number];

/** Where TorchServe's clients find what; `host:port`. */
export type TorchserveAddresses = Readonly<Record<TorchservePort, string>>;

/** Which number each port has. Throws `invalid_argument` for a list of another length, and for numbers that are none or twice. */
export function torchservePorts({
  torchservePorts: given,
  port,
}: ServerConfig): Readonly<Record<TorchservePort, number>> {
  const wanted = port === 0 ? given.map(() => 0) : given;
  const fixed = wanted.filter((number) => number !== 0 && number !== port);
  const isFit =
    wanted.length === TORCHSERVE_PORTS.length && wanted.every((number) => number >= 0 && number <= 65_535);
  if (!isFit || new Set(fixed).size < fixed.length) {
    throw new ServeError(
      "invalid_argument",
      `--torchserve-ports: expected four ports, such as 8081,8082,7070,7071, none of them twice; got ${given.join(",")}`,
      { reason: "bad_option" },
    );
  }
  const [management, metrics, grpcInference, grpcManagement] = wanted as readonly [
    number,
    number,
    number,
    number,
  ];
  return { management, metrics, grpcInference, grpcManagement };
}

/** On which address each port is. Throws `invalid_argument` for a list of another length. */
export function torchserveHosts({
  torchserveHosts: given,
  host,
}: ServerConfig): Readonly<Record<TorchservePort, string>> {
  if (given.length !== 0 && given.length !== TORCHSERVE_PORTS.length) {
    throw new ServeError(
      "invalid_argument",
      `--torchserve-hosts: expected four addresses, one for each of --torchserve-ports; got ${given.length}`,
      { reason: "bad_option" },
    );
  }
  const [management = host, metrics = host, grpcInference = host, grpcManagement = host] = given;
  return { management, metrics, grpcInference, grpcManagement };
}

/** Listens on each port that has a listener. Rejects when one cannot be had; the others may be open then. */
export async function listenForTorchserve(
  listeners: ReadonlyMap<TorchservePort, Listener>,
  config: ServerConfig,
  main: AddressInfo,
): Promise<TorchserveAddresses> {
  const ports = torchservePorts(config);
  const hosts = torchserveHosts(config);
  const shown = (address: AddressInfo): string =>
    `${address.family === "IPv6" ? `[${address.address}]` : address.address}:${address.port}`;
  const found: Partial<Record<TorchservePort, string>> = {};
  for (const name of TORCHSERVE_PORTS) {
    const listener = listeners.get(name);
    const host = hostAddress(hosts[name]);
    try {
      found[name] = shown(listener === undefined ? main : await listener.listen(host, ports[name]));
    } catch (error) {
      throw listenError(error, {
        host,
        port: ports[name],
        hostOption: config.torchserveHosts.length === 0 ? "--host" : "--torchserve-hosts",
        portOption: "--torchserve-ports",
      });
    }
  }
  return found as TorchserveAddresses; // every name was gone through
}

/** Several edges as one: what is asked of it is asked of all. Connections come in by the first. */
export function joinRestEdges(edges: readonly [RestEdge, ...RestEdge[]]): RestEdge {
  const [first] = edges;
  return {
    server: first.server,
    accept: (socket) => first.accept(socket),
    acceptRequest: (request) => first.acceptRequest(request),
    setDraining: () => edges.forEach((edge) => void edge.setDraining()),
    busyCount: () => edges.reduce((sum, edge) => sum + edge.busyCount(), 0),
    idleCount: () => edges.reduce((sum, edge) => sum + edge.idleCount(), 0),
    async close() {
      await Promise.all(edges.map((edge) => edge.close()));
    },
    destroy: () => edges.forEach((edge) => void edge.destroy()),
  };
}

/** The same for the edges of gRPC. */
export function joinGrpcEdges(edges: readonly [GrpcEdge, ...GrpcEdge[]]): GrpcEdge {
  const [first] = edges;
  return {
    injectConnection: (socket, limits) => first.injectConnection(socket, limits),
    openForeign: (call) => first.openForeign(call),
    connectionCount: () => edges.reduce((sum, edge) => sum + edge.connectionCount(), 0),
    setServing: (isServing) => edges.forEach((edge) => void edge.setServing(isServing)),
    endStreams: () => edges.forEach((edge) => void edge.endStreams()),
    async close() {
      await Promise.all(edges.map((edge) => edge.close()));
    },
    destroy: (reason) => edges.forEach((edge) => void edge.destroy(reason)),
  };
}

/** The same for listeners; it listens with the first. */
export function joinListeners(listeners: readonly [Listener, ...Listener[]]): Listener {
  const [first] = listeners;
  return {
    listen: (host, port) => first.listen(host, port),
    take: (socket) => first.take(socket),
    address: () => first.address(),
    connectionCount: () => listeners.reduce((sum, one) => sum + one.connectionCount(), 0),
    undecidedCount: () => listeners.reduce((sum, one) => sum + one.undecidedCount(), 0),
    async acceptWaiting() {
      await Promise.all(listeners.map((one) => one.acceptWaiting()));
    },
    stopAccepting: () => listeners.forEach((one) => void one.stopAccepting()),
    async close() {
      await Promise.all(listeners.map((one) => one.close()));
    },
    destroy: () => listeners.forEach((one) => void one.destroy()),
  };
}
