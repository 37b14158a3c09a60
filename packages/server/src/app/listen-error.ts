import { ServeError } from "../base/errors.ts";
import { faultCode } from "../base/file-fault.ts";

/** Where a port was to be opened, and the options that say so. */
export interface WantedPort {
  readonly host: string;
  readonly port: number;
  /** `--port` or `--health-address`. */
  readonly portOption: string;
  /** `--host` or `--health-address`. */
  readonly hostOption: string;
}

/** Why a port could not be opened, as `failed_precondition`/`cannot_listen` with what to change; other errors come back as they are. */
export function listenError(thrown: unknown, wanted: WantedPort): unknown {
  const code = faultCode(thrown);
  if (code === undefined) return thrown;
  return new ServeError("failed_precondition", words(code, wanted), {
    reason: "cannot_listen",
    cause: thrown,
  });
}

function words(code: string, { host, port, portOption, hostOption }: WantedPort): string {
  switch (code) {
    case "EADDRINUSE":
      return `${portOption}: port ${port} of ${host} is in use: end the process that has it, or choose another port`;
    case "EACCES":
    case "EPERM":
      return `${portOption}: port ${port} needs a right that this user does not have (CAP_NET_BIND_SERVICE): choose a port from 1024 on`;
    case "EADDRNOTAVAIL":
    case "EAFNOSUPPORT":
      return `${hostOption}: no interface of this machine has the address ${host}`;
    case "ENOTFOUND":
    case "EAI_AGAIN":
    case "ENODATA":
      return `${hostOption}: ${host} is neither an address nor a name that resolves to one`;
    case "EINVAL":
      return `${hostOption}: ${host} cannot be listened on; a link-local address needs its interface, as in fe80::1%eth0`;
    case "EMFILE":
    case "ENFILE":
      return `${portOption}: too many open files: raise the limit (ulimit -n)`;
    default:
      return `${portOption}: ${host} port ${port} cannot be opened: the system reports ${code}`;
  }
}
