import type { OptionTable } from "../config/option.ts";
import type { Arguments } from "./arguments.ts";
import type { StopSignals } from "./stop-signals.ts";

/** Where a command writes and what it knows of its surroundings. */
export interface Terminal {
  readonly stdout: { write(text: string): unknown };
  readonly stderr: { write(text: string): unknown };
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Of the process, for a command that serves. Default: signals do what Node has them do. */
  readonly signals?: StopSignals;
  /** Somebody sits in front of it. Default: nobody does. */
  readonly isInteractive?: boolean;
  /** How many columns of text fit on a line. Default: 100. */
  readonly columns?: number | undefined;
  /** Of each stream that is a terminal, how wide it is; undefined: it leads elsewhere, and lines stay whole. */
  readonly widths?: { readonly stdout?: number | undefined; readonly stderr?: number | undefined };
  /** Shows what is being done where a line of text can be taken back, until the next call; without a text takes it back. */
  readonly progress?: ((text?: string) => void) | undefined;
  /** Reads standard input to its end. */
  readStdin(): Promise<Buffer>;
}

/** A command of the `sconce` program. */
export interface Command {
  readonly name: string;
  /** Its arguments, for the usage line. */
  readonly usage: string;
  readonly summary: string;
  readonly tables: readonly OptionTable[];
  /** Resolves with the exit code. */
  run(args: Arguments, terminal: Terminal): Promise<number>;
}
