import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { parseArguments } from "./arguments.ts";

const TABLE = {
  port: { kind: "integer", min: 0, max: 9, default: 1, doc: "" },
  lazyLoading: { kind: "flag", default: false, doc: "" },
  names: { kind: "texts", default: [], doc: "" },
  output: { kind: "text", default: null, doc: "" },
} as const;
const parse = (...argv: string[]) => parseArguments(argv, [TABLE]);

describe("parseArguments()", () => {
  test("values, flags, lists and letters, in any order", () => {
    const { positionals, flags } = parse(
      ...["a", "--port=1", "--lazy-loading", "--names", "x", "-o", "out", "--names=y", "--", "--port"],
    );
    assert.deepEqual(positionals, ["a", "--port"]);
    assert.deepEqual(Object.fromEntries(flags), {
      "--port": "1",
      "--lazy-loading": true,
      "--names": "x,y",
      "--output": "out",
    });
    assert.equal(parse("--lazy-loading=false").flags.get("--lazy-loading"), "false");
    assert.equal(parse("--port", "-1").flags.get("--port"), "-1");
    assert.equal(parse("--names", "-").flags.get("--names"), "-");
  });

  for (const [argv, message] of [
    [["--prot", "1"], "unknown option --prot; did you mean --port?"],
    [["--prot=1"], "unknown option --prot; did you mean --port?"],
    [["-p", "1"], "unknown option -p"],
    [["--port"], "--port: a value is missing after it"],
    [["-o"], "-o: a value is missing after it"],
    [
      ["--port", "--lazy-loading"],
      "--port: a value is missing before --lazy-loading; a value that begins with a dash is written --port=VALUE",
    ],
  ] as const) {
    test(argv.join(" "), () => {
      assert.throws(() => parse(...argv), { reason: "bad_arguments", message });
    });
  }
});
