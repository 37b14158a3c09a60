import { ServeError } from "../../base/errors.ts";

/** One of TorchServe's addresses, such as `http://127.0.0.1:8081`. */
interface Address {
  readonly host: string;
  readonly port: number;
  readonly isTls: boolean;
}

/** Where TorchServe listens, as keys of sconce.yaml. */
export interface ListenSettings {
  readonly host: string;
  readonly port: number;
  readonly torchserve_ports: readonly number[];
  /** Only where they are not all the same. */
  readonly torchserve_hosts?: readonly string[];
}

export interface Addresses {
  readonly settings: ListenSettings;
  readonly isTls: boolean;
  /** Some ports speak TLS and others do not. */
  readonly isMixed: boolean;
}

const ADDRESS = /^(https?):\/\/([^:^/]+|\[[0-9a-fA-F:.]+\])(?::([0-9]{1,5}))?\/?$/i;
const NAMES = ["inference_address", "management_address", "metrics_address"] as const;
const GRPC = ["grpc_inference", "grpc_management"] as const;

/** Throws `invalid_argument`/`bad_config_file` for what is no address of a port. */
export function readAddresses(properties: ReadonlyMap<string, string>, name: string): Addresses {
  const rest = NAMES.map((key, index) =>
    addressOf(properties.get(key) ?? `http://127.0.0.1:${8080 + index}`, `${key} in ${name}`),
  ) as [Address, Address, Address];
  const grpc = GRPC.map((key, index) => ({
    host: properties.get(`${key}_address`) ?? "127.0.0.1",
    port: portOf(properties.get(`${key}_port`) ?? String(7070 + index), `${key}_port in ${name}`),
  }));
  const [{ host, port, isTls }] = rest;
  const others = [...rest.slice(1), ...grpc];
  const isOneHost = others.every((other) => other.host === host);
  return {
    settings: {
      host,
      port,
      torchserve_ports: others.map((other) => other.port),
      ...(!isOneHost && { torchserve_hosts: others.map((other) => other.host) }),
    },
    isTls: rest.some((address) => address.isTls),
    isMixed: rest.some((address) => address.isTls !== isTls),
  };
}

function addressOf(text: string, label: string): Address {
  const [, scheme, host, port] = ADDRESS.exec(text.trim()) ?? [];
  if (scheme === undefined || host === undefined) {
    const advice = text.startsWith("unix:")
      ? "sockets of the file system are not listened on; give it an address such as http://127.0.0.1:8080"
      : "expected an address such as http://127.0.0.1:8080";
    throw bad(`${label}: ${advice}`);
  }
  const isTls = scheme.toLowerCase() === "https";
  const plain = host.replace(/^\[(.*)\]$/, "$1");
  return { host: plain, isTls, port: port === undefined ? (isTls ? 443 : 80) : portOf(port, label) };
}

function portOf(text: string, label: string): number {
  const port = Number(text);
  if (/^[0-9]{1,5}$/.test(text) && port <= 65_535) return port;
  throw bad(`${label}: expected a port from 0 to 65535, got ${JSON.stringify(text.slice(0, 40))}`);
}

function bad(message: string): ServeError {
  return new ServeError("invalid_argument", message, { reason: "bad_config_file" });
}
