import { OPEN_METRICS_TYPE } from "../../base/open-metrics.ts";
import type { IndexEntry } from "../../models/registry.ts";
import { exampleRequest } from "./call/example-request.ts";
import { JSON_TYPE, type RestCall } from "./call/rest-call.ts";
import type { Route } from "./call/route.ts";

/** `/metrics` for Prometheus, and `/`: a page that lists the models, or that the server lives. */
export function pageRoutes(): readonly Route[] {
  return [metricsRoute(), { method: "GET", urls: ["/"], needs: "nothing", run: answerRoot }];
}

const ALIVE = Buffer.from('{"status":"alive"}');
export function metricsRoute(): Route {
  return { method: "GET", urls: ["/metrics"], needs: "metrics", run: answerMetrics };
}

const VARY: readonly string[] = ["Vary", "Accept"];

async function answerMetrics(call: RestCall): Promise<void> {
  const { metrics, openMetrics } = call.context.shared;
  if (takesOpenMetrics(call.request.headers.accept)) {
    call.send(200, `${OPEN_METRICS_TYPE}; version=1.0.0; charset=utf-8`, await openMetrics.get(), [...VARY]);
  } else {
    call.send(200, "text/plain; version=0.0.4; charset=utf-8", await metrics.get(), [...VARY]);
  }
}

/** Prometheus puts OpenMetrics first when it wants it; any mention that is not ruled out will do. */
function takesOpenMetrics(accept: string | undefined): boolean {
  if (accept === undefined || !accept.includes(OPEN_METRICS_TYPE)) return false;
  return accept
    .split(",")
    .some((range) => range.includes(OPEN_METRICS_TYPE) && !/;\s*q=0(\.0*)?\s*$/.test(range));
}

const STYLE =
  "body{font:16px/1.5 system-ui,sans-serif;max-width:50rem;margin:3rem auto;padding:0 1rem;color:#222}" +
  "table{border-collapse:collapse;width:100%}th,td{text-align:left;padding:.4rem .8rem .4rem 0;border-bottom:1px solid #ddd}" +
  "pre{background:#f4f4f4;padding:1rem;overflow:auto}code{font:14px ui-monospace,monospace}";

/** Nothing but the page's own style: no scripts, no frames, nothing from anywhere else. */
const PAGE_HEADERS = [
  "Content-Security-Policy",
  "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  "X-Content-Type-Options",
  "nosniff",
  "Referrer-Policy",
  "no-referrer",
  "Cache-Control",
  "no-store",
  ...VARY,
];

/** A page for browsers, which ask for HTML; KServe's clients ask here whether the server lives, and read JSON. */
function answerRoot(call: RestCall): void {
  if (call.request.headers.accept?.includes("text/html") === true) answerIndexPage(call);
  else call.send(200, JSON_TYPE, ALIVE, [...VARY]);
}

function answerIndexPage(call: RestCall): void {
  const { inference } = call.context;
  const { name, version } = inference.serverMetadata();
  const entries = inference.index();
  const html = `<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><title>${escapeHtml(name)}</title><style>${STYLE}</style></head>
<body>
<h1>${escapeHtml(name)} ${escapeHtml(version)}</h1>
<p>${inference.isReady() ? "Ready." : "Not ready."} ${entries.length === 0 ? "There are no models yet." : ""}</p>
${entries.length === 0 ? "" : modelTable(entries)}
${curlLine(call, entries)}
<p><a href="/v2">/v2</a> · <a href="/v2/models">/v2/models</a> · <a href="/v2/health/ready">/v2/health/ready</a> · <a href="/metrics">/metrics</a></p>
</body>
</html>
`;
  call.send(200, "text/html; charset=utf-8", Buffer.from(html), [...PAGE_HEADERS]);
}

function modelTable(entries: readonly IndexEntry[]): string {
  const rows = entries.map(({ name, version, state, reason }) => {
    const link = `/v2/models/${encodeURIComponent(name)}/versions/${encodeURIComponent(version)}`;
    const title =
      state === "READY" ? `<a href="${escapeHtml(link)}">${escapeHtml(name)}</a>` : escapeHtml(name);
    return `<tr><td>${title}</td><td>${escapeHtml(version)}</td><td>${escapeHtml(state)}</td><td>${escapeHtml(reason)}</td></tr>`;
  });
  return `<table><tr><th>Model</th><th>Version</th><th>State</th><th>Reason</th></tr>\n${rows.join("\n")}\n</table>`;
}

/** A line to paste that asks the first ready model for its metadata and shows how to predict. */
function curlLine(call: RestCall, entries: readonly IndexEntry[]): string {
  const ready = entries.find((entry) => entry.state === "READY");
  if (ready === undefined) return "";
  const { inputs } = call.context.inference.modelMetadata(ready.name, ready.version);
  return `<pre><code>${escapeHtml(exampleRequest(call, ready.name, inputs))}</code></pre>`;
}

const HTML: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
};

function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (character) => HTML[character]!);
}
