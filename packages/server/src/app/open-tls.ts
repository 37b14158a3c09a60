import type { Logger } from "../base/logger.ts";
import type { ServerConfig } from "../config/server-options.ts";
import { createTlsDoor, type TlsDoor } from "../edge/tls-door.ts";
import {
  type CertificateFiles,
  certificateFiles,
  type ReadCertificate,
  readCertificate,
} from "./certificate-files.ts";
import type { Reloadable } from "./reloader.ts";

/** TLS on the port, and what keeps its certificate fresh. */
export interface OpenTls {
  readonly door: TlsDoor;
  readonly reloadable: Reloadable;
}

/** The listener's own time is shorter; this one is for what it does not see. */
const HANDSHAKE_TIMEOUT_MS = 30_000;

/** Undefined: the configuration names no certificate. Throws as `certificateFiles` and `readCertificate` do. */
export async function openTls(config: ServerConfig, logger: Logger): Promise<OpenTls | undefined> {
  const files = certificateFiles(config);
  if (files === undefined) return undefined;
  const read = (): Promise<ReadCertificate> => readWithWarning(files, logger);
  const door = createTlsDoor(await read(), HANDSHAKE_TIMEOUT_MS);
  const { cert, key, clientCa, crl } = files;
  const paths = [cert, key, clientCa, crl].filter((path) => path !== undefined);
  return {
    door,
    reloadable: {
      what: "the certificate of the port",
      paths,
      reload: async () => door.replace(await read()),
    },
  };
}

/** Reads the files, and says so when clients will not take what they hold. Rejects as `readCertificate` does. */
export async function readWithWarning(files: CertificateFiles, logger: Logger): Promise<ReadCertificate> {
  const certificate = await readCertificate(files, new Date());
  const { validTo, isValid } = certificate;
  if (!isValid) logger.warn({ validTo }, "the certificate is not valid at this time: clients will refuse it");
  return certificate;
}
