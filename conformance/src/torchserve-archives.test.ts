// Tests packages/server/python/torchserve and the TorchServe API with PyTorch, on the built server.
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { requirePython, runPython } from "./python.ts";
import { type ServerProcess, startServerProcess } from "./server-process.ts";
import { checkBytes } from "./torchserve/check-bytes.ts";
import { torchserveAddresses } from "./torchserve/torchserve-addresses.ts";

const script = (name: string): string =>
  fileURLToPath(new URL(`../../scripts/python/${name}`, import.meta.url));
const TIMEOUT_MS = 600_000;

interface Answer {
  readonly status: number;
  readonly type: string | null;
  readonly headers: Headers;
  readonly body: Buffer;
}

type Ask = (path: string, init?: RequestInit) => Promise<Answer>;

function asking(server: ServerProcess): Ask {
  const { management } = torchserveAddresses(server.output());
  return async (path, init) => {
    const isManagement = path.startsWith("/models");
    const response = await fetch(`${isManagement ? `http://${management}` : server.url}${path}`, init);
    const body = Buffer.from(await response.arrayBuffer());
    return {
      status: response.status,
      type: response.headers.get("content-type"),
      headers: response.headers,
      body,
    };
  };
}

const post = (body: string | Uint8Array | FormData, type?: string): RequestInit => ({
  method: "POST",
  body: typeof body === "string" || body instanceof FormData ? body : new Uint8Array(body),
  ...(type !== undefined && { headers: { "content-type": type, "x-custom": "yes" } }),
});
const json = ({ body }: Answer): unknown => JSON.parse(body.toString());

test("TorchServe archives are served as they are, under TorchServe's API", {
  timeout: TIMEOUT_MS,
}, async (t) => {
  const python = requirePython(t);
  if (python === undefined) return;
  const home = mkdtempSync(join(tmpdir(), "sconce-torchserve-"));
  t.after(() => rmSync(home, { recursive: true, force: true }));
  const [models, unpacked] = [join(home, "models"), join(home, "unpacked")];
  mkdirSync(unpacked);
  const eager = JSON.parse(await runPython(python, ["-W", "ignore", script("make_archives.py"), models])) as {
    readonly answers: readonly number[];
  };
  const server = await startServerProcess(
    [
      models,
      "--python",
      python,
      "--compat",
      "torchserve",
      "--readiness",
      "settled",
      "--max-queue-delay",
      "200ms",
    ],
    { env: { TMPDIR: unpacked } },
  );
  t.after(() => server.stop("SIGKILL"));
  const ask = asking(server);

  await t.test(
    "a model's numbers are those of eager PyTorch, from weights, TorchScript and exported programs",
    async () => {
      const row = "[1,2,3]";
      const answer = await ask("/predictions/eager", post(row, "application/json"));
      assert.deepEqual([answer.status, json(answer)], [200, { answer: eager.answers, batch: 1 }]);
      for (const model of ["scripted", "exported"]) {
        const values = json(
          await ask(`/predictions/${model}/1.0`, post(row, "application/json")),
        ) as number[];
        for (const [i, value] of values.entries())
          assert.ok(Math.abs(value - eager.answers[i]!) < 1e-5, `${model}: ${values}`);
      }
    },
  );

  await t.test("requests share a run, as many as model-config.yaml says", async () => {
    const asked = Array.from({ length: 12 }, () =>
      ask("/predictions/eager", post("[1,2,3]", "application/json")),
    );
    const batches = (await Promise.all(asked)).map((answer) => (json(answer) as { batch: number }).batch);
    assert.ok(Math.max(...batches) > 1 && Math.max(...batches) <= 8, `batches of ${batches}`);
  });

  await t.test("a handler is given bytes, text, JSON and the fields of forms, and the headers", async () => {
    const form = new FormData();
    form.set("typed", "a value");
    form.set("file", new Blob(["\xe9"], { type: "image/png" }), "x.png");
    const cases: ReadonlyArray<readonly [init: RequestInit, fields: object]> = [
      [post(Buffer.from([0xff, 0]), "image/png"), { body: "\xff\0" }],
      [post('{"a": [1]}', "application/json; charset=utf-8"), { body: { a: [1] } }],
      [post("no json", "application/json"), { body: "no json" }],
      [post("é", "text/plain"), { body: "é" }],
      [post("a=1&b=x+y", "application/x-www-form-urlencoded"), { a: "1", b: "x y" }],
      [post(form), { typed: "a value", file: "Ã©" }],
      [{ ...post("put", "text/plain"), method: "PUT" }, { body: "put" }],
    ];
    for (const [init, fields] of cases) {
      const answer = json(await ask("/predictions/function?asked=1", init)) as Record<string, unknown>;
      const { header, ...rest } = answer;
      assert.equal(header, init.body instanceof FormData ? null : "yes");
      assert.deepEqual(rest, {
        greeting: "hello",
        config: { batchSize: 4, handler: { threshold: 0.5 } },
        fields,
        id: true,
        name: "function",
        batch_size: 4,
        gpu: null,
        server: "MMS",
        counted: true,
      });
    }
  });

  await t.test("with the envelope body a handler is given what a request holds, and no names", async () => {
    const form = new FormData();
    form.set("data", "from a form");
    for (const [init, given] of [
      [post("text", "text/plain"), ["str", "text"]],
      [post("bytes", "application/octet-stream"), ["bytearray", "bytes"]],
      [post('{"a": [1]}', "application/json"), ["dict", { a: [1] }]],
      [post(form), ["bytearray", "from a form"]],
    ] as const)
      assert.deepEqual(json(await ask("/predictions/wrapped", init)), given);
  });

  await t.test("a body of several megabytes reaches its handler whole", async () => {
    const large = Buffer.alloc(3 * 1024 * 1024, "a");
    const { fields } = json(await ask("/predictions/function", post(large))) as { fields: { body: string } };
    assert.equal(fields.body.length, large.length);
  });

  await t.test("bytes of all kinds come and go, in a batch, over every protocol", async () => {
    await checkBytes(server.url, "function");
  });

  await t.test("a head that is not what the protocol says is the client's mistake", async () => {
    const heads = ["{", "[]", "7", '{"parts":7}', '{"headers":[1]}', "[".repeat(20_000)];
    const sizes = ["Infinity", "-1", "1e999", "NaN", "null", "{}", "999"];
    heads.push(...sizes.map((size) => `{"parts":[{"name":"a","bytes":${size}}]}`));
    for (const head of heads) {
      const { status, body } = await ask(
        "/predict/function",
        post(JSON.stringify({ input: { body: "text", head } }), "application/json"),
      );
      assert.deepEqual([status, /"head\\" cannot be read/.test(body.toString())], [400, true], head);
    }
  });

  await t.test("a handler's bytes, text, status, type and headers are the response", async () => {
    const said = async (order: string): Promise<Answer> =>
      ask("/predictions/function", post(order, "text/plain"));
    const bytes = await said("bytes");
    assert.deepEqual([bytes.status, bytes.type, bytes.headers.get("x-extra")], [200, "image/x-test", "yes"]);
    assert.deepEqual([...bytes.body], [0, 255]);
    const text = await said("text");
    assert.deepEqual([text.status, text.type, text.body.toString()], [200, null, "just text"]);
    assert.equal((await said("teapot")).status, 418);
  });

  await t.test("errors are TorchServe's, and one bad request does not fail those beside it", async () => {
    const orders = ["text", "raise", "text", "refuse", "text", "text"];
    const answers = await Promise.all(
      orders.map((order) => ask("/predictions/function", post(order, "text/plain"))),
    );
    assert.deepEqual(
      answers.map(({ status }) => status),
      [200, 503, 200, 404, 200, 200],
    );
    const failed = { code: 503, type: "InternalServerException", message: "Prediction failed" };
    assert.deepEqual(json(answers[1]!), failed);
    // Its traceback is longer than a frame may be: the worker lives all the same.
    const much = await ask("/predictions/function", post("raise much", "text/plain"));
    assert.deepEqual(json(much), failed);
    assert.deepEqual(json(answers[3]!), {
      code: 404,
      type: "InternalServerException",
      message: "no such thing",
    });
    const unknown = await ask("/predictions/nobody", post("x"));
    assert.equal(unknown.status, 404);
    const envelope =
      '{\n  "code": 404,\n  "type": "ModelNotFoundException",\n  "message": "Model not found: nobody"\n}\n';
    assert.equal(unknown.body.toString(), envelope);
    const version = json(await ask("/predictions/eager/7.0", post("x"))) as { type: string; message: string };
    assert.equal(version.type, "ModelVersionNotFoundException");
    assert.equal(version.message, "Model version: 7.0 does not exist for model: eager");
  });

  await t.test("images are classified, with the names of index_to_name.json", async () => {
    const picture = readFileSync(join(models, "bright.png"));
    const answer = json(await ask("/predictions/classifier", post(picture, "image/png"))) as Record<
      string,
      number
    >;
    assert.deepEqual(Object.keys(answer), ["bright", "dark"]);
    assert.ok(answer["bright"]! > 0.9 && Math.abs(answer["bright"]! + answer["dark"]! - 1) < 1e-6);
    assert.equal((await ask("/predictions/classifier", post("no image", "image/png"))).status, 503);
  });

  await t.test("what serves is listed and described, and the API describes itself", async () => {
    assert.equal((await ask("/ping")).body.toString(), '{\n  "status": "Healthy"\n}\n');
    const page = json(await ask("/models?limit=2")) as {
      nextPageToken: string;
      models: { modelName: string }[];
    };
    const next = json(await ask(`/models?limit=1&next_page_token=${page.nextPageToken}`)) as typeof page;
    const names = [...page.models, ...next.models].map(({ modelName }) => modelName);
    assert.deepEqual(names, ["classifier", "eager", "exported"]);
    const [described] = json(await ask("/models/eager")) as [Record<string, unknown>];
    assert.deepEqual(
      [described["modelName"], described["modelVersion"], described["batchSize"]],
      ["eager", "1.0", 8],
    );
    const api = json(await ask("/", { method: "OPTIONS" })) as { openapi: string; paths: object };
    assert.equal(api.openapi, "3.0.1");
    assert.ok("/predictions/{model_name}" in api.paths);
  });

  await t.test("inferences are counted under TorchServe's names", async () => {
    const { metrics } = torchserveAddresses(server.output());
    const text = await (await fetch(`http://${metrics}/metrics`)).text();
    for (const name of ["requests_total", "latency_microseconds"])
      assert.match(
        text,
        new RegExp(
          `^ts_inference_${name}\\{model_name="eager",model_version="1.0",hostname="[^"]+"\\} [1-9]`,
          "m",
        ),
      );
    assert.match(text, /^# TYPE ts_queue_latency_microseconds counter$/m);
  });

  await t.test("pieces of an answer are sent when the handler sends them", async () => {
    const file = join(home, "go-on");
    const response = await fetch(`${server.url}/predictions/pieces`, post(file, "text/plain"));
    const reader = response.body!.getReader();
    const next = async (): Promise<string> => Buffer.from((await reader.read()).value ?? []).toString();
    assert.deepEqual([response.headers.get("ts_stream_next"), await next()], ["true", "first "]);
    writeFileSync(file, "");
    assert.deepEqual([await next(), (await reader.read()).done], ["last", true]);
    // Who does not ask for pieces gets all at the end.
    const whole = await fetch(`${server.url}/v2/models/pieces/infer`, {
      method: "POST",
      body: JSON.stringify({
        inputs: ["body", "head"].map((name) => ({
          name,
          datatype: "BYTES",
          shape: [1],
          data: [name === "body" ? file : '{"headers":{"content-type":"text/plain"}}'],
        })),
      }),
    });
    const { outputs } = (await whole.json()) as { readonly outputs: readonly { readonly data: unknown[] }[] };
    assert.deepEqual(outputs[0]!.data, ["first last"]);
  });

  await t.test(
    "an answer whose beginning is sent is not begun again, and ends as one that broke",
    async () => {
      for (const order of ["break", "exit"]) {
        const response = await fetch(`${server.url}/predictions/pieces`, post(order, "text/plain"));
        let text = "";
        await assert.rejects(async () => {
          for await (const piece of response.body!) text += Buffer.from(piece).toString();
        }, order);
        assert.equal(text, "first ", order);
      }
      const file = join(home, "go-on");
      const after = await ask("/predictions/pieces", post(file, "text/plain"));
      assert.equal(after.body.toString(), "first last");
    },
  );

  await t.test("an archive that cannot be served says why", async () => {
    const index = json(await ask("/v2/repository/index", { method: "POST" })) as {
      name: string;
      reason: string;
    }[];
    const reasonOf = (name: string): string => index.find((entry) => entry.name === name)!.reason;
    assert.match(reasonOf("needy"), /packages that are not installed: no-such-package-at-all>=1;/);
    assert.match(
      reasonOf("lacking"),
      /^the handler h\.py cannot be made ready: ModuleNotFoundError: No module named 'no_such_package'; install it .*requirements\.txt$/,
    );
    assert.match(reasonOf("escaping"), /an entry named '\.\.\/escaped\.txt', which leads out of it/);
    assert.ok(!readdirSync(home).includes("escaped.txt") && !readdirSync(unpacked).includes("escaped.txt"));
  });

  await t.test("a handler that ends its process costs its own request", async () => {
    const killer = await ask("/predictions/function", post("exit", "text/plain"));
    assert.match((json(killer) as { message: string }).message, /ended|worker/);
    assert.equal((await ask("/predictions/function", post("text", "text/plain"))).status, 200);
    assert.equal((await ask("/predictions/eager", post("[1,2,3]", "application/json"))).status, 200);
  });

  await t.test("what was unpacked goes with its worker", async () => {
    const ours = (): string[] => readdirSync(unpacked).filter((name) => name.startsWith("sconce-"));
    assert.ok(ours().length > 0);
    await server.stop();
    assert.deepEqual(ours(), []);
  });
});

test("an archive is registered, answers, and is unregistered", { timeout: TIMEOUT_MS }, async (t) => {
  const python = requirePython(t);
  if (python === undefined) return;
  const home = mkdtempSync(join(tmpdir(), "sconce-torchserve-"));
  t.after(() => rmSync(home, { recursive: true, force: true }));
  const [models, unpacked] = [join(home, "models"), join(home, "unpacked")];
  mkdirSync(unpacked);
  await runPython(python, ["-W", "ignore", script("make_archives.py"), models]);
  const token = "the-administrator";
  const options = ["--python", python, "--compat", "torchserve", "--model-control", "explicit"];
  const server = await startServerProcess([models, ...options], {
    env: { SCONCE_ADMIN_TOKEN: token, TMPDIR: unpacked },
  });
  t.after(() => server.stop("SIGKILL"));
  const ask = asking(server);
  const admin = (method: string): RequestInit => ({ method, headers: { authorization: `Bearer ${token}` } });
  const names = async (): Promise<string[]> =>
    (json(await ask("/models")) as { models: { modelName: string }[] }).models.map(
      ({ modelName }) => modelName,
    );

  assert.deepEqual(await names(), []);
  const registered = await ask("/models?url=function.mar&initial_workers=1&synchronous=true", admin("POST"));
  assert.deepEqual(json(registered), {
    status: 'Model "function" Version: 1.0 registered with 1 initial workers',
  });
  assert.deepEqual(await names(), ["function"]);
  assert.equal((await ask("/predictions/function", post("text", "text/plain"))).body.toString(), "just text");
  assert.equal((await ask("/models?url=nobody.mar", admin("POST"))).status, 404);
  const refused = json(await ask("/models?url=needy.mar", admin("POST"))) as { message: string };
  assert.match(refused.message, /no-such-package-at-all/);
  const folders = (): number =>
    readdirSync(unpacked).filter((name) => name.startsWith("sconce-archive-")).length;
  assert.equal(folders(), 1, "what was refused left its files behind");
  assert.deepEqual(json(await ask("/models/function", admin("DELETE"))), {
    status: 'Model "function" unregistered',
  });
  assert.deepEqual(await names(), []);
  assert.equal((await ask("/predictions/function", post("text", "text/plain"))).status, 404);
});

test("archives that were made to do harm are refused, and leave nothing behind", {
  timeout: TIMEOUT_MS,
}, async (t) => {
  const python = requirePython(t);
  if (python === undefined) return;
  const said = JSON.parse(
    await runPython(python, ["-W", "ignore", script("check_archive_folder.py")]),
  ) as Record<string, string | readonly string[]>;
  const { plain, left, outside, ...refused } = said;
  assert.deepEqual([plain, left, outside], [["a.py", "folder/b.txt", "folder/deeper/c"], [], []]);
  const expected: Readonly<Record<string, RegExp>> = {
    up: /leads out of it/,
    "up in the middle": /leads out of it/,
    absolute: /leads out of it/,
    backslash: /leads out of it/,
    drive: /leads out of it/,
    link: /is a link or a device/,
    twice: /twice/,
    "file and folder": /cannot be unpacked: File exists$/,
    lock: /is taken/,
    many: /10001 entries/,
    bomb: /more than 20 times its size/,
    "cut off": /cannot be unpacked/,
  };
  assert.deepEqual(Object.keys(refused).sort(), Object.keys(expected).sort());
  for (const [name, pattern] of Object.entries(expected)) assert.match(String(refused[name]), pattern, name);
});
