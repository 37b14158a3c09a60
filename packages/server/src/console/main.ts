import { element } from "./element.ts";
import { createLiveStore } from "./live-store.ts";
import { liveView } from "./live-view.ts";
import { modelsView } from "./models-view.ts";
import { createServerApi, ServerError } from "./server-api.ts";
import { tenantsView } from "./tenants-view.ts";
import { whyView } from "./why-view.ts";

const UNAUTHENTICATED = 401;
const FORBIDDEN = 403;

interface Page {
  readonly path: string;
  readonly title: string;
  /** What it goes on with after it is shown ends with the signal. */
  view(parts: readonly string[], signal: AbortSignal): Promise<HTMLElement>;
}

const api = createServerApi();
const live = createLiveStore(api);
const PAGES: readonly Page[] = [
  { path: "models", title: "Models", view: (parts) => modelsView(api, parts, () => void show()) },
  {
    path: "live",
    title: "Live",
    view: ([model], signal) => liveView(api, live, { model, signal, trouble: explain }),
  },
  {
    path: "why",
    title: "Why",
    view: ([model], signal) => whyView(api, live, { model, signal, trouble: explain }),
  },
  { path: "tenants", title: "Tenants", view: () => tenantsView(api, () => void show()) },
];

const find = <Kind extends HTMLElement>(selector: string): Kind => document.querySelector<Kind>(selector)!; // index.html has them
const [main, state, pages] = [find("#main"), find("#state"), find("#pages")];
const access = find<HTMLDetailsElement>("#access");
const key = find<HTMLInputElement>("#key");

let current = new AbortController();

/** Shows the page that the URL names; of several asked for at once the last one. */
async function show(): Promise<void> {
  const [path, ...parts] = location.hash
    .replace(/^#\//, "")
    .split("/")
    .filter((part) => part !== "")
    .map(decodeURIComponent);
  const page = PAGES.find((one) => one.path === path) ?? PAGES[0]!;
  current.abort();
  current = new AbortController();
  const { signal } = current;
  markPage(page);
  state.textContent = "";
  try {
    const view = await page.view(parts, signal);
    if (signal.aborted) return;
    main.replaceChildren(view);
    document.title = `${[...parts.slice(0, 1), page.title].join(" · ")} · Sconce`;
  } catch (error) {
    if (!signal.aborted) explain(error);
  }
}

function explain(error: unknown): void {
  const asksForKey =
    error instanceof ServerError && (error.status === UNAUTHENTICATED || error.status === FORBIDDEN);
  state.textContent =
    error instanceof ServerError
      ? error.message
      : `the server does not answer: ${error instanceof Error ? error.message : error}`;
  if (!asksForKey) return;
  access.open = true;
  key.focus();
}

function markPage(current: Page): void {
  pages.replaceChildren(
    ...PAGES.map((page) =>
      element(
        "a",
        { href: `#/${page.path}`, "aria-current": page === current ? "page" : undefined },
        page.title,
      ),
    ),
  );
}

find("#access form").addEventListener("submit", (event) => {
  event.preventDefault();
  api.setKey(key.value.trim());
  access.open = false;
  void show();
});
addEventListener("hashchange", () => void show());
void show();
