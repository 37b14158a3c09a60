// Shows /openapi.json, and sends what its reader tries, with the key that was entered. The key stays in this page's memory.
const [access, form, key, state] = ["#access", "#access form", "#key", "#state"].map((selector) =>
  document.querySelector(selector),
);

/** JSON with each list of numbers on one line. */
function inRows(text) {
  return text.replaceAll(/\[[-+\d.eE,\s]*\]/g, (list) => list.replaceAll(/\s+/g, ""));
}

/** The parts of the renderer that are not as they are wanted here. */
function wanted({ React }) {
  const { createElement, useEffect } = React;
  return {
    components: {
      // There is one server: the one that sent this page.
      ServersContainer: () => null,
      // A link within a button is no use to a keyboard.
      DeepLink: ({ path, text }) => createElement("span", { "data-path": path }, text),
    },
    wrapComponents: {
      TextArea: (Original) => (props) => {
        useEffect(() => {
          // Once: from then on it is what somebody types.
          const { value, onChange } = props;
          if (typeof value === "string") onChange?.({ target: { value: inRows(value) } });
        }, []);
        return createElement(Original, { ...props, "aria-label": "Body" });
      },
      HighlightCode:
        (Original) =>
        ({ children, ...props }) =>
          createElement(Original, props, typeof children === "string" ? inRows(children) : children),
    },
  };
}

/** What can be scrolled can be reached by keyboard. */
new MutationObserver(() => {
  for (const text of document.querySelectorAll("#api pre:not([tabindex])")) text.tabIndex = 0;
}).observe(document.querySelector("#api"), { childList: true, subtree: true });

function withKey(request) {
  if (key.value !== "") request.headers.Authorization = `Bearer ${key.value}`;
  return request;
}

async function show() {
  state.textContent = "";
  const { headers } = withKey({ headers: {} });
  const response = await fetch("openapi.json", { headers });
  const body = await response.json();
  if (!response.ok) {
    state.textContent = body.error ?? `status ${response.status}`;
    access.open = true;
    key.focus();
    return;
  }
  document.title = `${body.info.title}: API`;
  globalThis.SwaggerUIBundle({
    spec: body,
    dom_id: "#api",
    plugins: [wanted],
    requestInterceptor: withKey,
    validatorUrl: null,
    // Long tensors would take seconds.
    syntaxHighlight: { activated: false },
    deepLinking: true,
    tryItOutEnabled: true,
    displayRequestDuration: true,
    defaultModelsExpandDepth: -1,
  });
}

function attempt() {
  show().catch((error) => {
    state.textContent = `the server does not answer: ${error.message}`;
  });
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  attempt();
});
attempt();
