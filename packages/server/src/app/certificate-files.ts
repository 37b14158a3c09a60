import { createPrivateKey, type KeyObject, X509Certificate } from "node:crypto";
import { createSecureContext } from "node:tls";
import { ServeError } from "../base/errors.ts";
import { faultWords } from "../base/file-fault.ts";
import { readAtMost } from "../base/read-at-most.ts";
import type { ServerConfig } from "../config/server-options.ts";
import type { Certificate } from "../edge/tls-door.ts";

/** Where the certificate of the port is. */
export interface CertificateFiles {
  readonly cert: string;
  readonly key: string;
  readonly clientCa: string | undefined;
  readonly crl: string | undefined;
}

/** A certificate that goes with its key, and until when it is valid. */
export interface ReadCertificate extends Certificate {
  readonly validTo: Date;
  /** Neither too early nor too late for it. */
  readonly isValid: boolean;
}

export const MAX_PEM_BYTES: number = 1024 * 1024;
const FIRST_PEM = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/;

/** The files that options name; undefined: the port does not speak TLS. Throws `invalid_argument` when one of two is missing. */
export function certificateFiles({
  tlsCert,
  tlsKey,
  tlsClientCa,
  tlsCrl,
}: Pick<ServerConfig, "tlsCert" | "tlsKey" | "tlsClientCa" | "tlsCrl">): CertificateFiles | undefined {
  if (tlsCrl !== undefined && tlsClientCa === undefined) {
    throw new ServeError(
      "invalid_argument",
      "--tls-crl is about the certificates of clients: it needs --tls-client-ca",
      { reason: "bad_option" },
    );
  }
  if (tlsCert !== undefined && tlsKey !== undefined) {
    return { cert: tlsCert, key: tlsKey, clientCa: tlsClientCa, crl: tlsCrl };
  }
  if (tlsCert === undefined && tlsKey === undefined && tlsClientCa === undefined) return undefined;
  throw new ServeError(
    "invalid_argument",
    "--tls-cert and --tls-key go together: TLS needs a certificate and its key, and --tls-client-ca needs both",
    { reason: "bad_option" },
  );
}

/**
 * Reads a certificate, its key, and the CA of clients. Throws `failed_precondition`/`bad_certificate` that names the option, for files that cannot be
 * read or hold no PEM, for a key with a passphrase, and for one that is another certificate's.
 */
export async function readCertificate(files: CertificateFiles, now: Date): Promise<ReadCertificate> {
  const [cert, key, clientCa, crl] = await Promise.all([
    readPem("--tls-cert", files.cert),
    readPem("--tls-key", files.key),
    files.clientCa === undefined ? undefined : readPem("--tls-client-ca", files.clientCa),
    files.crl === undefined ? undefined : readPem("--tls-crl", files.crl),
  ]);
  const leaf = parseCertificate("--tls-cert", cert);
  if (clientCa !== undefined) parseCertificate("--tls-client-ca", clientCa);
  if (crl !== undefined) checkRevocationList(crl);
  if (!leaf.checkPrivateKey(parseKey(key))) {
    throw badCertificate("--tls-key: this is not the key of the certificate of --tls-cert");
  }
  const validTo = new Date(leaf.validTo);
  const isValid = new Date(leaf.validFrom) <= now && now <= validTo;
  return { cert, key, clientCa, crl, validTo, isValid };
}

async function readPem(option: string, path: string): Promise<Buffer> {
  let bytes: Buffer | undefined;
  try {
    bytes = await readAtMost(path, MAX_PEM_BYTES);
  } catch (cause) {
    throw badCertificate(`${option}: ${path}: ${faultWords(cause)}`, cause);
  }
  if (bytes?.includes("-----BEGIN ") === true) return bytes;
  throw badCertificate(`${option}: ${path} is not a PEM file (-----BEGIN …)`);
}

function parseCertificate(option: string, bytes: Buffer): X509Certificate {
  const [first] = FIRST_PEM.exec(bytes.toString("latin1")) ?? [];
  try {
    return new X509Certificate(first ?? "");
  } catch (cause) {
    throw badCertificate(`${option}: the file holds no certificate that can be read`, cause);
  }
}

function checkRevocationList(crl: Buffer): void {
  try {
    createSecureContext({ crl });
  } catch (cause) {
    throw badCertificate("--tls-crl: the file holds no list of revoked certificates that can be read", cause);
  }
}

/** What OpenSSL says of a key may hold pieces of it: it goes nowhere. */
function parseKey(bytes: Buffer): KeyObject {
  try {
    return createPrivateKey(bytes);
  } catch {
    const isEncrypted = bytes.includes("ENCRYPTED");
    throw badCertificate(
      isEncrypted
        ? "--tls-key: the key has a passphrase; store it without one, readable by the server's user alone"
        : "--tls-key: the file holds no private key that can be read",
    );
  }
}

function badCertificate(message: string, cause?: unknown): ServeError {
  return new ServeError("failed_precondition", message, { reason: "bad_certificate", cause });
}
