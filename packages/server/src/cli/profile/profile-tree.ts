import type { NodePlace } from "@sconce/torch";
import type { ProfileSample } from "./profile-sample.ts";

/** A module of the model with the time that was spent in it. */
export interface ModuleTime {
  /** Its attribute path; "": the model itself. */
  readonly module: string;
  readonly type: string | undefined;
  /** Where its own operations are asked for: of the one that takes longest. */
  readonly line: string | undefined;
  /** Of the modules inside it, too. */
  readonly ms: number;
  readonly ownMs: number;
  /** The longest first; those that have numbers for names in the order of these. */
  readonly children: readonly ModuleTime[];
}

interface Growing {
  readonly module: string;
  type: string | undefined;
  line: string | undefined;
  longestMs: number;
  ms: number;
  ownMs: number;
  readonly children: Map<string, Growing>;
}

/** The modules of all samples that have a place. */
export function moduleTree(samples: readonly ProfileSample[]): ModuleTime {
  const root = growing("");
  for (const { place, ms } of samples) {
    if (place === undefined) continue;
    let at = root;
    at.ms += ms;
    for (const module of pathsTo(place.module)) {
      const known = at.children.get(module) ?? growing(module);
      at.children.set(module, known);
      at = known;
      at.ms += ms;
    }
    at.ownMs += ms;
    at.type ??= place.type;
    if (place.line !== undefined && ms >= at.longestMs) {
      at.line = place.line;
      at.longestMs = ms;
    }
  }
  return grown(root);
}

function growing(module: string): Growing {
  return { module, type: undefined, line: undefined, longestMs: 0, ms: 0, ownMs: 0, children: new Map() };
}

/** `a`, `a.b`, `a.b.c`. */
function pathsTo(module: string): string[] {
  if (module === "") return [];
  const parts = module.split(".");
  return parts.map((_, i) => parts.slice(0, i + 1).join("."));
}

function grown({ children, longestMs: _, ...rest }: Growing): ModuleTime {
  return { ...rest, children: ordered([...children.values()].map(grown)) };
}

function ordered(children: ModuleTime[]): ModuleTime[] {
  const numberOf = ({ module }: ModuleTime): number => Number(module.slice(module.lastIndexOf(".") + 1));
  const areNumbered = children.every((child) => Number.isInteger(numberOf(child)));
  return children.sort((a, b) => (areNumbered ? numberOf(a) - numberOf(b) : b.ms - a.ms));
}

/** Time by some word of its samples. */
export interface GroupTime {
  readonly name: string;
  readonly ms: number;
  readonly calls: number;
  /** Of the sample that took longest. */
  readonly line: string | undefined;
  /** What ran it, the longest first. */
  readonly kernels: readonly string[];
  /** Modules whose operations are part of it: by kind. */
  readonly along: readonly string[];
}

/** Sums samples up by a word; those without one are left out. The longest first. */
export function grouped(
  samples: readonly ProfileSample[],
  wordOf: (sample: ProfileSample) => string | undefined,
): GroupTime[] {
  const groups = new Map<string, ProfileSample[]>();
  for (const sample of samples) {
    const word = wordOf(sample);
    if (word === undefined) continue;
    const known = groups.get(word);
    if (known === undefined) groups.set(word, [sample]);
    else known.push(sample);
  }
  return [...groups].map(([name, group]) => summedUp(name, group)).sort((a, b) => b.ms - a.ms);
}

function summedUp(name: string, group: readonly ProfileSample[]): GroupTime {
  const sorted = [...group].sort((a, b) => b.ms - a.ms);
  return {
    name,
    ms: sum(group),
    calls: group.reduce((calls, sample) => calls + sample.calls, 0),
    line: sorted.find(({ place }) => place?.line !== undefined)?.place?.line,
    kernels: [...new Set(sorted.map(({ kernel }) => kernel))],
    along: [...new Set(sorted.flatMap(({ along }) => along.map(kindOf)))],
  };
}

/** The time of all of them. */
export function sum(samples: readonly ProfileSample[]): number {
  return samples.reduce((ms, sample) => ms + sample.ms, 0);
}

/** `encoder.layer.*.attention (Attention)`: the modules of a class that are called so, wherever they are repeated. */
export function kindOf({ module, type }: NodePlace): string {
  const pattern = module.replace(/(^|\.)\d+(?=\.|$)/g, "$1*");
  return type === undefined ? pattern : `${pattern} (${type.split(".").at(-1)})`.trimStart();
}
