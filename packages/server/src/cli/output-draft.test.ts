import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, test } from "node:test";
import { withOutputDraft, writeOutput } from "./output-draft.ts";
import type { EndingProcess } from "./undone-at-end.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "output-draft-"));
});
afterEach(() => rmSync(folder, { recursive: true }));

const write = async (draft: string): Promise<void> => {
  writeFileSync(draft, "model");
  writeFileSync(`${draft}.data`, "weights");
};

describe("withOutputDraft()", () => {
  test("the file and what lies beside it appear together, over what was there", async () => {
    const path = join(folder, "out.onnx");
    writeFileSync(path, "old");
    const value = await withOutputDraft(path, async (draft) => {
      await write(draft);
      assert.equal(readFileSync(path, "utf8"), "old");
      return { keep: true, value: 7 };
    });
    assert.equal(value, 7);
    assert.deepEqual(readdirSync(folder).sort(), ["out.onnx", "out.onnx.data"]);
    assert.equal(readFileSync(path, "utf8"), "model");
  });

  test("nothing is left of work that throws, or that is not kept", async () => {
    const path = join(folder, "out.onnx");
    const failing = withOutputDraft(path, async (draft) => {
      await write(draft);
      throw new Error("no");
    });
    await assert.rejects(failing, /no/);
    await withOutputDraft(path, async (draft) => {
      await write(draft);
      return { keep: false, value: 0 };
    });
    assert.deepEqual(readdirSync(folder), []);
  });

  test("nothing is left when a signal ends the process, heard while it computes or right after", async () => {
    for (const moment of ["within", "after"] as const) {
      const listeners = new Map<string, () => void>();
      const codes: number[] = [];
      const ending: EndingProcess = {
        on: (event, listener) => listeners.set(event, listener),
        off: (event) => listeners.delete(event),
        exit(code) {
          codes.push(code);
          listeners.get("exit")!();
        },
      };
      const interrupt = (): void => listeners.get("SIGINT")!();
      const work = async (draft: string) => {
        await write(draft);
        if (moment === "within") interrupt();
        else setImmediate(interrupt);
        return { keep: moment === "after", value: 0 };
      };
      // The process would have ended: what goes on behind it here finds its draft gone.
      await withOutputDraft(join(folder, "out.onnx"), work, { ending }).catch(() => {});
      assert.deepEqual(codes, [130]);
      assert.deepEqual(readdirSync(folder), []);
      assert.equal(listeners.size, 0);
    }
  });

  test("a text goes into what is no file, and never takes its place", async () => {
    await writeOutput("/dev/null", "text");
    assert.equal(statSync("/dev/null").isFile(), false);
  });

  test("where nothing can be written, the whole path is said before any work", async () => {
    mkdirSync(join(folder, "taken.onnx"));
    writeFileSync(join(folder, "file"), "");
    for (const [name, words] of [
      ["nowhere/out.onnx", "there is no folder"],
      ["taken.onnx", "it is a folder"],
      ["file/out.onnx", "is no folder"],
    ] as const) {
      const path = join(folder, name);
      const message = new RegExp(`-o: ${path} cannot be written: .*${words}`);
      await assert.rejects(
        withOutputDraft(path, () => assert.fail("it was worked on")),
        { message },
      );
    }
  });
});
