import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import { checkBlock } from "./check-block.ts";
import { ROOT } from "./walk-page.ts";

const folder = mkdtempSync(join(tmpdir(), "check-block-"));
after(() => rmSync(folder, { recursive: true }));

describe("checkBlock() takes what would be taken, and says what would not", () => {
  const cases: [as: string, right: string, wrong: string, fault: RegExp][] = [
    ["commands", "$ sconce serve a --port 1\nprinted", "sconce serve a --prot 1", /did you mean --port/],
    ["commands", "npx sconce serve a --port 1", "sconce serve a --port x", /--port/],
    ["commands", "A=b sconce inspect 'a b.pt2' # why", "sconce inspekt a", /no command inspekt/],
    ["commands", "npm ci && npm start", "npm ci && npm run nothing", /no script nothing/],
    ["commands", "npm install @redis/client", "npm install @redis/clinet", /no package/],
    ["commands", "kubectl apply -k deploy/kubernetes", "kubectl apply -k deploy/none", /no deploy\/none/],
    ["commands", "sconce list", "only what is printed", /no command that could be checked/],
    ["container.yaml", "args: [serve, /m, --port=1]", "args: [serve, /m, --prot=1]", /--port/],
    ["model.yaml", "max_batch_size: 8", "max_batch_sise: 8", /max_batch_size/],
    ["model.yaml", "pipeline: {steps: [{model: a}]}", "pipeline: {steps: [{modle: a}]}", /modle/],
    ["sconce.yaml", "port: 1\nmodels: {instances: 2}", "prot: 1", /port/],
    ["key_file.json", "{}", "{", /JSON/],
    ["types", "let n: number = one();", "let n: number = 'one';", /not assignable/],
  ];
  for (const [as, right, wrong, fault] of cases) {
    test(`${as}: ${wrong}`, async () => {
      const places = { folder, root: ROOT };
      await checkBlock(as, right, places);
      await assert.rejects(checkBlock(as, wrong, places), fault);
    });
  }
});
