import { BlockList, isIP, isIPv6 } from "node:net";

/** `--host` as the system takes it: an IPv6 address may be written in brackets, as in a URL. */
export function hostAddress(host: string): string {
  const [, inner] = /^\[(.+)\]$/.exec(host) ?? [];
  return inner !== undefined && isIPv6(inner) ? inner : host;
}

/** True for addresses that only this machine can reach, however they are spelled. */
export function isLoopback(host: string): boolean {
  const address = hostAddress(host);
  const family = isIP(address);
  if (family === 0) return address.toLowerCase() === "localhost";
  return LOOPBACK.check(address, family === 6 ? "ipv6" : "ipv4");
}

const LOOPBACK = new BlockList();
LOOPBACK.addSubnet("127.0.0.0", 8, "ipv4");
LOOPBACK.addAddress("::1", "ipv6");
