import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { type Browser, type BrowserContext, chromium, type Page } from "playwright-core";

/** Nothing but what the tests ask for: no graphics, no traffic of the browser's own, no look at the machine's proxies. */
const SWITCHES: readonly string[] = [
  "--no-sandbox", // tests run as root in containers
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--no-proxy-server",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];
const WAIT_MS = 60_000;

/** A browser of its own, without a window, in a profile that is deleted when it closes. */
export function launchBrowser(path: string, switches: readonly string[] = []): Promise<Browser> {
  return chromium.launch({
    executablePath: path,
    headless: true,
    args: [...SWITCHES, ...switches],
    timeout: WAIT_MS,
  });
}

/** A page, and everything that a developer would see go wrong on it. */
export interface WatchedPage {
  readonly page: Page;
  readonly context: BrowserContext;
  /** Errors and warnings of its console, what its scripts threw, and what a policy kept from it. */
  readonly complaints: readonly string[];
  /** URLs of all that it asked for. */
  readonly requests: readonly string[];
}

/** Opens an empty page in a session of its own; `close()` of its context ends it. */
export async function openPage(
  browser: Browser,
  options: Parameters<Browser["newContext"]>[0] = {},
): Promise<WatchedPage> {
  const context = await browser.newContext(options);
  const page = await context.newPage();
  page.setDefaultTimeout(WAIT_MS);
  const complaints: string[] = [];
  const requests: string[] = [];
  page.on("console", (message) => {
    if (["error", "warning", "assert"].includes(message.type()))
      complaints.push(`${message.type()}: ${message.text()}`);
  });
  page.on("pageerror", (error) => complaints.push(`thrown: ${error.stack ?? error.message}`));
  page.on("request", (request) => requests.push(request.url()));
  return { page, context, complaints, requests };
}

/** A small phone. */
export const PHONE = { viewport: { width: 320, height: 640 }, isMobile: true, hasTouch: true };

/** How wide the window and the page in it are, in CSS pixels: the same, where it fits. */
export function widths(page: Page): Promise<{ readonly window: number; readonly page: number }> {
  return page.evaluate(
    "({ window: document.documentElement.clientWidth, page: document.documentElement.scrollWidth })",
  );
}

const AXE = readFileSync(fileURLToPath(import.meta.resolve("axe-core/axe.min.js")), "utf8");

/** What axe finds, as far as it is looked at. */
interface Violation {
  readonly id: string;
  readonly impact: string;
  readonly nodes: readonly { readonly html: string }[];
}

/** What keeps people from using the page as it is now, by axe's rules: those of serious and critical impact, with an element of each. */
export async function barriers(page: Page): Promise<readonly string[]> {
  await page.evaluate(AXE);
  const found = (await page.evaluate(
    "axe.run({ resultTypes: ['violations'] }).then(({ violations }) => violations)",
  )) as readonly Violation[]; // what axe gives
  return found
    .filter(({ impact }) => impact === "serious" || impact === "critical")
    .map(({ id, nodes }) => `${id}, ${nodes.length} times, such as ${nodes[0]?.html}`);
}
