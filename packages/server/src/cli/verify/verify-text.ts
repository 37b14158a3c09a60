import type { Difference } from "../../base/compare-tensors.ts";
import type { NamedTensor } from "../../base/tensor.ts";
import type { Outcome } from "./ask-model.ts";
import type { FoundDifference } from "./find-difference.ts";

/** One trial as both sides answered it. */
export interface Compared {
  readonly label: string;
  readonly got: Outcome;
  readonly want: Outcome;
}

/** The worst of one output over all trials. */
export interface WorstOutput extends Difference {
  readonly trial: string;
}

/** What the comparison says. */
export interface Verdict {
  /** `nothing`: no trial was answered by both. */
  readonly kind: "equal" | "different" | "nothing";
  readonly tolerance: number;
  readonly compared: number;
  /** Trials that both reject, with the translation's words. */
  readonly rejected: readonly { readonly trial: string; readonly why: string }[];
  readonly outputs: readonly WorstOutput[];
  /** Trials that one side rejects and the other answers. */
  readonly oneSided: readonly {
    readonly trial: string;
    readonly who: "translation" | "PyTorch";
    readonly why: string;
  }[];
}

type Compare = (got: NamedTensor, want: NamedTensor) => Difference;

/** The worst difference of each output over all trials, and whether all of it is within the tolerance. */
export function verdictOf(
  all: readonly Compared[],
  { tolerance, compare }: { readonly tolerance: number; readonly compare: Compare },
): Verdict {
  const worst = new Map<string, WorstOutput>();
  const rejected: { trial: string; why: string }[] = [];
  const oneSided: Verdict["oneSided"][number][] = [];
  let compared = 0;
  for (const { label: trial, got, want } of all) {
    if (got.kind === "rejected") {
      if (want.kind === "rejected") rejected.push({ trial, why: got.why });
      else oneSided.push({ trial, who: "translation", why: got.why });
    } else if (want.kind === "rejected") oneSided.push({ trial, who: "PyTorch", why: want.why });
    else {
      compared += 1;
      for (const [i, expected] of want.outputs.entries()) {
        const difference = compare(got.outputs[i]!, expected);
        const known = worst.get(difference.output);
        if (known === undefined || difference.error > known.error)
          worst.set(difference.output, { ...difference, trial });
      }
    }
  }
  const outputs = [...worst.values()];
  const isEqual = oneSided.length === 0 && outputs.every(({ error }) => error <= tolerance);
  const kind = compared === 0 && oneSided.length === 0 ? "nothing" : isEqual ? "equal" : "different";
  return { kind, tolerance, compared, rejected, outputs, oneSided };
}

/** What the command ends with. */
export function exitCodeOf({ kind }: Verdict): number {
  return kind === "equal" ? 0 : 1;
}

/** Of rejections only so many are shown. */
const MOST_SHOWN = 5;

/** The verdict for people. `begins`: where a difference begins, where there is one. */
export function verifyText(model: string, verdict: Verdict, begins?: FoundDifference): string {
  const { kind, tolerance, compared, rejected, outputs, oneSided } = verdict;
  const lines = [
    {
      equal: `${model}: the translation equals PyTorch within ${tolerance}, for ${compared} inputs`,
      different: `${model}: the translation differs from PyTorch`,
      nothing: `${model}: nothing was compared, since both reject every input; give some with --input`,
    }[kind],
    ...outputs.map(outputLine),
    ...(begins === undefined ? [] : [beginsLine(begins)]),
    ...oneSided.map(
      ({ trial, who, why }) =>
        `  only the ${who === "PyTorch" ? "translation answers" : "PyTorch model answers"} ${trial}: ${why}`,
    ),
    ...rejected.slice(0, MOST_SHOWN).map(({ trial, why }) => `  both reject ${trial}: ${why}`),
    ...(rejected.length > MOST_SHOWN ? [`  and ${rejected.length - MOST_SHOWN} more`] : []),
  ];
  return `${lines.join("\n")}\n`;
}

function beginsLine(found: FoundDifference): string {
  if ("why" in found) return `  where it begins cannot be said: ${found.why}`;
  const { name, op, module, type, line, difference } = found;
  const kind = type.split(".").at(-1);
  const where = module === "" ? "the model itself" : `${module}${kind ? ` (${kind})` : ""}`;
  return `  it begins in ${where}, at ${op}${line === "" ? "" : ` of ${line}`}, value ${name}: ${difference.words}`;
}

function outputLine({ output, error, words, trial }: WorstOutput): string {
  return error === 0
    ? `  ${output}: equal to the last bit`
    : `  ${output}: at most ${error.toPrecision(2)}, ${words} (${trial})`;
}
