import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { parseExactJson } from "./exact-json.ts";

/** A tensor of a case: numbers row by row; NaN and infinities are strings, as Python prints them. */
export interface CaseTensor {
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly data: readonly (number | boolean | string)[];
}

/** One program: what it is asked, and what PyTorch answers or raises. */
export interface Case {
  readonly name: string;
  readonly runs: readonly {
    readonly inputs: readonly CaseTensor[];
    readonly wanted: readonly CaseTensor[] | { readonly raises: string };
  }[];
}

interface CaseFile {
  readonly inputs: readonly (readonly CaseTensor[])[];
  readonly outputs: readonly (readonly CaseTensor[] | { readonly raises: string })[];
}

/** Reads what `scripts/python/never_wrong_cases.py` wrote: `NAME.json` beside each program. */
export function readCases(folder: string): readonly Case[] {
  return readdirSync(folder)
    .filter((name) => name.endsWith(".json"))
    .sort()
    .map((file) => {
      const { inputs, outputs } = parseExactJson(readFileSync(join(folder, file), "utf8")) as CaseFile;
      const runs = inputs.map((tensors, i) => ({ inputs: tensors, wanted: outputs[i]! }));
      return { name: file.replace(/\.json$/, ""), runs };
    });
}
