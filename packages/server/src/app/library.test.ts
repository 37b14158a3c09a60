// Tests startServer and loadConfig as a program uses them: check-options.ts, predict-in-process.ts, what is left of a start that failed.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import type { AddressInfo } from "node:net";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import { promisify } from "node:util";
import { ServeError } from "../base/errors.ts";
import type { Logger } from "../base/logger.ts";
import { loadConfig } from "../config/load-config.ts";
import { unary } from "../runtime/onnx/tiny-onnx.kit.ts";
import type { ServerOptions } from "./complete-options.ts";
import { startServer } from "./start-server.ts";

const folder = mkdtempSync(join(tmpdir(), "sconce-library-"));
after(() => rmSync(folder, { recursive: true }));
const DIMS = ["batch", 2];
writeFileSync(
  join(folder, "negate.onnx"),
  unary("Neg", { name: "x", type: "FP32", dims: DIMS }, { type: "FP32", dims: DIMS }),
);

describe("startServer({ paths })", () => {
  test("is enough: a free port, and predictions without the network", async () => {
    const server = await startServer({ paths: [folder], logger: undefined } as unknown as ServerOptions);
    try {
      assert.notEqual(new URL(server.url).port, "8080");
      // Nobody is told that a model does not exist before the server has looked.
      await assert.rejects(server.predict("negate", [1, 2]), { reason: "model_not_ready" });
      await server.settled;
      assert.deepEqual(await server.predict("negate", [1, 2]), [-1, -2]);
      assert.deepEqual(
        await server.predict("negate", {
          x: [
            [1, 2],
            [3, 4],
          ],
        }),
        [
          [-1, -2],
          [-3, -4],
        ],
      );
      const over = await fetch(`${server.url}/predict/negate`, { method: "POST", body: '{"input":[1,2]}' });
      assert.deepEqual(await over.json(), { prediction: [-1, -2] });
      for (const [model, input, reason] of [
        ["nobody", [1, 2], "model_not_found"],
        ["negate", [1, 2, 3], "bad_input"],
        ["negate", ["a", "b"], undefined],
        ["negate", undefined, "invalid_input"],
        ["negate", 1n, "invalid_input"],
      ] as const) {
        await assert.rejects(server.predict(model, input), (error: unknown) => {
          assert.ok(error instanceof ServeError);
          if (reason !== undefined) assert.equal(error.reason, reason);
          assert.notEqual(error.code, "internal");
          return true;
        });
      }
      const signal = AbortSignal.abort();
      await assert.rejects(server.predict("negate", [1, 2], { signal }), { code: "cancelled" });
    } finally {
      await server.stop();
    }
    await assert.rejects(server.predict("negate", [1, 2]), { code: "unavailable" });
  });

  test("settings of a model that are wrong, or do nothing, are told", async () => {
    const own = mkdtempSync(join(tmpdir(), "sconce-settings-"));
    const warnings: string[] = [];
    const logger: Logger = {
      debug() {},
      info() {},
      warn: (_, message) => void warnings.push(message),
      error() {},
      child: () => logger,
    };
    for (const [name, yaml] of [
      ["policy", "version_policy: newest"],
      ["task", "task: image-clasification"],
      ["broken", "max_batch_size: 4\n  instances: 2"],
      ["device", "device: dml:7\ndevice_fallback: cpu\ncompile: true"],
      ["absent", "device: gpu"],
    ] as const) {
      mkdirSync(join(own, name));
      copyFileSync(join(folder, "negate.onnx"), join(own, name, "model.onnx"));
      writeFileSync(join(own, name, "model.yaml"), `${yaml}\n`);
    }
    const server = await startServer({ paths: [own], logger });
    try {
      await server.settled;
      const told = new Map(server.models().map(({ name, state, reason }) => [name, `${state} ${reason}`]));
      assert.match(told.get("policy")!, /^UNAVAILABLE .*version_policy: expected latest, .* got "newest"/);
      assert.match(told.get("task")!, /got "image-clasification"; did you mean image-classification\?/);
      assert.match(told.get("broken")!, /^UNAVAILABLE model\.yaml: line 1, column 17: /);
      assert.match(told.get("device")!, /^READY/);
      assert.ok(
        warnings.some((warning) => warning.startsWith("compile has no effect: the model is translated")),
      );
      assert.match(told.get("absent")!, /^UNAVAILABLE device: expected auto, cpu, cuda, .* got "gpu"/);
      const isThere = process.platform === "win32";
      const standIn = /^device: dml is not there: .*; it computes on the processor/;
      assert.ok(isThere || warnings.some((warning) => standIn.test(warning)));
    } finally {
      await server.stop();
      rmSync(own, { recursive: true });
    }
  });

  test("a misspelt key, or a configuration that is none, is refused", async () => {
    const config = loadConfig({});
    for (const [options, message] of [
      [undefined, /takes an object/],
      [{ path: [folder] }, /unknown key "path"; did you mean paths\?/],
      [{ paths: folder }, /paths must be a list of texts/],
      [{ paths: [] }, /paths is empty; name a model file/],
      [{ paths: [folder], config: { port: 0 } }, /config must come from loadConfig/],
      [
        { paths: [folder], config: { ...config, server: { ...config.server, prot: 0 } } },
        /did you mean port\?/,
      ],
      [{ paths: [folder], config: { ...config, server: {} } }, /config must come from loadConfig/],
    ] as const) {
      await assert.rejects(startServer(options as unknown as ServerOptions), {
        reason: "bad_option",
        message,
      });
    }
    for (const sources of [{ flags: { "--port": "0" } }, { environment: {} }]) {
      assert.throws(() => loadConfig(sources as object), { reason: "bad_option" });
    }
  });
});

test("a start that fails, wherever it does, leaves nothing: the process ends by itself", async () => {
  const taken = createServer().listen(0, "127.0.0.1");
  await new Promise((resolve) => taken.once("listening", resolve));
  const { port } = taken.address() as AddressInfo;
  const everything = [
    ["--health-address", "127.0.0.1:0"],
    ["--state-dir", join(folder, "state")],
    ["--traces-endpoint", `http://127.0.0.1:${port}`],
    ["--cache-store", `redis://127.0.0.1:${port}`],
  ];
  const starts = [
    [...everything, ["--port", String(port)], ["--record", join(folder, "requests.jsonl")]],
    [...everything, ["--port", String(port)], ["--edges", "2"]],
    [...everything, ["--port", "0"], ["--record", join(process.execPath, "requests.jsonl")]],
    [...everything, ["--port", "0"], ["--store-ca", join(folder, "nowhere")]],
  ];
  const program = `
    import { loadConfig, startServer } from ${JSON.stringify(new URL("../index.js", import.meta.url).href)};
    for (const flags of ${JSON.stringify(starts)}) {
      const isStored = flags.some(([name]) => name === "--store-ca");
      const paths = [isStored ? "https://127.0.0.1:${port}/model.onnx" : ${JSON.stringify(folder)}];
      try {
        await startServer({ paths, config: loadConfig({ flags: new Map(flags) }) });
      } catch (error) {
        console.log(error.name, error.reason);
      }
    }`;
  try {
    const argv = ["--input-type=module", "--eval", program];
    const { stdout } = await promisify(execFile)(process.execPath, argv, { timeout: 60_000 });
    assert.deepEqual(stdout.trim().split("\n"), [
      "ServeError cannot_listen",
      "ServeError cannot_listen",
      "ServeError unreadable_path",
      "ServeError bad_certificate",
    ]);
  } finally {
    taken.close();
  }
});
