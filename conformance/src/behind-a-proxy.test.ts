// Tests docs/behind-a-proxy.md: real proxies with the files of the page, and each way of asking through them, over TLS.
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { request } from "node:https";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { WebSocket } from "ws";
import { expectedDigits, MODELS_FOLDER, nestedImage } from "./expected-digits.ts";
import { freePort } from "./free-port.ts";
import { makeCertificate } from "./internals/security.ts";
import { type InteropClient, interopClient, requestFrame } from "./interop/interop-client.kit.ts";
import { partsOfPage } from "./pages/page-blocks.ts";
import { programOrReason } from "./program.ts";
import { type ServerProcess, startServerProcess } from "./server-process.ts";
import { until } from "./until.kit.ts";

const PAGE = readFileSync(fileURLToPath(new URL("../../docs/behind-a-proxy.md", import.meta.url)), "utf8");
const { label, ...digit } = expectedDigits().digits[0]!;
const IMAGE = nestedImage({ label, ...digit });
const V2 = { inputs: [{ name: "image", datatype: "FP32", shape: [1, 1, 8, 8], data: IMAGE.flat(2) }] };
const GRPC = {
  modelName: "digits",
  inputs: [
    { name: "image", datatype: "FP32", shape: [1, 1, 8, 8], contents: { fp32Contents: IMAGE.flat(2) } },
  ],
};
const INFER = "/v2/models/digits/infer";
const MAX_BODY = 1 << 20;

const certificate = makeCertificate({ name: "models.example.com" });
const folder = mkdtempSync(join(tmpdir(), "proxy-"));
let server: ServerProcess;

before(async () => {
  writeFileSync(join(folder, "site.crt"), certificate.cert);
  writeFileSync(join(folder, "site.key"), certificate.key);
  writeFileSync(join(folder, "site.pem"), Buffer.concat([certificate.cert, certificate.key]));
  const names = ["--allowed-hosts", "models.example.com", "--max-body", `${MAX_BODY}`];
  server = await startServerProcess([MODELS_FOLDER, "--access-log", ...names]);
});

after(async () => {
  await server?.stop();
  rmSync(folder, { recursive: true });
});

/** The page's file in this language, with this machine's places. */
function pageFile(language: string, port: number): string {
  const { text } = partsOfPage(PAGE, "behind-a-proxy.md").blocks.find(
    (block) => block.language === language,
  )!;
  return text
    .replaceAll("127.0.0.1:8080", server.authority)
    .replace("listen 443", `listen 127.0.0.1:${port}`)
    .replace("bind :443", `bind 127.0.0.1:${port}`)
    .replace(/\/etc\/ssl\/models\.example\.com\.(\w+)/g, `${folder}/site.$1`);
}

/** Around what is in `conf.d`: as Debian's nginx.conf, but nothing of it outside the folder. */
const nginxFile = (site: string): string => `daemon off;
pid ${folder}/nginx.pid;
error_log stderr;
events {}
http {
access_log off;
${["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map((name) => `${name}_temp_path ${folder}/${name};`).join("\n")}
${site}
}
`;

const PROXIES = {
  nginx: {
    program: programOrReason("nginx"),
    file: (port: number) => nginxFile(pageFile("nginx", port)),
    args: (file: string) => ["-p", folder, "-e", "stderr", "-c", file],
  },
  haproxy: {
    program: programOrReason("haproxy"),
    file: (port: number) => pageFile("haproxy", port),
    args: (file: string) => ["-db", "-f", file],
  },
};

interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, unknown>>;
  readonly body: string;
}

