import type { StoredObject } from "./store.ts";
import { isNothingThere } from "./store-error.ts";

/** How a store is asked for what lies under a prefix. */
export interface PrefixQueries {
  /** Objects whose names begin with `below`; their keys are what follows it. */
  listBelow(): Promise<readonly StoredObject[]>;
  /** The object that has the prefix as its name, under `key`; rejects where there is none. */
  readOne(key: string): Promise<StoredObject>;
}

/** What lies under a prefix of a bucket: the objects of a folder or, where it has none, the one object of that name. */
export class PrefixListing {
  /** What the names of the folder's objects begin with. */
  readonly below: string;
  readonly #prefix: string;
  /** Of the last listing. */
  #isOne = false;

  constructor(prefix: string) {
    this.#prefix = prefix;
    this.below = prefix === "" ? "" : `${prefix}/`;
  }

  /** None when the prefix leads to nothing. */
  async list({ listBelow, readOne }: PrefixQueries): Promise<readonly StoredObject[]> {
    const objects = await listBelow();
    this.#isOne = objects.length === 0 && this.#prefix !== "";
    if (!this.#isOne) return objects;
    try {
      return [await readOne(this.#prefix.slice(this.#prefix.lastIndexOf("/") + 1))];
    } catch (error) {
      if (isNothingThere(error)) return [];
      throw error;
    }
  }

  /** The name in the bucket of an object that was listed. */
  nameOf(key: string): string {
    return this.#isOne ? this.#prefix : `${this.below}${key}`;
  }
}
