/** Numbers of what one end says again and again, so that it is spelled out once. Ends agree by counting: the first one spelled out is number 1. */
export class SpelledLayouts {
  readonly #ids = new Map<string, number>();

  /** The number of this text, and whether it has to be spelled out; 0: there are too many already, it has no number. */
  idOf(text: string): { readonly id: number; readonly isNew: boolean } {
    const known = this.#ids.get(text);
    if (known !== undefined) return { id: known, isNew: false };
    if (this.#ids.size >= MAX_LAYOUTS) return { id: 0, isNew: true };
    const id = this.#ids.size + 1;
    this.#ids.set(text, id);
    return { id, isNew: true };
  }
}

/** Shapes and names that a link remembers; further ones are spelled out each time. */
const MAX_LAYOUTS = 4096;

/** The other end's. */
export class ReadLayouts<Layout> {
  readonly #layouts: Layout[] = [];

  /** `text`: empty for a layout that was spelled out before. */
  read(id: number, text: string): Layout | undefined {
    if (text === "") return this.#layouts[id - 1];
    const layout = JSON.parse(text) as Layout;
    if (id > 0) this.#layouts[id - 1] = layout;
    return layout;
  }
}
