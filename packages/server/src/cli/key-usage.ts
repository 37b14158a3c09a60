import { ServeError } from "../base/errors.ts";
import { oneLine } from "../base/printable.ts";
import { askServer, refusal, type ServerAccess, unreachable } from "./server-access.ts";
import { tableText } from "./table-text.ts";

type Json = Readonly<Record<string, unknown>>;

const LIMIT_MS = 30_000;

/** What each tenant asked of a running server. Rejects with ServeError `unavailable` when none answers, and with what it says against it. */
export async function readUsage(server: string, access: ServerAccess): Promise<readonly Json[]> {
  const url = `${server}/v2/tenants`;
  const response = await askServer(url, { timeoutMs: LIMIT_MS }, access).catch((cause: unknown) => {
    throw new ServeError("unavailable", unreachable(url, cause), { cause });
  });
  const body = (await response.json().catch(() => ({}))) as Json;
  const { tenants, error } = body;
  if (response.ok && Array.isArray(tenants)) return tenants as readonly Json[];
  const words = typeof error === "string" ? error : "nothing that is known here";
  throw new ServeError("failed_precondition", refusal(response.status, words));
}

export function usageText(tenants: readonly Json[]): string {
  const rows = tenants.map(({ tenant, requests, rejected, rate, available }) => [
    oneLine(String(tenant)) || "(none)",
    String(requests),
    String(rejected),
    rate === undefined ? "-" : `${String((rate as Json)["per_second"])}/s`,
    available === undefined ? "-" : String(available),
  ]);
  return tableText([["TENANT", "REQUESTS", "REJECTED", "RATE", "LEFT NOW"], ...rows]);
}
