import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { test } from "node:test";
import { banner, curlAccess, readyReport } from "./banner.ts";

type Running = Parameters<typeof readyReport>[0];

const running = (parts: object): Running => ({ url: "http://127.0.0.1:1", ...parts }) as unknown as Running;

test("a folder's name with an escape sequence shows in the table of models as text", () => {
  const report = readyReport(
    running({
      models: () => [{ name: "a\u001b[2J\nb", version: "1", state: "UNAVAILABLE", reason: "no\u0007 model" }],
    }),
    1,
  );
  assert.match(report, /a\\x1b\[2J\\nb {2}1 {3}UNAVAILABLE: no\\x07 model/);
});

test("the banner fits a terminal of 80 columns, the health port's line, too", () => {
  const at = (port: number) => `127.0.0.1:${port}`;
  const text = banner({
    url: `http://${at(18080)}`,
    healthUrl: `http://${at(18081)}`,
    torchserve: {
      management: `http://${at(18082)}`,
      metrics: `http://${at(18083)}`,
      grpcInference: at(17070),
      grpcManagement: at(17071),
    },
  });
  for (const line of text.split("\n")) assert.ok(line.length <= 80, `${line.length} columns: ${line}`);
  for (const address of ["/v2", "/predict/{model}", "/metrics", ":18081/v2/health/ready"])
    assert.ok(text.includes(address), address);
});

test("a long reason goes on below itself on a terminal, and is one line elsewhere", () => {
  const reason =
    "the file is a zip archive that is truncated or damaged: copy it again, or export the model anew";
  const models = () => [{ name: "broken", version: "1", state: "UNAVAILABLE", reason }];
  const [, ...lines] = readyReport(running({ models }), 1, { columns: 80 }).trimEnd().split("\n");
  assert.deepEqual(
    lines.map((line) => line.length <= 80),
    [true, true],
  );
  assert.ok(lines[1]!.startsWith(" ".repeat(12)));
  assert.equal(lines.map((line) => line.trim()).join(" "), `broken  1   UNAVAILABLE: ${reason}`);
  assert.ok(readyReport(running({ models }), 1).includes(`UNAVAILABLE: ${reason}\n`));
});

test("the line to paste for a TorchServe archive is one that its handler takes", () => {
  const inputsOf = () => ["body", "head"].map((name) => ({ name, datatype: "BYTES", dims: [1] }));
  const models = () => [{ name: "m", version: "1", state: "READY", reason: "" }];
  const lastLine = (torchserve?: object): string =>
    readyReport(running({ models, inputsOf, torchserve }), 1).trimEnd().split("\n").at(-1)!;
  assert.equal(lastLine({}), "curl -s http://127.0.0.1:1/predictions/m -d text");
  assert.match(lastLine(), /\/predict\/m .* -d '\{"input":\{"body":\["text"\],"head":\[""\]\}\}'$/);
});

test("the line to paste is one command whatever a model's inputs are called", () => {
  const name = "it's; $(id)";
  const inputsOf = () => [name, "b"].map((name) => ({ name, datatype: "FP32", dims: [1] }));
  const models = () => [{ name: "m", version: "1", state: "READY", reason: "" }];
  const report = readyReport(running({ models, inputsOf }), 1);
  const line = report.trimEnd().split("\n").at(-1)!;
  const { stdout } = spawnSync("sh", ["-c", line.replace(/^curl -s/, "printf '%s\\n'")], {
    encoding: "utf8",
  });
  assert.equal(stdout.trimEnd().split("\n").at(-1), JSON.stringify({ input: { [name]: [0], b: [0] } }));
});

test("the line to paste has the certificate and the key that the server wants", () => {
  const inputsOf = () => [{ name: "x", datatype: "FP32", dims: [1] }];
  const models = () => [{ name: "m", version: "1", state: "READY", reason: "" }];
  const line = (server: Parameters<typeof curlAccess>[0]): string =>
    readyReport(running({ models, inputsOf }), 1, { access: curlAccess(server) })
      .trimEnd()
      .split("\n")
      .at(-1)!;
  const none = { tlsCert: undefined, apiKeys: undefined, jwtKeys: undefined };
  assert.match(line(none), /^curl -s http:/);
  assert.match(line({ ...none, tlsCert: "my $& tls.crt" }), /^curl -s --cacert 'my \$& tls\.crt' http:/);
  const key = /^curl -s -H "Authorization: Bearer \$SCONCE_API_KEY" http:/;
  assert.match(line({ ...none, apiKeys: "keys.json" }), key);
  assert.match(line({ ...none, jwtKeys: "https://issuer" }), key);
});
