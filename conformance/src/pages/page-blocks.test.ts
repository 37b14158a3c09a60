import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { commandsOf, partsOfPage } from "./page-blocks.ts";

const fenced = (language: string, text: string, marker = ""): string =>
  `${marker}${marker === "" ? "" : "\n"}\`\`\`${language}\n${text}\n\`\`\`\n`;

describe("partsOfPage()", () => {
  test("a block says what it is for, or the page is refused", () => {
    const page = `<!-- serves: examples/models -->\n${fenced("python", "import torch", "<!-- file: a.py -->")}
${fenced("", "drawing", "<!-- shown: a drawing of something -->")}${fenced("console", "python a.py")}`;
    const { serves, blocks } = partsOfPage(page, "page.md");
    assert.equal(serves, "examples/models");
    assert.deepEqual(
      blocks.map(({ use }) => use),
      [
        { kind: "file", name: "a.py" },
        { kind: "shown", what: "a drawing of something" },
        { kind: "commands" },
      ],
    );
    for (const language of ["", "python", "yaml", "js"])
      assert.throws(
        () => partsOfPage(`text\n\n${fenced(language, "x")}`, "page.md"),
        /page\.md:3: nothing says/,
      );
  });

  test("blocks inside lists lose their indent", () => {
    const page = "- item\n\n  <!-- file: a.yaml -->\n  ```yaml\n  a:\n    b: 1\n  ```\n";
    assert.equal(partsOfPage(page, "page.md").blocks[0]!.text, "a:\n  b: 1\n");
  });
});

test("commandsOf() takes what follows a command for its output, and goes on after a backslash", () => {
  assert.deepEqual(commandsOf("curl -s x \\\n  -d y\n{}\nmore\n$ sconce list\n"), [
    { command: "curl -s x \\\n  -d y", shown: "{}\nmore\n" },
    { command: "sconce list", shown: "" },
  ]);
});
