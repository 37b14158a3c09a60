import type { AbsentPeer } from "./all-peers.ts";

/** One server under one load. */
export interface LoadRow {
  readonly load: string;
  readonly server: string;
  readonly perSecond: number;
  readonly p50Ms: number;
  readonly p99Ms?: number;
  /** Processor time of the server and all its processes, per request. */
  readonly cpuMs?: number;
  readonly othersShare?: number;
  /** Of all rounds. */
  readonly failures?: number;
}

export interface StartRow {
  readonly server: string;
  readonly firstAnswerMs: number;
  readonly pssBytes: number;
  readonly loadedPssBytes?: number;
  /** The share of a processor that it takes when nobody asks it. */
  readonly idleShare?: number;
}

/** What a run found about one model. */
export interface WorkloadResult {
  readonly workload: string;
  readonly rounds: number;
  readonly settings: readonly { readonly server: string; readonly settings: string }[];
  readonly starts: readonly StartRow[];
  readonly rows: readonly LoadRow[];
  readonly absent: readonly AbsentPeer[];
}

const SCONCE = "sconce";
/** From here on a peer is called better, and not as good. */
const CLEARLY = 1.05;
const MIB = 2 ** 20;

/** Markdown for `docs/performance.md`: what was run, the figures, and where a peer is better. */
export function peersPage(results: readonly WorkloadResult[]): string {
  return results.map(section).join("\n");
}

function section(result: WorkloadResult): string {
  const { workload, rounds, settings, starts, rows, absent } = result;
  const parts = [
    `### ${workload}\n`,
    `Medians of ${rounds} ${rounds === 1 ? "round" : "rounds"} in turn; other programs had up to ${percent(Math.max(0, ...rows.map(({ othersShare = 0 }) => othersShare)))} of the machine.\n`,
    loadTable(rows),
    startTable(starts),
    `${betterText(result)}\n`,
    markdown(
      ["server", "as it was set up"],
      settings.map(({ server, settings: text }) => [nameOf(server), text]),
    ),
    ...absent.map(({ server, why }) => `- **${nameOf(server)}** took no part: ${why}\n`),
  ];
  return parts.join("\n");
}

function loadTable(rows: readonly LoadRow[]): string {
  const cells = rows.map((row, i) => [
    rows[i - 1]?.load === row.load ? "" : row.load,
    nameOf(row.server),
    figure(row.perSecond),
    figure(row.p50Ms),
    figure(row.p99Ms),
    figure(row.cpuMs),
    row.server === SCONCE ? "" : figure(ratioTo(row, rows)),
    row.failures ? `${row.failures} failed` : "",
  ]);
  const columns = ["", "", "requests/s", "p50 ms", "p99 ms", "CPU ms", "Sconce / it", ""];
  const isAllWell = cells.every((line) => line.at(-1) === "");
  const width = isAllWell ? columns.length - 1 : columns.length;
  return markdown(
    columns.slice(0, width),
    cells.map((line) => line.slice(0, width)),
  );
}

/** How many times a row's requests per second Sconce has under the same load. */
export function ratioTo(row: LoadRow, rows: readonly LoadRow[]): number | undefined {
  const sconce = rows.find(({ load, server }) => load === row.load && server === SCONCE);
  return sconce && sconce.perSecond / row.perSecond;
}

function startTable(starts: readonly StartRow[]): string {
  return markdown(
    [
      "",
      "first correct answer after, s",
      "memory then, MiB",
      "memory after the loads, MiB",
      "of a core at rest",
    ],
    starts.map(({ server, firstAnswerMs, pssBytes, loadedPssBytes, idleShare }) => [
      nameOf(server),
      figure(firstAnswerMs / 1000),
      figure(pssBytes / MIB),
      figure(loadedPssBytes === undefined ? undefined : loadedPssBytes / MIB),
      idleShare === undefined ? "" : percent(idleShare),
    ]),
  );
}

/** Where a server that takes part does better than Sconce by more than 5 %: requests per second, p99, processor time, start, memory. */
export function betterText({ rows, starts }: Pick<WorkloadResult, "rows" | "starts">): string {
  const found = [
    ...better(rows, ({ perSecond }) => 1 / perSecond, "requests/s"),
    ...better(rows, ({ p99Ms }) => p99Ms, "p99"),
    ...better(rows, ({ cpuMs }) => cpuMs, "processor time"),
    ...better(starts.map(alone), ({ firstAnswerMs }) => firstAnswerMs, "the first answer"),
    ...better(starts.map(alone), ({ loadedPssBytes }) => loadedPssBytes, "memory"),
  ];
  return found.length === 0
    ? "No peer is better by more than 5 %."
    : `Where a peer is better: ${found.join("; ")}.`;
}

function alone(start: StartRow): StartRow & { readonly load: "" } {
  return { ...start, load: "" };
}

function better<T extends { readonly load: string; readonly server: string }>(
  rows: readonly T[],
  costOf: (row: T) => number | undefined,
  what: string,
): string[] {
  return rows.filter(isPeer).flatMap((row) => {
    const sconce = rows.find(({ load, server }) => load === row.load && server === SCONCE);
    const [ours, theirs] = [sconce && costOf(sconce), costOf(row)];
    if (ours === undefined || theirs === undefined || !(ours > CLEARLY * theirs)) return [];
    const load = row.load === "" ? "" : `${row.load}, `;
    return [`${load}${nameOf(row.server)} by ${figure(ours / theirs)} in ${what}`];
  });
}

/** Not what Sconce is, was, or could not be. */
function isPeer({ server }: { readonly server: string }): boolean {
  return !/^(sconce|before|bare|a loop)/.test(server);
}

function nameOf(server: string): string {
  const name = NAMES[server] ?? server;
  return server.startsWith(SCONCE) ? `**${name}**` : name;
}

const NAMES: Readonly<Record<string, string>> = {
  sconce: "Sconce",
  "sconce, nothing kept": "Sconce, nothing kept",
  triton: "Triton",
  "fastapi + onnxruntime": "FastAPI + ONNX Runtime",
  "fastapi + torchscript": "FastAPI + TorchScript",
  litserve: "LitServe",
  mlserver: "MLServer",
  bentoml: "BentoML",
  "ray serve": "Ray Serve",
  torchserve: "TorchServe",
  "bare node:http": "bare `node:http` that parses the JSON",
};

/** Three digits that count, and thousands apart. */
function figure(value: number | undefined): string {
  if (value === undefined || !Number.isFinite(value)) return "";
  if (value >= 1000) return Math.round(value).toLocaleString("en-US");
  return String(Number(value.toPrecision(3)));
}

function percent(share: number): string {
  return `${Math.round(100 * share)} %`;
}

function markdown(columns: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string => `| ${cells.join(" | ")} |\n`;
  return [columns, columns.map(() => "---"), ...rows].map(line).join("");
}
