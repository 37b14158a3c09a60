import assert from "node:assert/strict";
import { test } from "node:test";
import { fitLines } from "./fit-lines.ts";

test("fitLines() breaks between words and goes on under them, and only for a terminal", () => {
  const line = "batching    off: the first dimension of input x is fixed at 1; export it again";
  assert.equal(fitLines(line, undefined), line);
  assert.equal(fitLines(line, 200), line);
  const fitted = fitLines(line, 40);
  for (const part of fitted.split("\n")) assert.ok(part.length <= 40, part);
  assert.ok(
    fitted
      .split("\n")
      .slice(1)
      .every((part) => part.startsWith(" ".repeat(12)) && part[12] !== " "),
  );
  assert.equal(fitted.replace(/\n +/g, " "), line);
});

test("an address stays whole, and no word is lost on a narrow terminal", () => {
  const line = "  REST       http://127.0.0.1:8080/predict/a-model-with-a-very-long-name and more";
  const fitted = fitLines(line, 30);
  assert.ok(fitted.includes("http://127.0.0.1:8080/predict/a-model-with-a-very-long-name"));
  assert.deepEqual(fitted.split(/\s+/).filter(Boolean), line.split(/\s+/).filter(Boolean));
});
