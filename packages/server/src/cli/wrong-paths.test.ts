// Tests what the command line says of files that are not what they were taken for.
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import { startServer } from "../app/start-server.ts";
import { readyReport } from "./banner.ts";
import { main } from "./main.ts";

const folder = mkdtempSync(join(tmpdir(), "wrong-paths-"));
const at = (name: string): string => join(folder, name);
mkdirSync(at("model"));
for (const name of ["export.py", "train.ipynb", "model/model.py", "empty.json", "model/digits.pt2"])
  writeFileSync(at(name), "");
writeFileSync(at("zip.json"), "PK\x03\x04\0\0");
writeFileSync(at("half.json"), '{"input": [');
writeFileSync(at("marked.json"), '\uFEFF{"input": [1]}');
symlinkSync("gone.pt2", at("link.pt2"));
after(() => rmSync(folder, { recursive: true }));

async function run(...argv: readonly string[]): Promise<{ code: number; err: string }> {
  let err = "";
  const ignored = { write: () => true };
  const stderr = { write: (text: string) => (err += text) };
  const readStdin = async (): Promise<Buffer> => Buffer.from("{");
  return { code: await main(argv, { stdout: ignored, stderr, env: {}, readStdin }), err };
}

/** Nothing listens there. */
const NOBODY = ["--url", "http://127.0.0.1:9"];
const ASK = ["predict", "digits", ...NOBODY, "--input"];

describe("what is not what it was taken for is said, with what to do", () => {
  const cases: [argv: readonly string[], code: number, words: RegExp][] = [
    [["serve", at("export.py")], 2, /export\.py is a program, and no model: run it .*torch\.export\.save/],
    [["serve", at("train.ipynb")], 2, /train\.ipynb is a program/],
    [["check", at("export.py")], 2, /export\.py is a program/],
    [["serve", at("model/model.py")], 2, /model\.py is the code of a model: name the folder .*model\n/],
    [["serve", at("link.pt2")], 2, /link\.pt2 is a link to gone\.pt2, and there is nothing/],
    [["serve", at("model\\digits.pt2")], 2, /did you mean .*model\/digits\.pt2\?/],
    [["serve", "~/digits.pt2"], 2, /shells know ~ only outside quotation marks/],
    [["serve", at("model"), "--python", "/nope/python"], 2, /--python: \/nope\/python: no such interpreter/],
    [["doctor", "--python", at("nope")], 2, /--python: .*nope: no such interpreter or virtual environment/],
    [[...ASK, at("empty.json")], 1, /--input: .*empty\.json is empty/],
    [[...ASK, at("zip.json")], 1, /--input: .*zip\.json is neither JSON nor an image \(\.png, /],
    [[...ASK, at("half.json")], 1, /--input: .*half\.json is not JSON: /],
    [[...ASK, at("marked.json")], 1, /no server answers/],
    [[...ASK, "-"], 1, /--input: standard input is not JSON/],
    [["keys", "list", "--api-keys", at("zip.json")], 1, /zip\.json: the file of keys: it is not JSON/],
    [["keys", "add", "--name", "a", "--api-keys", at("no/k.json")], 1, /there is no folder .*no\n/],
    [
      ["serve", at("model"), "--api-keys", at("k.json")],
      1,
      /; sconce keys add --api-keys .*k\.json makes it/,
    ],
    [["serve", at("model"), "--shadow", "1%"], 2, /such as share: 1%/],
    [["run", at("model")], 2, /did you mean sconce serve\?/],
    [["version"], 2, /did you mean sconce --version\?/],
    [["-V"], 0, /^$/],
  ];
  for (const [argv, code, words] of cases) {
    test(argv.join(" ").replaceAll(folder, ""), async () => {
      const { code: ended, err } = await run(...argv);
      assert.match(err, words);
      assert.equal(ended, code);
    });
  }
});

test("a folder without a model says what a model is", async (t) => {
  mkdirSync(at("none"));
  const running = await startServer({ paths: [at("none")] });
  t.after(() => running.stop());
  await running.settled;
  assert.match(readyReport(running, 1), /^No model was found: a model is a file \(\.pt2, .*\n$/);
});
