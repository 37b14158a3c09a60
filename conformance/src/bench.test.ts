// Tests `sconce bench` against real servers. Nothing here depends on speed: loads end after a number of requests.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { fileURLToPath, pathToFileURL } from "node:url";
import { barriers, launchBrowser, openPage, PHONE, widths } from "./browser/browser.kit.ts";
import { MODELS_FOLDER } from "./expected-digits.ts";
import { programOrReason } from "./program.ts";
import { type ServerProcess, startServerProcess } from "./server-process.ts";

const BIN = fileURLToPath(new URL("../../packages/server/bin/sconce.js", import.meta.url));
const chromium = programOrReason("chromium");
const SHORT = ["--max-requests", "20", "--warm-up", "0", "--duration", "60s", "--connections", "2"];

interface Ended {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

function bench(...args: readonly string[]): Promise<Ended> {
  return new Promise((resolve) => {
    execFile(process.execPath, [BIN, "bench", ...args], (error, stdout, stderr) => {
      resolve({ code: typeof error?.code === "number" ? error.code : 0, stdout, stderr });
    });
  });
}

describe("sconce bench", () => {
  let server: ServerProcess;
  const folder = mkdtempSync(join(tmpdir(), "sconce-bench-test-"));
  before(async () => {
    server = await startServerProcess([MODELS_FOLDER]);
  });
  after(async () => {
    await server?.stop();
    rmSync(folder, { recursive: true });
  });

  const file = (name: string, value: unknown): string => {
    const path = join(folder, name);
    writeFileSync(path, JSON.stringify(value));
    return path;
  };

  for (const protocol of ["json", "binary", "predict", "grpc", "grpc-stream"]) {
    test(`every request is answered over ${protocol}, with inputs made from the signature`, async () => {
      const args = ["digits", "--url", server.url, "--protocol", protocol, ...SHORT, "--json"];
      const { code, stdout, stderr } = await bench(...args);
      assert.equal(code, 0, stderr);
      const [measurement] = JSON.parse(stdout).measurements;
      assert.ok(measurement.answered >= 18, stdout);
      assert.deepEqual(measurement.failures, {});
      const { p50, p99, max } = measurement.latencyMs;
      assert.ok(p50 > 0 && p50 <= p99 && p99 <= max);
      // REST says where the time went, gRPC does not.
      assert.equal(measurement.stageMs === undefined, protocol.startsWith("grpc"));
    });
  }

  test("the server counted what the client counted", async () => {
    const counted = async (): Promise<number> => {
      const text = await (await fetch(`${server.url}/metrics`)).text();
      return Number(
        /sconce_inferences_total\{model="digits",protocol="rest",code="ok"\} (\d+)/.exec(text)?.[1],
      );
    };
    const before = await counted();
    const { stdout } = await bench("digits", "--url", server.url, ...SHORT, "--json");
    const { answered } = JSON.parse(stdout).measurements[0];
    const sent = (await counted()) - before;
    // Those that were under way at the end are answered, and not part of the measurement.
    assert.ok(sent >= answered && sent <= answered + 4, `${sent} served, ${answered} counted`);
  });

  test("a sweep of arrival rates is a table and a page that loads nothing", async () => {
    const page = join(folder, "report.html");
    const args = [...SHORT, "--rate", "300,900", "--html", page];
    const { code, stdout, stderr } = await bench(`${server.url}/predict/digits`, ...args);
    assert.equal(code, 0, stderr);
    assert.match(stdout, / load +req\/s +mean +p50.*\n *300\/s .*\n *900\/s /);
    const html = readFileSync(page, "utf8");
    assert.equal(html.match(/<svg /g)?.length, 3);
    assert.doesNotMatch(html, /<script|<link|<img|src=|href=|NaN|Infinity/);
  });

  test("the page of a report is readable by everybody, in the dark, and on a phone", {
    skip: chromium.skip,
  }, async () => {
    const page = join(folder, "seen.html");
    const args = [...SHORT, "--connections", "1,2", "--html", page];
    const { code, stderr } = await bench(`${server.url}/predict/digits`, ...args);
    assert.equal(code, 0, stderr);
    const browser = await launchBrowser(chromium.path!);
    try {
      for (const colorScheme of ["light", "dark"] as const) {
        const seen = await openPage(browser, { ...PHONE, colorScheme });
        await seen.page.goto(pathToFileURL(page).href);
        assert.deepEqual(await barriers(seen.page), [], colorScheme);
        const { window, page: wide } = await widths(seen.page);
        assert.equal(wide, window, "nothing but the plots and the table moves sideways");
        assert.deepEqual(seen.complaints, []);
        await seen.context.close();
      }
    } finally {
      await browser.close();
    }
  });

  test("a file is sent, and an answer that is not the expected one is a failure", async () => {
    const row = Array.from({ length: 8 }, () => Array(8).fill(0.5));
    const input = file("input.json", { input: [row] });
    const answer = await fetch(`${server.url}/predict/digits`, {
      method: "POST",
      body: JSON.stringify({ input: [row] }),
    });
    const right = (await answer.json()) as { prediction: number[] };
    const args = [`${server.url}/predict/digits`, ...SHORT, "--json", "--input", input, "--expected"];
    const fine = JSON.parse((await bench(...args, file("right.json", right))).stdout);
    assert.deepEqual(fine.measurements[0].failures, {});
    const changed = { prediction: right.prediction.map((value) => value + 0.01) };
    const wrong = await bench(...args, file("wrong.json", changed));
    assert.equal(wrong.code, 1);
    const [measurement] = JSON.parse(wrong.stdout).measurements;
    assert.equal(measurement.answered, 0);
    assert.ok(measurement.failures["unexpected answer"] > 0);
  });

  test("requests that the server rejects are counted by status", async () => {
    const input = file("bad.json", {
      inputs: [{ name: "image", datatype: "FP32", shape: [1, 3], data: [1, 2, 3] }],
    });
    const { code, stdout } = await bench("digits", "--url", server.url, ...SHORT, "--input", input);
    assert.equal(code, 1);
    assert.match(stdout, /failed: \d+ × 400/);
  });

  test("another machine is not loaded unless that is asked for", async () => {
    const { code, stderr } = await bench("http://192.0.2.1:8080/predict/digits");
    assert.equal(code, 2);
    assert.match(stderr, /192\.0\.2\.1 is not this machine.*--allow-remote/);
  });

  test("what can go wrong before the load is said in words", async () => {
    const unknown = await bench("nobody", "--url", server.url);
    assert.equal(unknown.code, 1);
    assert.match(unknown.stderr, /404.*"nobody" does not exist/);
    const nowhere = await bench("digits", "--url", "http://127.0.0.1:9");
    assert.match(nowhere.stderr, /no server answers at http:\/\/127\.0\.0\.1:9/);
    for (const wrong of [
      ["digits", "--rate", "0"],
      ["digits", "--connections", "many"],
      ["http://localhost/x"],
      [],
    ]) {
      assert.equal((await bench(...wrong)).code, 2, wrong.join(" "));
    }
  });
});
