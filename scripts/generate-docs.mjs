// Writes the docs pages whose truth is a table in the code. `--check` fails when a page is out of date.
import { readFileSync, writeFileSync } from "node:fs";
import { MODEL_OPTIONS } from "../packages/server/dist/config/model-options.js";
import { optionsMarkdown } from "../packages/server/dist/config/option-docs.js";
import { SERVER_OPTIONS } from "../packages/server/dist/config/server-options.js";
import { coreOps, supportedOps } from "../packages/torch/dist/index.js";
import { apiPage } from "./api-page.mjs";
import { errorsPage } from "./errors-page.mjs";
import { wrongUsagePage } from "./wrong-usage-page.mjs";

const configuration = `# Configuration

<!-- Generated from packages/server/src/config by \`npm run docs\`. -->

Nothing needs to be configured. Every option is a flag of \`sconce serve\`, an environment variable and a key of a YAML file
(\`--config sconce.yaml\`); a flag wins over the environment, the environment over the file, the file over the default. Durations are
\`250us\`, \`5ms\`, \`30s\`, \`2m\` or a number of milliseconds; sizes are \`64MiB\`, \`2GB\` or a number of bytes. A misspelt key is refused.

## The server

${optionsMarkdown(SERVER_OPTIONS, { env: true })}
## A model

Keys of a model's \`model.yaml\`. As flags (\`--max-batch-size 8\`), environment variables, or under \`models:\` in the configuration file they
are defaults for every model.

${optionsMarkdown(MODEL_OPTIONS, { env: false })}`;

const ops = supportedOps();
const core = coreOps();
const translated = core.filter(({ state }) => state === "translated");
const others = core.filter(({ state }) => state !== "translated");
const coreSection = `## Core ATen

PyTorch tags ${core.length} overloads as Core ATen, the set that \`run_decompositions()\` leads to. ${translated.length} of them translate (marked
*core* below). The others:

| overload | state | |
|---|---|---|
${others.map(({ target, state, note }) => `| \`${target}\` | ${state} | ${note} |`).join("\n")}
`;
const isCore = new Set(core.map(({ target }) => target));
const headings = [...new Set(ops.map(({ heading }) => heading))].sort();
const headingSections = headings.map((heading) => {
  const lines = ops
    .filter((op) => op.heading === heading)
    .map(
      ({ target, schema, takesComplex }) =>
        `- \`${target}\`${isCore.has(target) ? " *core*" : ""}${takesComplex ? " ℂ" : ""}${schema === undefined ? "" : ` — \`${schema}\``}`,
    );
  return `## ${heading}\n\n${lines.join("\n")}\n`;
});
const supported = `# Supported ops

<!-- Generated from packages/torch/src/lower by \`npm run docs\`. -->

${ops.length} ops of PyTorch's training IR and Core ATen translate to ONNX. In-place forms (\`relu_\`, \`copy_\`, …) and writes through views are
made functional first, or refused by name, and are not listed apart. What is missing here is named by \`sconce inspect\`, all at once;
\`npm run oracle\` runs every op against PyTorch's own samples.

ONNX Runtime has no complex tensors. ${ops.filter(({ takesComplex }) => takesComplex).length} ops, marked ℂ, translate where an operand or a result is complex: as a pair of real tensors inside the
program, and as one real tensor with a last dimension of 2 (real part, imaginary part) where one enters or leaves it
([model-formats.md](model-formats.md#complex-numbers)). Every other op is refused by name when it meets a complex tensor.

${coreSection}
${headingSections.join("\n")}`;

const PAGES = {
  "docs/api.md": apiPage(),
  "docs/errors.md": errorsPage,
  "docs/command-line.md": await wrongUsagePage(),
  "docs/supported-ops.md": supported,
  "docs/configuration.md": configuration,
};

let stale = 0;
for (const [path, text] of Object.entries(PAGES)) {
  const file = new URL(`../${path}`, import.meta.url);
  if (!process.argv.includes("--check")) {
    writeFileSync(file, text);
  } else if (readFileSync(file, "utf8") !== text) {
    console.error(`${path} is out of date: run npm run docs`);
    stale += 1;
  }
}
process.exitCode = stale === 0 ? 0 : 1;
