import { type Attack, exchange, inferPost, statusesOf, type Target } from "../attack.ts";

const PAGE = "https://page.example";

type Make = (target: Target) => Buffer | string;

const REQUESTS: ReadonlyArray<readonly [name: string, make: Make]> = [
  [
    "a form of a foreign page",
    (target) => inferPost(target, target.body, `Origin: ${PAGE}\r\nContent-Type: text/plain\r\n`),
  ],
  ["a sandboxed page", (target) => inferPost(target, target.body, "Origin: null\r\n")],
  ["a page on another port", (target) => inferPost(target, target.body, "Origin: http://localhost:1\r\n")],
  [
    "a preflight",
    () =>
      head("OPTIONS /v2", `Host: localhost\r\nOrigin: ${PAGE}\r\nAccess-Control-Request-Method: POST\r\n`),
  ],
  ["a rebound name", () => head("GET /metrics", "Host: page.example:8080\r\n")],
  ["a rebound name that looks local", () => head("GET /v2", "Host: 127.0.0.1.page.example\r\n")],
  ["a rebound page", () => head("GET /v2", "Host: page.example\r\nOrigin: http://page.example\r\n")],
];

function head(line: string, headers: string): string {
  return `${line} HTTP/1.1\r\n${headers}Connection: close\r\n\r\n`;
}

/** Ways out of a folder, as servers of files have read them. */
const WAYS_OUT: readonly string[] = [
  "../",
  "..%2f",
  "%2e%2e/",
  "%2e%2e%2f",
  "..%252f",
  "..%5c",
  "..\\",
  "....//",
  "..;/",
  "%c0%ae%c0%ae/",
  ".%00./",
  "//",
];
const PAGES = ["/docs/", "/console/", "/docs", "/console"];
const OUTSIDE = ["etc/passwd", "package.json", "proc/self/environ", "bin/sconce.js"];

const crookedPaths: Attack = {
  group: "web pages",
  name: `files outside of ${PAGES.length} pages, by ${WAYS_OUT.length * OUTSIDE.length} crooked paths each`,
  holds: "no file that is no page's",
  async run(target) {
    const paths = PAGES.flatMap((page) =>
      WAYS_OUT.flatMap((way) => OUTSIDE.map((file) => page + way.repeat(6) + file)),
    );
    const problems = await Promise.all(
      paths.map(async (path) => {
        const heard = await exchange(target, [head(`GET ${path}`, "Host: localhost\r\n")]);
        const [status] = statusesOf(heard);
        return status === undefined || status < 400 || status >= 500
          ? `${path}: answered with ${status}`
          : "";
      }),
    );
    return problems.filter((problem) => problem !== "").join("; ");
  },
};

const foreign: readonly Attack[] = REQUESTS.map(([name, make]) => ({
  group: "web pages",
  name,
  holds: "403, and nothing that lets the page read it",
  async run(target) {
    const heard = await exchange(target, [make(target)]);
    const statuses = statusesOf(heard);
    if (statuses.join() !== "403") return `answered with ${statuses.join(", ") || "nothing"}`;
    return /access-control-allow/i.test(heard.text) ? "the page may read the response" : "";
  },
}));

/** What pages of others may try, and what may be tried with our own. */
export const webPages: readonly Attack[] = [...foreign, crookedPaths];
