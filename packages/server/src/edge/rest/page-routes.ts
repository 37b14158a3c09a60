import { showShape } from "@sconce/protocol";
import { OPEN_METRICS_TYPE } from "../../base/open-metrics.ts";
import { selectMetrics } from "../../base/select-metrics.ts";
import { type TensorSpec, wireShape } from "../../base/signature.ts";
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
  const isOpen = takesOpenMetrics(call.request.headers.accept);
  const type = isOpen
    ? `${OPEN_METRICS_TYPE}; version=1.0.0; charset=utf-8`
    : "text/plain; version=0.0.4; charset=utf-8";
  const all = await (isOpen ? openMetrics : metrics).get();
  const names = namesAsked(call.request.url ?? "");
  if (names === undefined) call.sendShared(type, all, [...VARY]);
  else call.send(200, type, Buffer.from(selectMetrics(all.bytes.toString(), names)), [...VARY]);
}

/** What `?name[]=…` asks for, as Prometheus's own clients take it; undefined: everything. */
function namesAsked(url: string): ReadonlySet<string> | undefined {
  const start = url.indexOf("?");
  const names = start < 0 ? [] : new URLSearchParams(url.slice(start + 1)).getAll("name[]");
  return names.length === 0 ? undefined : new Set(names);
}

/** Prometheus puts OpenMetrics first when it wants it; any mention that is not ruled out will do. */
function takesOpenMetrics(accept: string | undefined): boolean {
  if (accept === undefined || !accept.includes(OPEN_METRICS_TYPE)) return false;
  return accept
    .split(",")
    .some((range) => range.includes(OPEN_METRICS_TYPE) && !/;\s*q=0(\.0*)?\s*$/.test(range));
}

const STYLE =
  "body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:3rem auto;padding:0 1rem;color:#222}" +
  "section{border-top:1px solid #ddd;padding:.5rem 0 1rem}h2{font-size:1.1rem;margin:.5rem 0}" +
  "dl{display:grid;grid-template-columns:6rem 1fr;margin:0}dd{margin:0;overflow-wrap:anywhere}" +
  "pre{background:#f4f4f4;padding:1rem;overflow:auto}code{font:14px ui-monospace,monospace}";

/** Of as many models the page says what they take; the others are listed. */
const MOST_DESCRIBED = 100;

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
  let described = 0;
  const sections = entries.map((entry) =>
    modelSection(call, entry, entry.state === "READY" && ++described <= MOST_DESCRIBED),
  );
  const html = `<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>${escapeHtml(name)}</title><style>${STYLE}</style></head>
<body>
<h1>${escapeHtml(name)} ${escapeHtml(version)}</h1>
<p>${inference.isReady() ? "Ready." : "Not ready."} ${entries.length === 0 ? "There are no models yet." : ""}</p>
${sections.join("\n")}
<p>${LINKS.map(([url, text]) => `<a href="${url}">${text}</a>`).join(" · ")}</p>
</body>
</html>
`;
  call.send(200, "text/html; charset=utf-8", Buffer.from(html), [...PAGE_HEADERS]);
}

const LINKS: readonly (readonly [url: string, text: string])[] = [
  ["/console", "/console"],
  ["/v2", "/v2"],
  ["/v2/models", "/v2/models"],
  ["/v2/health/ready", "/v2/health/ready"],
  ["/metrics", "/metrics"],
  ["/openapi.json", "/openapi.json"],
  ["/docs", "/docs"],
];

/** A model's state and reason; of one that serves also what it takes and gives, and a line to paste. */
function modelSection(call: RestCall, entry: IndexEntry, isDescribed: boolean): string {
  const { name, version, state, reason } = entry;
  const rows: (readonly [term: string, html: string])[] = [["state", escapeHtml(state)]];
  if (reason !== "") rows.push(["reason", escapeHtml(reason)]);
  let title = escapeHtml(name);
  let example = "";
  if (isDescribed) {
    const { inputs, outputs } = call.context.inference.modelMetadata(name, version);
    rows.push(...inputs.map((spec) => ["input", portHtml(spec)] as const));
    rows.push(...outputs.map((spec) => ["output", portHtml(spec)] as const));
    const link = `/v2/models/${encodeURIComponent(name)}/versions/${encodeURIComponent(version)}`;
    title = `<a href="${escapeHtml(link)}">${title}</a>`;
    example = `<pre tabindex="0"><code>${escapeHtml(exampleRequest(call, name, inputs))}</code></pre>`;
  }
  const list = rows.map(([term, html]) => `<dt>${term}</dt><dd>${html}</dd>`).join("");
  return `<section><h2>${title} ${escapeHtml(version)}</h2><dl>${list}</dl>${example}</section>`;
}

function portHtml(spec: TensorSpec): string {
  return `<code>${escapeHtml(`${spec.name}: ${spec.datatype} ${showShape(wireShape(spec))}`)}</code>`;
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
