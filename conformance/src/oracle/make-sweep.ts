import { fileURLToPath } from "node:url";
import { runPython } from "../python.ts";

export interface SweepOptions {
  readonly python: string;
  /** Where the packs go. */
  readonly folder: string;
  /** The same seed gives the same inputs. */
  readonly seed: number;
  /** Names of packs, with `*` for any text. */
  readonly filter: readonly string[];
  /** Kinds of inputs, as in scripts/python/edges; all when empty. */
  readonly kinds: readonly string[];
}

const script = (name: string): string =>
  fileURLToPath(new URL(`../../../scripts/python/${name}.py`, import.meta.url));

/** Asks PyTorch about inputs at the edge of what each program takes; the answers become packs. */
export async function makeSweep({ python, folder, seed, filter, kinds }: SweepOptions): Promise<void> {
  await runPython(python, [
    script("make_edge_fixtures"),
    folder,
    "--seed",
    String(seed),
    ...(filter.length > 0 ? ["--filter", ...filter] : []),
    ...(kinds.length > 0 ? ["--kind", ...kinds] : []),
  ]);
}

/** Traces or scripts PyTorch's op samples and our modules, and asks what PyTorch loads at several sizes; the answers become packs. */
export async function makeSizeSweep(
  kind: "traced" | "scripted",
  { python, folder, filter }: Pick<SweepOptions, "python" | "folder" | "filter">,
): Promise<void> {
  const names = filter.map((name) => name.replaceAll("*", ""));
  await runPython(python, [script("make_script_fixtures"), kind, folder, "--filter", ...names]);
}

/** Asks PyTorch about traces of its op samples, or those that it exports though it raises for them, each tensor in every dtype in turn; the answers become packs. */
export async function makeDtypeSweep({
  python,
  folder,
  filter,
  isExported,
}: Pick<SweepOptions, "python" | "folder" | "filter"> & { readonly isExported: boolean }): Promise<void> {
  const form = isExported ? ["--exported"] : [];
  await runPython(python, [script("make_dtype_fixtures"), folder, "--filter", ...filter, ...form]);
}

/** Asks PyTorch about programs of codes: every op that quantizes, with every dtype and granularity; the answers become packs. */
export async function makeQuantizedSweep({
  python,
  folder,
  filter,
}: Pick<SweepOptions, "python" | "folder" | "filter">): Promise<void> {
  await runPython(python, [script("make_quantized_fixtures"), folder, "--traced", "--filter", ...filter]);
}

/** Asks PyTorch about programs that write into what is a copy at some sizes and a view at others; the answers become one pack. */
export async function makeAliasSweep({
  python,
  folder,
  seed,
}: Pick<SweepOptions, "python" | "folder" | "seed">): Promise<void> {
  await runPython(python, [script("make_alias_programs"), folder, "--seed", String(seed)]);
}

/** Asks PyTorch about random modules with branches, loops, containers and writes in place, scripted, traced or exported; the answers become packs. */
export async function makeModuleSweep({
  python,
  folder,
  seed,
  form,
  count,
}: Pick<SweepOptions, "python" | "folder" | "seed"> & {
  readonly form: string;
  readonly count: string;
}): Promise<void> {
  const drawn = ["--seed", String(seed), "--form", form, "--count", count];
  await runPython(python, [script("make_random_modules"), folder, ...drawn]);
}
