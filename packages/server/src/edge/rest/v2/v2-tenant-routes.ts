import type { TenantUsage } from "../../../base/tenant-usage.ts";
import type { RestCall } from "../call/rest-call.ts";
import type { Route } from "../call/route.ts";

/** What each key, token or tenant asked of this server, for the administrator. */
export function v2TenantRoutes(): readonly Route[] {
  return [{ method: "GET", urls: ["/v2/tenants"], needs: "admin", run: answerTenants }];
}

function answerTenants(call: RestCall): void {
  const { adminGate, rolloutGate, tenantUsage } = call.context;
  (rolloutGate ?? adminGate).admit(call.credentials);
  call.sendJson(200, { tenants: (tenantUsage?.() ?? []).map(tenantDocument) });
}

function tenantDocument({ tenant, requests, rejected, rate, available }: TenantUsage): object {
  const limits = rate && { per_second: rate.perSecond, burst: rate.burst };
  return { tenant, requests, rejected, ...(limits && { rate: limits, available }) };
}
