import { ModelFileError } from "../errors.ts";

/** Statements, expressions and items of lists, loops unrolled. */
const MAX_STEPS = 2_000_000;
const MAX_CALLS = 100;
/** Expressions inside expressions, those of callers included. */
const MAX_DEPTH = 800;

/** How much work the reading of one program may be. Every method throws ModelFileError("limit") past its limit. */
export class ReadingBudget {
  #steps = 0;
  #calls = 0;
  #depth = 0;

  step(count = 1): void {
    this.#steps += count;
    if (this.#steps > MAX_STEPS)
      throw new ModelFileError("limit", `the program takes more than ${MAX_STEPS} steps`);
  }

  enterCall(): void {
    this.#calls += 1;
    if (this.#calls > MAX_CALLS) throw new ModelFileError("limit", "the program's calls nest too deep");
  }

  leaveCall(): void {
    this.#calls -= 1;
  }

  enterExpression(): void {
    this.#depth += 1;
    if (this.#depth > MAX_DEPTH) throw new ModelFileError("limit", "the program nests too deep");
  }

  leaveExpression(): void {
    this.#depth -= 1;
  }
}
