import { element } from "./element.ts";
import { modelsView } from "./models-view.ts";
import { createServerApi, ServerError } from "./server-api.ts";

const UNAUTHENTICATED = 401;
const FORBIDDEN = 403;

interface Page {
  readonly path: string;
  readonly title: string;
  view(parts: readonly string[]): Promise<HTMLElement>;
}

const api = createServerApi();
const PAGES: readonly Page[] = [{ path: "models", title: "Models", view: (parts) => modelsView(api, parts) }];

const find = <Kind extends HTMLElement>(selector: string): Kind => document.querySelector<Kind>(selector)!; // index.html has them
const [main, state, pages] = [find("#main"), find("#state"), find("#pages")];
const access = find<HTMLDetailsElement>("#access");
const key = find<HTMLInputElement>("#key");

let shown = 0;

/** Shows the page that the URL names; of several asked for at once the last one. */
async function show(): Promise<void> {
  const [path, ...parts] = location.hash
    .replace(/^#\//, "")
    .split("/")
    .filter((part) => part !== "")
    .map(decodeURIComponent);
  const page = PAGES.find((one) => one.path === path) ?? PAGES[0]!;
  const asked = ++shown;
  markPage(page);
  try {
    const view = await page.view(parts);
    if (asked !== shown) return;
    main.replaceChildren(view);
    state.textContent = "";
    document.title = `${[...parts.slice(0, 1), page.title].join(" · ")} · Sconce`;
  } catch (error) {
    if (asked === shown) explain(error);
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
