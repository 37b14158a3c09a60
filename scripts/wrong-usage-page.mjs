// docs/command-line.md: what every command says to wrong uses of it. Each of them is tried, in this process.
import {
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { COMMANDS, main } from "../packages/server/dist/cli/main.js";
import { flagName } from "../packages/server/dist/config/option.js";

const DIGITS = fileURLToPath(new URL("../examples/models/digits.pt2", import.meta.url));
/** A value that an option of a kind cannot have; of the kinds that take any text there is none. */
const WRONG_VALUES = {
  choice: "loud",
  integer: "abc",
  number: "much",
  duration: "5 weeks",
  bytes: "much",
  "count-or-auto": "some",
  integers: "a,b",
  mapping: "x",
};

function layOut(folder) {
  const digits = readFileSync(DIGITS);
  copyFileSync(DIGITS, join(folder, "digits.pt2"));
  writeFileSync(join(folder, "half.pt2"), digits.subarray(0, digits.length / 2));
  writeFileSync(join(folder, "empty.pt2"), "");
  writeFileSync(join(folder, "notes.pt2"), "a shopping list\n");
  writeFileSync(join(folder, "row.json"), "[[1]]");
  writeFileSync(join(folder, "prot.yaml"), "prot: 1\n");
  writeFileSync(join(folder, "list.yaml"), "- 1\n");
  mkdirSync(join(folder, "models"));
  copyFileSync(DIGITS, join(folder, "models", "digits.pt2"));
  mkdirSync(join(folder, "taken.onnx"));
}

/** What comes after the command's name, so that only the options under test are wrong. */
const RIGHT = {
  serve: ["digits.pt2"],
  inspect: ["digits.pt2"],
  predict: ["digits", "--input", "row.json", "--url", "http://127.0.0.1:1"],
  convert: ["digits.pt2", "-o", "out.onnx"],
  quantize: ["digits.pt2", "--int8", "-o", "out.onnx"],
  bench: ["digits", "--url", "http://127.0.0.1:1"],
  why: ["digits", "--url", "http://127.0.0.1:1"],
  tune: ["digits.pt2", "--slo", "p99=50ms"],
  doctor: [],
  keys: ["list", "--api-keys", "keys.json"],
  list: ["--url", "http://127.0.0.1:1"],
  rollout: ["digits", "--url", "http://127.0.0.1:1"],
  check: ["digits.pt2"],
  init: ["digits.pt2", "-o", "-"],
  completion: ["bash"],
  export: ["models", "-o", "out.pt2"],
  verify: ["nowhere.pt2"],
  profile: ["nowhere.pt2"],
  curl: ["digits", "--url", "http://127.0.0.1:1"],
  types: ["http://127.0.0.1:1"],
  migrate: ["models"],
};

/** Wrong uses that every command has: of its options, one of each kind. */
function optionCases({ name, tables }) {
  const rows = Object.entries(Object.assign({}, ...tables)).map(([key, row]) => [flagName(key), row]);
  const valued = rows.find(([, row]) => row.kind !== "flag");
  const longest = rows.map(([flag]) => flag).reduce((a, b) => (b.length > a.length ? b : a), "");
  const kinds = [...new Set(rows.map(([, row]) => row.kind))].filter((kind) => kind in WRONG_VALUES);
  return [
    ...(longest === "" ? [] : [[longest.slice(0, -1)]]),
    ["--frobnicate"],
    ["-x"],
    ...(valued === undefined ? [] : [[valued[0]]]),
    ...kinds.map((kind) => [rows.find(([, row]) => row.kind === kind)[0], WRONG_VALUES[kind]]),
  ].map((wrong) => [name, ...RIGHT[name], ...wrong]);
}

const FILES = ["nowhere/digits.pt2", "digit.pt2", "empty.pt2", "half.pt2", "notes.pt2"];
const OUTPUTS = ["nowhere/out.onnx", "taken.onnx", "digits.pt2/out.onnx", "out.txt", "digits.pt2"];

function ownCases(port) {
  return {
    "": [[], ["srve", "digits.pt2"], ["digits.pt2"], ["frobnicate"]],
    serve: [
      ["serve"],
      ["serve", "nowhere"],
      ["serve", "digit.pt2"],
      ["serve", "digits.pt2", "--port", port],
      ["serve", "digits.pt2", "--port", "99999"],
      ["serve", "digits.pt2", "--port", "--host", "::1"],
      ["serve", "digits.pt2", "--host", "0.0.0.0"],
      ["serve", "digits.pt2", "--host", "192.0.2.1"],
      ["serve", "digits.pt2", "--health-address", "8081"],
      ["serve", "digits.pt2", "--model-control", "explicit"],
      ["serve", "digits.pt2", "--config", "nowhere.yaml"],
      ["serve", "digits.pt2", "--config", "prot.yaml"],
      ["serve", "digits.pt2", "--config", "list.yaml"],
    ],
    inspect: [
      ["inspect"],
      ["inspect", "digits.pt2", "half.pt2"],
      ["inspect", "models", "--load"],
      ...FILES.map((file) => ["inspect", file]),
      ["inspect", "digits.pt2", "--inputs", "x: float23"],
    ],
    predict: [
      ["predict"],
      ["predict", "digits"],
      ...FILES.map((file) => ["predict", file, "--input", "row.json"]),
      ["predict", "digits", "--input", "nowhere.json"],
      ["predict", "digits", "--input", "models"],
      ["predict", "digits", "--input", '{"input": [1]}'],
      ["predict", "digits", "--input", "row.json", "--url", "127.0.0.1:1"],
      ["predict", "digits", "--input", "row.json", "--url", "ftp://127.0.0.1"],
      ["predict", "digits", "--input", "row.json", "--url", "http://127.0.0.1:1"],
    ],
    convert: [
      ["convert"],
      ["convert", "digits.pt2"],
      ["convert", "models", "-o", "out.onnx"],
      ...FILES.map((file) => ["convert", file, "-o", "out.onnx"]),
      ...OUTPUTS.map((output) => ["convert", "digits.pt2", "-o", output]),
    ],
    quantize: [
      ["quantize"],
      ["quantize", "digits.pt2", "--int8"],
      ["quantize", "digits.pt2", "-o", "out.onnx"],
      ["quantize", "digits.pt2", "--int8", "--int4", "-o", "out.onnx"],
      ["quantize", "digits.pt2", "--int8", "--static", "-o", "out.onnx"],
      ...FILES.map((file) => ["quantize", file, "--int8", "-o", "out.onnx"]),
      ...OUTPUTS.map((output) => ["quantize", "digits.pt2", "--int8", "-o", output]),
    ],
    bench: [
      ["bench"],
      ["bench", "digits", "digits"],
      ["bench", "digits", "--url", "http://127.0.0.1:1"],
      ["bench", "digits", "--url", "127.0.0.1:1"],
      ["bench", "http://127.0.0.1:1/digits"],
      ["bench", "http://192.0.2.1:8080/predict/digits"],
      ["bench", "digits", "--connections", "many"],
      ["bench", "digits", "--rate", "0"],
      ["bench", "digits", "--stability", "10"],
      ["bench", "digits", "--protocol", "grpc", "--expected", "row.json", "--input", "row.json"],
      ["bench", "http://127.0.0.1:1/predict/digits", "--input", "nowhere.json"],
    ],
    rollout: [
      ["rollout"],
      ["rollout", "digits", "abrot"],
      ["rollout", "digits", "start"],
      ["rollout", "digits", "pause", "--share", "5%"],
      ["rollout", "digits", "--url", "127.0.0.1:1"],
      ["rollout", "digits", "--url", "http://127.0.0.1:1"],
    ],
    list: [
      ["list", "digits"],
      ["list", "--url", "127.0.0.1:1"],
      ["list", "--url", "http://127.0.0.1:1"],
    ],
    check: [["check"], ["check", "nowhere"], ["check", "digits.pt2", "--config", "prot.yaml"]],
    init: [
      ["init"],
      ["init", "models"],
      ["init", "digits.pt2"],
      ...FILES.map((file) => ["init", file, "-o", "-"]),
      ["init", "digits.pt2", "-o", "nowhere/model.yaml"],
      ["init", "digits.pt2", "-o", "prot.yaml"],
    ],
    completion: [["completion"], ["completion", "tcsh"]],
    why: [
      ["why"],
      ["why", "nowhere.pt2"],
      ["why", "digits", "--try"],
      ["why", "digits", "--url", "http://127.0.0.1:1"],
      ["why", "digits", "--load", "--url", "http://192.0.2.1:8080"],
    ],
    tune: [
      ["tune"],
      ["tune", "digits.pt2"],
      ["tune", "nowhere.pt2", "--slo", "p99=50ms"],
      ["tune", "digits.pt2", "--slo", "soon"],
      ["tune", "digits.pt2", "--slo", "p99=50ms", "--rate", "100", "--max-throughput"],
      ["tune", "digits.pt2", "--slo", "p99=50ms", "--max-error", "much"],
      ["tune", "digits.pt2", "--slo", "p99=50ms", "--write"],
    ],
    export: [
      ["export"],
      ["export", "models"],
      ["export", "nowhere", "-o", "out.pt2"],
      ["export", "models", "-o", "out.onnx"],
      ["export", "digits.pt2", "-o", "nowhere/out.pt2"],
    ],
    curl: [
      ["curl"],
      ["curl", "digits", "--url", "http://127.0.0.1:1"],
      ["curl", "digits", "--url", "127.0.0.1:1"],
    ],
    migrate: [
      ["migrate"],
      ["migrate", "nowhere"],
      ["migrate", "models"],
      ["migrate", "digits.pt2"],
      ["migrate", "models", "--ts-config", "nowhere.properties"],
    ],
    verify: [["verify"], ["verify", "digit.pt2"], ["verify", "digits.pt2", "half.pt2"]],
    profile: [
      ["profile"],
      ["profile", "digits.pt2", "half.pt2"],
      ["profile", "nowhere.pt2"],
      ["profile", "half.pt2"],
      ["profile", "digits.pt2", "--runs", "0"],
      ["profile", "digits.pt2", "--server", "http://127.0.0.1:1"],
      ["profile", "--server", "http://127.0.0.1:1"],
      ["profile", "--server", "http://127.0.0.1:1", "-o", "server.cpuprofile"],
    ],
    doctor: [["doctor", "digits"]],
    keys: [
      ["keys"],
      ["keys", "rename", "--api-keys", "keys.json"],
      ["keys", "add", "--name", "ci"],
      ["keys", "add", "--api-keys", "keys.json"],
      ["keys", "add", "--api-keys", "keys.json", "--name", "ci", "--scope", "root"],
      ["keys", "remove", "--api-keys", "keys.json", "--name", "ci"],
      ["keys", "usage", "--url", "127.0.0.1:1"],
      ["keys", "usage", "--url", "http://127.0.0.1:1"],
      ["keys", "list", "--api-keys", "key.json"],
      ["keys", "list", "--api-keys", "row.json"],
    ],
    types: [
      ["types"],
      ["types", "127.0.0.1:1"],
      ["types", "http://127.0.0.1:1"],
      ["types", "http://127.0.0.1:1", "-o", "nowhere/models.d.ts"],
    ],
  };
}

async function attempt(argv) {
  const printed = { stdout: "", stderr: "" };
  const into = (name) => ({ write: (text) => (printed[name] += text) });
  const code = await main(argv, {
    stdout: into("stdout"),
    stderr: into("stderr"),
    env: {},
    readStdin: async () => Buffer.alloc(0),
  });
  if (code === 0) throw new Error(`sconce ${argv.join(" ")} is no wrong use: it ends with 0`);
  if (printed.stdout !== "") throw new Error(`sconce ${argv.join(" ")} prints to standard output`);
  return { argv, code, printed: printed.stderr };
}

const cell = (text) => text.replaceAll("|", "\\|").replaceAll("<", "&lt;");
/** `shown` replaces what differs from one machine to the next. */
function row({ argv, code, printed }, shown) {
  const [first, ...rest] = shown(printed).trimEnd().split("\n");
  const helped = rest.map((line) => /^ {2}(--[a-z0-9-]+)/.exec(line)?.[1]).filter(Boolean);
  const then =
    rest.length === 0 ? "" : helped.length > 0 ? `help of ${helped.join(", ")}` : "how it is called";
  return `| \`${cell(["sconce", ...argv].map(shown).join(" "))}\` | ${code} | ${cell(first)} | ${then} |`;
}

async function sections() {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), "wrong-usage-")));
  const before = process.cwd();
  const taken = createServer().listen(0, "127.0.0.1");
  await new Promise((resolve) => taken.once("listening", resolve));
  const port = String(taken.address().port);
  const shown = (text) => text.replaceAll(folder, "/home/me").replaceAll(port, "8080");
  try {
    layOut(folder);
    process.chdir(folder);
    const texts = [];
    const own = ownCases(port);
    const missing = [...COMMANDS.keys()].filter((name) => own[name] === undefined);
    if (missing.length > 0) throw new Error(`no wrong uses are listed of sconce ${missing.join(", ")}`);
    for (const name of Object.keys(own)) {
      const load = COMMANDS.get(name);
      const cases = [...own[name], ...(load === undefined ? [] : optionCases(await load()))];
      const rows = [];
      for (const argv of cases) rows.push(row(await attempt(argv), shown));
      texts.push(`## ${name === "" ? "Without a command" : `sconce ${name}`}

| command line | exit code | says | and shows |
|---|---|---|---|
${[...new Set(rows)].join("\n")}
`);
    }
    return texts.join("\n");
  } finally {
    process.chdir(before);
    taken.close();
    rmSync(folder, { recursive: true });
  }
}

export const wrongUsagePage = async () => `# The command line

<!-- Generated by scripts/wrong-usage-page.mjs, which runs every line below: \`npm run docs\`. -->

\`sconce --help\` lists the commands, \`sconce COMMAND --help\` (or \`sconce help COMMAND\`) the options of one.

| exit code | what it means |
|---|---|
| 0 | done |
| 1 | the command was understood and failed: a broken file, a server that does not answer, a port in use |
| 2 | the command line is wrong: another one would help. The message says which option and what it takes, and what was probably meant |
| 128 + n | a signal ended it |

What a command has to say of itself goes to standard error, its result to standard output. A command that fails or is interrupted leaves no output file
behind: \`-o\` appears under its name, complete, or not at all. \`sconce serve\` warns in its log of options that have no effect without another
one, and of environment variables that begin with \`SCONCE_\` and are none of its own.

Below is what is said to wrong uses. In this folder are \`digits.pt2\`, \`models/digits.pt2\`, \`empty.pt2\`, \`half.pt2\` (the first half of a model), \`notes.pt2\` (a text), a folder
\`taken.onnx\`, and \`row.json\`; port 8080 is in use.

${await sections()}`;
