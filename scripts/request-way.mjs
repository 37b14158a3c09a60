// Which files and functions of the server process one warm request passes through, by V8's precise coverage of the built server:
// `npm run request-way`, with `-- --files` for every file. The worker's process is not counted.
//
// Loaded into the server itself (see `startServer`), this file answers `take` with the functions that ran since the last `take`.
import { fork } from "node:child_process";
import { readFileSync } from "node:fs";
import { Agent, request } from "node:http";
import { Session } from "node:inspector/promises";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("..", import.meta.url));
const PACKAGES = new URL("../packages/", import.meta.url).href;
const WARM_UP = 30;
/** A request's way is what every one of so many requests passes, and more often than the timers do in a time without requests. */
const WINDOWS = 20;
/** Until the server has put its things away after an answer. */
const REST_MS = 4;
const EXAMPLE = JSON.parse(readFileSync(`${ROOT}examples/digits/request.json`, "utf8"));

if (process.send === undefined) await main();
else await coverThisProcess();

/** How often each function ran since the last `take`, by `path of the source:function name@where it begins`. */
async function coverThisProcess() {
  const session = new Session();
  session.connect();
  await session.post("Profiler.enable");
  await session.post("Profiler.startPreciseCoverage", { callCount: true, detailed: false });
  process.on("message", async () => {
    const { result } = await session.post("Profiler.takePreciseCoverage");
    const ran = {};
    for (const { url, functions } of result) {
      if (!url.startsWith(PACKAGES)) continue;
      for (const { functionName, ranges } of functions) {
        const { startOffset, count } = ranges[0];
        // The first function of a module is the module itself.
        if (count > 0 && startOffset > 0) ran[`${sourceName(url)}:${functionName}@${startOffset}`] = count;
      }
    }
    process.send(ran);
  });
}

function sourceName(url) {
  return url.slice(PACKAGES.length).replace("/dist/", "/").replace(/\.js$/, ".ts");
}

async function main() {
  const server = await startServer();
  try {
    for (const [name, send] of [
      ["REST", restClient(server.url)],
      ["gRPC", await grpcClient(server.url)],
    ]) {
      report(name, await wayOf(server, send));
    }
  } finally {
    server.stop();
  }
}

/** The functions that every request passes. */
async function wayOf(server, send) {
  for (let i = 0; i < WARM_UP; i++) await send();
  const idle = await windows(server, () => rest());
  const busy = await windows(server, send);
  return Object.keys(busy[0])
    .filter((name) => {
      const count = Math.min(...busy.map((ran) => ran[name] ?? 0));
      return count > Math.max(...idle.map((ran) => ran[name] ?? 0));
    })
    .sort();
}

async function windows(server, work) {
  const taken = [];
  await server.take();
  for (let i = 0; i < WINDOWS; i++) {
    await work();
    await rest();
    taken.push(await server.take());
  }
  return taken;
}

function report(protocol, functions) {
  const files = new Map();
  for (const name of functions) {
    const file = name.slice(0, name.indexOf(":"));
    files.set(file, (files.get(file) ?? 0) + 1);
  }
  const rooms = new Map();
  for (const [file, count] of files) {
    const [, room] = /^(protocol|torch|server\/(?:[^/]+(?=\/)|))/.exec(file) ?? [];
    const sum = rooms.get(room) ?? { files: 0, functions: 0 };
    rooms.set(room, { files: sum.files + 1, functions: sum.functions + count });
  }
  console.log(`\n${protocol}: ${files.size} files, ${functions.length} functions`);
  for (const [room, sum] of [...rooms].sort())
    console.log(
      `  ${room.padEnd(18)} ${String(sum.files).padStart(3)} files ${String(sum.functions).padStart(4)} functions`,
    );
  if (process.argv.includes("--files")) {
    for (const [file, count] of files) {
      const names = functions
        .filter((name) => name.startsWith(`${file}:`))
        .map((name) => name.slice(file.length + 1, name.lastIndexOf("@")) || "(anonymous)");
      console.log(`    ${file} ${count}: ${names.join(", ")}`);
    }
  }
}

function startServer() {
  const child = fork(
    `${ROOT}packages/server/bin/sconce.js`,
    ["serve", `${ROOT}examples/digits/digits.onnx`, "--port", "0"],
    { execArgv: ["--import", import.meta.url], stdio: ["ignore", "pipe", "pipe", "ipc"] },
  );
  let output = "";
  return new Promise((resolve, reject) => {
    child.once("exit", (code) => reject(new Error(`the server ended with code ${code}:\n${output}`)));
    const collect = async (chunk) => {
      output += chunk;
      const url = /listens on (http:\S+)/.exec(output)?.[1];
      if (url === undefined) return;
      child.stdout.off("data", collect);
      child.stderr.off("data", collect);
      while (!(await fetch(`${url}/v2/health/ready`)).ok) await rest();
      resolve({
        url,
        take: () =>
          new Promise((got) => {
            child.once("message", got);
            child.send("take");
          }),
        stop: () => {
          // The channel keeps both processes from ending.
          child.removeAllListeners("exit");
          child.disconnect();
          child.kill();
        },
      });
    };
    child.stdout.on("data", collect);
    child.stderr.on("data", collect);
  });
}

/** Sends the example as JSON, always over the same connection. */
function restClient(url) {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  const body = JSON.stringify(EXAMPLE);
  const headers = { "content-type": "application/json", "content-length": Buffer.byteLength(body) };
  return () =>
    new Promise((resolve, reject) => {
      const sent = request(`${url}/v2/models/digits/infer`, { method: "POST", agent, headers }, (answer) => {
        answer.resume();
        answer.on("end", () =>
          answer.statusCode === 200 ? resolve() : reject(new Error(`status ${answer.statusCode}`)),
        );
      });
      sent.on("error", reject);
      sent.end(body);
    });
}

/** Sends the example with raw contents. */
async function grpcClient(url) {
  const { protoClient } = await import("../conformance/dist/grpc-client.js");
  const client = protoClient({
    proto: "inference/grpc_service.proto",
    service: "inference.GRPCInferenceService",
    target: new URL(url).host,
  });
  const [{ name, datatype, shape, data }] = EXAMPLE.inputs;
  const message = {
    modelName: "digits",
    inputs: [{ name, datatype, shape }],
    rawInputContents: [Buffer.from(new Float32Array(data.flat(Number.POSITIVE_INFINITY)).buffer)],
  };
  return () => client.unary("ModelInfer", message);
}

function rest() {
  return new Promise((resolve) => setTimeout(resolve, REST_MS));
}
