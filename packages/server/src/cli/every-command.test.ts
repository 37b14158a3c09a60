// Tests what holds for every command, of today and to come: its help fits narrow terminals, and a misspelt option is told the right one.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { flagName } from "../config/option.ts";
import { COMMANDS, main } from "./main.ts";

interface Said {
  readonly code: number;
  readonly text: string;
}

async function said(argv: readonly string[], columns: number): Promise<Said> {
  let text = "";
  const stream = { write: (more: string) => (text += more) };
  const code = await main(argv, {
    stdout: stream,
    stderr: stream,
    env: {},
    readStdin: async () => Buffer.alloc(0),
    isInteractive: true,
    columns,
    widths: { stdout: columns, stderr: columns },
  });
  return { code, text };
}

const words = (text: string): string[] => text.split(/\s+/);

describe("every command", () => {
  for (const [name, load] of COMMANDS) {
    test(`${name} --help fits 80 columns, and breaks no word or URL`, async () => {
      const narrow = await said([name, "--help"], 80);
      const wide = await said([name, "--help"], 100_000);
      assert.deepEqual([narrow.code, wide.code], [0, 0]);
      assert.deepEqual(words(narrow.text), words(wide.text));
      for (const line of narrow.text.split("\n"))
        assert.ok(line.length <= 80, `${line.length} columns: ${line}`);
    });

    test(`${name} tells whoever misspells an option which one was meant`, async () => {
      const { tables } = await load();
      const flags = Object.keys(Object.assign({}, ...tables) as object).map(flagName);
      for (const flag of flags.filter((one) => one.length > 6)) {
        const middle = Math.ceil(flag.length / 2);
        const misspelt = flag.slice(0, middle) + flag.slice(middle + 1);
        if (flags.includes(misspelt)) continue;
        const { code, text } = await said([name, misspelt], 80);
        assert.equal(code, 2, text);
        assert.match(text, new RegExp(`unknown option.*${misspelt}[\\s\\S]*did\\s+you\\s+mean\\s+--`), text);
        assert.ok(
          words(text).some((word) => word.replace(/\W+$/, "") === flag),
          `${misspelt}: ${text}`,
        );
      }
    });
  }
});
