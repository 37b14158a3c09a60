import { constants } from "node:crypto";
import type { Socket } from "node:net";
import { createSecureContext, createServer, type SecureContextOptions, type TLSSocket } from "node:tls";

/** PEM texts, as they are in their files. */
export interface Certificate {
  /** The certificate and those between it and a root. */
  readonly cert: Buffer;
  readonly key: Buffer;
  /** Who signs clients' certificates; undefined: clients need none. */
  readonly clientCa: Buffer | undefined;
  /** Which of their certificates hold no more; undefined: nobody asks. */
  readonly crl?: Buffer | undefined;
}

/** What becomes of a connection that begins with TLS. One of them is called, once, unless the connection closes before. */
export interface HandshakeReceiver {
  onSecure(socket: TLSSocket): void;
  /** The client's TLS does not go with ours; the connection is closed. */
  onFailed(): void;
}

/** Ends TLS for a listener. */
export interface TlsDoor {
  /** Takes over a connection of which nothing is read, or whose first bytes were put back. */
  open(socket: Socket, receiver: HandshakeReceiver): void;
  /** From now on new connections get this certificate; open ones keep theirs. Throws what OpenSSL says of one that cannot be used, and changes nothing. */
  replace(certificate: Certificate): void;
}

/** Forward secret and authenticated ciphers; those of TLS 1.3, and their elder brothers. The cheapest for most processors first. */
const CIPHERS = [
  "TLS_AES_128_GCM_SHA256",
  "TLS_AES_256_GCM_SHA384",
  "TLS_CHACHA20_POLY1305_SHA256",
  "ECDHE-ECDSA-AES128-GCM-SHA256",
  "ECDHE-RSA-AES128-GCM-SHA256",
  "ECDHE-ECDSA-AES256-GCM-SHA384",
  "ECDHE-RSA-AES256-GCM-SHA384",
  "ECDHE-ECDSA-CHACHA20-POLY1305",
  "ECDHE-RSA-CHACHA20-POLY1305",
].join(":");

/** What makes a certificate usable; the same for the first one and all that follow. */
function contextOptions({ cert, key, clientCa, crl }: Certificate): SecureContextOptions {
  return {
    cert,
    key,
    ...(clientCa !== undefined && { ca: clientCa }),
    ...(crl !== undefined && { crl }),
    minVersion: "TLSv1.2",
    ciphers: CIPHERS,
    ecdhCurve: "X25519:P-256:P-384",
    honorCipherOrder: true,
    // Renegotiation costs the server much more than the client that asks for it.
    secureOptions: constants.SSL_OP_NO_RENEGOTIATION,
  };
}

/** `handshakeTimeoutMs`: for a handshake, whatever the listener's own time is. Throws what OpenSSL says of a certificate that cannot be used. */
export function createTlsDoor(certificate: Certificate, handshakeTimeoutMs: number): TlsDoor {
  const needsClientCert = certificate.clientCa !== undefined;
  const receivers = new Map<string, HandshakeReceiver>();
  const take = (socket: TLSSocket): HandshakeReceiver | undefined => {
    const id = connectionId(socket);
    const receiver = receivers.get(id);
    receivers.delete(id);
    return receiver;
  };
  const server = createServer({
    ...contextOptions(certificate),
    ALPNProtocols: ["h2", "http/1.1"],
    requestCert: needsClientCert,
    rejectUnauthorized: needsClientCert,
    handshakeTimeout: handshakeTimeoutMs,
  });
  server.on("secureConnection", (socket) => {
    const receiver = take(socket);
    // Without one its peer has gone meanwhile, and with it the name by which it is known.
    if (receiver === undefined) socket.destroy();
    else receiver.onSecure(socket);
  });
  server.on("tlsClientError", (_error, socket) => {
    take(socket)?.onFailed();
    socket.destroy();
  });
  return {
    open(socket, receiver) {
      const id = connectionId(socket);
      receivers.set(id, receiver);
      socket.once("close", () => {
        if (receivers.get(id) === receiver) receivers.delete(id);
      });
      server.emit("connection", socket);
    },
    replace(next) {
      createSecureContext(contextOptions(next));
      server.setSecureContext(contextOptions(next));
    },
  };
}

/** The server makes a socket of its own of each that it is given, and does not say of which: both ends' addresses tell. */
function connectionId({ remoteAddress, remotePort, localAddress, localPort }: Socket): string {
  return `${remoteAddress} ${remotePort} ${localAddress} ${localPort}`;
}
