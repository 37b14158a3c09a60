import { ServeError } from "../base/errors.ts";

export interface HostAndPort {
  readonly host: string;
  readonly port: number;
}

/** Reads `HOST:PORT`, an IPv6 host in brackets. Throws `invalid_argument`. */
export function parseHealthAddress(text: string): HostAndPort {
  const [, bracketed, plain, port] = /^(?:\[([0-9a-fA-F:.]+)\]|([^:[\]\s]+)):(\d{1,5})$/.exec(text) ?? [];
  const host = bracketed ?? plain;
  if (host === undefined || Number(port) > 65535) {
    throw new ServeError(
      "invalid_argument",
      `--health-address: expected HOST:PORT such as 127.0.0.1:8081 or [::]:8081, got ${JSON.stringify(text.slice(0, 80))}`,
      { reason: "bad_option" },
    );
  }
  return { host, port: Number(port) };
}
