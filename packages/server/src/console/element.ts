type Child = Node | string | undefined;

/** What an element has: `on…` are listeners, `true` is an attribute without a value, `undefined` and `false` are left out. */
type Properties = Readonly<Record<string, string | number | boolean | undefined | ((event: Event) => void)>>;

/** Makes an element. Texts become text and never markup, whatever a model is called. */
export function element<Name extends keyof HTMLElementTagNameMap>(
  name: Name,
  properties: Properties = {},
  ...children: readonly Child[]
): HTMLElementTagNameMap[Name] {
  const made = document.createElement(name);
  decorate(made, properties, children);
  return made;
}

/** The same of SVG. */
export function drawing<Name extends keyof SVGElementTagNameMap>(
  name: Name,
  properties: Properties = {},
  ...children: readonly Child[]
): SVGElementTagNameMap[Name] {
  const made = document.createElementNS("http://www.w3.org/2000/svg", name);
  decorate(made, properties, children);
  return made;
}

function decorate(made: Element, properties: Properties, children: readonly Child[]): void {
  for (const [key, value] of Object.entries(properties)) {
    if (value === undefined || value === false) continue;
    if (typeof value === "function") made.addEventListener(key.slice(2), value);
    else made.setAttribute(key, value === true ? "" : String(value));
  }
  made.append(...children.filter((child) => child !== undefined));
}

/** A button that does something on this page. */
export function button(text: string, press: () => void, properties: Properties = {}): HTMLButtonElement {
  return element("button", { type: "button", onclick: press, ...properties }, text);
}
