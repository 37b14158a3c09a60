import { button, element } from "./element.ts";
import type { ServerApi } from "./server-api.ts";

/** A tenant, as `GET /v2/tenants` says it. */
interface Tenant {
  /** "": requests that name none. */
  readonly tenant: string;
  readonly requests: number;
  readonly rejected: number;
  readonly rate?: { readonly per_second: number; readonly burst: number };
  readonly available?: number;
}

const COLUMNS = ["key, token or tenant", "requests", "too many", "may ask", "at once now"];

/** What each key, token or tenant asked of the server, for its administrator. `again`: shows the page anew. */
export async function tenantsView(api: ServerApi, again: () => void): Promise<HTMLElement> {
  const { tenants } = (await (await api.request("v2/tenants")).json()) as {
    readonly tenants: readonly Tenant[];
  };
  const sorted = [...tenants].sort((a, b) => b.requests - a.requests || a.tenant.localeCompare(b.tenant));
  const head = COLUMNS.map((title) => element("th", { scope: "col" }, title));
  return element(
    "section",
    { class: "tenants", "aria-label": "Tenants" },
    element(
      "div",
      { class: "row" },
      element("h2", {}, "Tenants", element("span", { class: "count" }, String(tenants.length))),
      button("Look again", again),
    ),
    tenants.length === 0
      ? element("p", { class: "quiet" }, "Nobody has asked a model yet.")
      : element(
          "div",
          { class: "scroll", tabindex: 0 },
          element(
            "table",
            {},
            element("thead", {}, element("tr", {}, ...head)),
            element("tbody", {}, ...sorted.map(tenantRow)),
          ),
        ),
  );
}

function tenantRow({ tenant, requests, rejected, rate, available }: Tenant): HTMLElement {
  const may =
    rate === undefined ? "as much as it likes" : `${rate.per_second} per second, ${rate.burst} at once`;
  const now = available === undefined ? "" : String(Math.floor(available));
  return element(
    "tr",
    {},
    element("th", { scope: "row" }, tenant === "" ? "(without a name)" : tenant),
    ...[String(requests), String(rejected), may, now].map((text) => element("td", {}, text)),
  );
}