for (const [name, { program, file, args }] of Object.entries(PROXIES)) {
  describe(`behind ${name} with TLS`, program.skip === false ? {} : { skip: program.skip }, () => {
    let port: number;
    let proxy: ChildProcess;
    let rpc: InteropClient;
    let said = "";

    before(async () => {
      port = await freePort();
      const path = join(folder, `${name}.conf`);
      writeFileSync(path, file(port));
      proxy = spawn(program.path!, args(path), { stdio: ["ignore", "pipe", "pipe"] });
      for (const stream of [proxy.stdout!, proxy.stderr!])
        stream.setEncoding("utf8").on("data", (text: string) => {
          said += text;
        });
      await until(`${name} listens: ${said}`, async () => {
        assert.equal(proxy.exitCode, null, said);
        return isOpen(port);
      });
      rpc = interopClient(`localhost:${port}`, {}, certificate.cert);
    });

    after(async () => {
      rpc?.close();
      if (proxy === undefined || proxy.exitCode !== null) return;
      proxy.kill("SIGTERM");
      await once(proxy, "exit");
    });

    const ask = (
      path: string,
      body: string | Buffer = "",
      headers: Readonly<Record<string, string>> = {},
    ): Promise<Answer> =>
      new Promise((resolve, reject) => {
        const call = request(
          {
            port,
            path,
            method: body === "" ? "GET" : "POST",
            headers,
            ca: certificate.cert,
            host: "localhost",
            servername: "localhost",
            // A proxy may end a connection whose body it did not read.
            agent: false,
          },
          async (response) => {
            const chunks: Buffer[] = [];
            for await (const chunk of response) chunks.push(chunk as Buffer);
            const text = Buffer.concat(chunks).toString();
            resolve({ status: response.statusCode!, headers: response.headers, body: text });
          },
        );
        call.on("error", reject);
        call.end(body);
      });

    test("REST is answered, under the name that the proxy passes on", async () => {
      const answer = await ask(INFER, JSON.stringify(V2), { host: "models.example.com" });
      assert.equal(answer.status, 200, answer.body);
      const { outputs } = JSON.parse(answer.body) as { outputs: { data: number[] }[] };
      assert.equal(outputs[0]!.data.indexOf(Math.max(...outputs[0]!.data)), label);
      const foreign = await ask(INFER, JSON.stringify(V2), { host: "rebound.example.net" });
      assert.equal(foreign.status, 403);
      assert.match(foreign.body, /foreign_host/);
    });

    test("a page of the proxy's own name may ask", async () => {
      const headers = { host: "models.example.com", origin: "https://models.example.com" };
      assert.equal((await ask(INFER, JSON.stringify(V2), headers)).status, 200);
      const other = await ask(INFER, JSON.stringify(V2), { ...headers, origin: "https://elsewhere.example" });
      assert.match(other.body, /foreign_origin/);
    });

    test("a request has one id in its answer and in the server's log: the client's, or the proxy's", async () => {
      const mine = await ask(INFER, JSON.stringify(V2), { "x-request-id": `mine-${name}` });
      assert.equal(mine.headers["x-request-id"], `mine-${name}`);
      const made = String((await ask(INFER, JSON.stringify(V2))).headers["x-request-id"]);
      assert.match(made, /^[\da-f-]{32,36}$/);
      for (const id of [`mine-${name}`, made])
        await until(`the log has ${id}`, () => server.output().includes(id));
    });

    test("who sends more than --max-body hears it in the server's words, and others are answered", async () => {
      const answer = await ask(INFER, Buffer.alloc(4 * MAX_BODY, " "));
      assert.equal(answer.status, 413);
      assert.match(answer.body, /--max-body|"reason":/);
      assert.equal((await ask("/v2/health/ready")).status, 200);
    });

    test("server-sent events come as they are", async () => {
      const answer = await ask("/v2/models/digits/generate_stream", JSON.stringify({ image: [IMAGE] }));
      assert.match(String(answer.headers["content-type"]), /^text\/event-stream/);
      assert.match(answer.body, /^data: \{.*"probabilities":\[/);
    });

    test("a WebSocket is opened, and answers message by message", async (t) => {
      const socket = new WebSocket(`wss://localhost:${port}/v2/models/digits/stream`, {
        ca: certificate.cert,
      });
      t.after(() => socket.terminate());
      await once(socket, "open");
      for (const id of ["a", "b"]) {
        socket.send(JSON.stringify({ id, ...V2 }));
        const [message] = (await once(socket, "message")) as [Buffer];
        assert.equal((JSON.parse(String(message)) as { id: string }).id, id);
      }
    });

    test("gRPC: one call, a stream whose requests follow answers, an error with its status", async () => {
      const { answers, status } = await rpc.call("ModelInfer", [GRPC]);
      assert.deepEqual([status.code, answers.length], [0, 1], status.details);
      const stream = rpc.open("ModelStreamInfer");
      for (const id of ["1", "2", "3"]) {
        stream.send({ ...GRPC, id });
        const answer = (await stream.next()) as { inferResponse: { id: string } };
        assert.equal(answer.inferResponse.id, id);
      }
      stream.halfClose();
      assert.equal((await stream.outcome).status.code, 0);
      const { status: failed } = await rpc.call("ModelInfer", [{ ...GRPC, modelName: "nope" }]);
      assert.equal(failed.code, 5);
      assert.match(failed.details, /"nope" does not exist/);
    });

    test("gRPC-Web and Connect have gRPC's URLs, and go their own way", async () => {
      const path = "/inference.GRPCInferenceService/ModelMetadata";
      const connected = await ask(path, '{"name": "digits"}', { "content-type": "application/json" });
      assert.equal(connected.status, 200, connected.body);
      assert.match(connected.body, /^\{"name":"digits"/);
      const frame = requestFrame("ModelMetadata", { name: "digits" });
      const web = await ask(path, frame, { "content-type": "application/grpc-web+proto" });
      assert.equal(web.headers["content-type"], "application/grpc-web+proto");
      assert.match(web.body, /grpc-status: ?0/);
    });
  });
}

function isOpen(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1");
    socket.once("connect", () => resolve(true)).once("error", () => resolve(false));
    socket.once("connect", () => socket.destroy());
  });
}
