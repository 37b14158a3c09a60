import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { until } from "../until.kit.ts";

/** The command line of this tree. */
export const BIN: string = fileURLToPath(new URL("../../../packages/server/bin/sconce.js", import.meta.url));

/** Why there is no terminal for a test on this machine; `false` where there is. */
export const noTerminal: string | false = hasScript() ? false : "needs script of util-linux";

/** A program on a terminal (a pty) of its own, and somebody at the keyboard. */
export interface OnTerminal {
  /** Of what holds the terminal; the program is its child. */
  readonly pid: number;
  /** Everything that was shown so far, with the terminal's own codes. */
  shown(): string;
  /** Presses keys: `"\t"`, `"\x03"` for Ctrl-C. */
  type(keys: string): void;
  /** Waits until this is shown. */
  sees(words: RegExp): Promise<void>;
  /** Waits for the program's end: its exit code, 128 and the signal's number for one that a signal ended. */
  ended(): Promise<number>;
  /** Takes the terminal away. */
  close(): Promise<void>;
}

export interface TerminalWishes {
  readonly cwd: string;
  readonly columns: number;
  readonly env?: Readonly<Record<string, string>>;
}

/** Runs a line of bash on a new terminal of this width. */
export function onTerminal(line: string, { cwd, columns, env }: TerminalWishes): OnTerminal {
  const child = spawn("script", ["-qec", `stty cols ${columns} rows 50; ${line}`, "/dev/null"], {
    cwd,
    env: { ...process.env, TERM: "xterm", SHELL: "/bin/bash", SCONCE_TRANSLATION_CACHE: "off", ...env },
  });
  let shown = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    shown += text;
  });
  child.stdin.on("error", () => {});
  const end = once(child, "close") as Promise<[number]>;
  return {
    pid: child.pid!,
    shown: () => shown,
    type: (keys) => void child.stdin.write(keys),
    async sees(words) {
      const look = (): boolean => {
        if (child.exitCode !== null && !words.test(shown)) throw new Error("the program ended");
        return words.test(shown);
      };
      try {
        await until(`the terminal shows ${words}`, look);
      } catch (error) {
        throw new Error(`${(error as Error).message}; it shows\n${shown}`, { cause: error });
      }
    },
    ended: async () => (await end)[0],
    async close() {
      if (child.exitCode === null) child.kill("SIGTERM");
      await end;
    },
  };
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: that is what terminals are told
const CODES = /\x1b\[[\d;?]*[A-Za-z]/g;

/** What is left on the screen: without colours, and of a line that was written over, the last state. */
export function screen(shown: string): string {
  return shown
    .replaceAll("\r\n", "\n")
    .replace(CODES, "")
    .replace(/^.*\r(?=[^\n])/gm, "");
}

function hasScript(): boolean {
  return /util-linux/.test(spawnSync("script", ["--version"], { encoding: "utf8" }).stdout ?? "");
}
