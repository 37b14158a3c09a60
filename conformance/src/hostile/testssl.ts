import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Target } from "./attack.ts";

/** What testssl.sh says of one thing that it looked at. */
export interface TlsFinding {
  readonly id: string;
  readonly severity: string;
  readonly finding: string;
}

/** As good as it can be, neither good nor bad, or not found out: its own openssl, or a busy machine, was in the way. */
const FINE: ReadonlySet<string> = new Set(["OK", "INFO", "WARN"]);

/** What is not the server's to make better, and why. */
const EXPLAINED: Readonly<Record<string, string>> = {
  cert_chain_of_trust: "the certificate here is of a CA of its own",
  cert_expirationStatus: "the certificate here is good for a day",
  cert_notAfter: "the certificate here is good for a day",
  cert_revocation: "the certificate here names no list of revoked ones; its issuer chooses",
  DNS_CAArecord: "localhost has no DNS",
  HSTS: "whoever owns the name decides for all its ports; a proxy in front sets it",
  security_headers: "asked for / without text/html it gives JSON; pages have a Content-Security-Policy",
};

/** Runs testssl.sh (`program`) against a server's port, whole, which takes minutes. What it finds below its best grade and nobody has explained comes back. */
export async function askTestssl(program: string, { port }: Target): Promise<readonly TlsFinding[]> {
  const folder = mkdtempSync(join(tmpdir(), "testssl-"));
  const file = join(folder, "findings.json");
  try {
    const options = ["--quiet", "--color", "0", "--warnings", "off", "--jsonfile", file, `localhost:${port}`];
    const child = spawn(program, options, { stdio: ["ignore", "inherit", "inherit"] });
    await new Promise((resolve) => child.on("exit", resolve));
    const findings = JSON.parse(readFileSync(file, "utf8")) as readonly TlsFinding[];
    const missing =
      findings.length === 0 ? [{ id: "testssl", severity: "FATAL", finding: "nothing found" }] : [];
    return [...missing, ...findings.filter(({ id, severity }) => !FINE.has(severity) && !(id in EXPLAINED))];
  } finally {
    rmSync(folder, { recursive: true });
  }
}
