import type { LoadedWindow } from "./capacity.ts";

/** One round: the new settings and the present ones, one after the other. */
export interface Round {
  readonly now: LoadedWindow;
  readonly new: LoadedWindow;
}

/** What the rounds show. */
export interface FinalVerdict {
  readonly isBetter: boolean;
  /** Score of the new settings by that of the present ones: median, lowest and highest of the rounds. */
  readonly gain: number;
  readonly lowest: number;
  readonly highest: number;
  /** Rounds in which each kept the goal. */
  readonly kept: { readonly now: number; readonly new: number };
  readonly rounds: number;
}

/** Fewer rounds show nothing, whatever the budget says. */
export const LEAST_ROUNDS = 3;
/** A smaller gain may be chance. */
const LEAST_GAIN = 1.05;
/** So many rounds have to agree. */
const MOST = 0.8;

/** Judges new settings: better where they keep the goal in most rounds, and the present ones either do not, or are slower in most rounds and by more than chance. */
export function verdictOf(rounds: readonly Round[]): FinalVerdict {
  const gains = rounds.map((round) => round.new.score / round.now.score).sort((a, b) => a - b);
  const count = (side: keyof Round): number => rounds.filter((round) => round[side].meets).length;
  const kept = { now: count("now"), new: count("new") };
  const gain = gains[gains.length >> 1] ?? 1;
  const enough = Math.ceil(MOST * rounds.length);
  const isKept = kept.new >= enough && rounds.length >= LEAST_ROUNDS;
  const isFaster = gain >= LEAST_GAIN && gains.filter((one) => one > 1).length >= enough;
  return {
    isBetter: isKept && (isFaster || kept.now < rounds.length - enough + 1),
    gain,
    lowest: gains[0] ?? 1,
    highest: gains.at(-1) ?? 1,
    kept,
    rounds: rounds.length,
  };
}
