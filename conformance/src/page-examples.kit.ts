import { execFile } from "node:child_process";

/** A command that a page shows, with what it prints. */
export interface Example {
  readonly command: string;
  /** What it prints; `…` stands for anything. */
  readonly shown: string;
}

/** The commands of a page's `console` blocks, each with the lines that follow it. */
export function examplesOf(page: string): Example[] {
  const examples: Example[] = [];
  for (const [, block = ""] of page.matchAll(/^```console\n([\s\S]*?)^```$/gm)) {
    for (const line of block.trimEnd().split("\n")) {
      const last = examples.at(-1);
      if (/^(?:curl|head|echo|npx) /.test(line)) examples.push({ command: line, shown: "" });
      else if (last !== undefined)
        examples[examples.length - 1] = { ...last, shown: `${last.shown}${line}\n` };
    }
  }
  return examples;
}

/** Whether a command printed what the page shows. */
export function matches(output: string, shown: string): boolean {
  const pattern = shown
    .trim()
    .split("…")
    .map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, "\\$&").replaceAll("\n", "\\r?\\n"));
  return new RegExp(`^${pattern.join("[\\s\\S]*")}$`).test(output.trim());
}

/** Runs a command as a reader of the page would; resolves to what it printed, rejects when it fails. */
export function runExample(
  command: string,
  options: { readonly cwd: string; readonly env?: Readonly<Record<string, string>> },
): Promise<string> {
  return new Promise((resolve, reject) => {
    const env = { ...process.env, ...options.env };
    execFile("bash", ["-c", command], { cwd: options.cwd, env, encoding: "utf8" }, (error, stdout) => {
      if (error === null) resolve(stdout);
      else reject(error);
    });
  });
}
