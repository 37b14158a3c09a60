// What every runtime of workers promises; each runtime that runs calibrated models is held to it.
import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { readJournal } from "../chaos/journal.ts";
import { childrenOf } from "../chaos/process-facts.ts";
import {
  type Instance,
  type LoadedModel,
  type LoadOptions,
  type LoadSpec,
  type Logger,
  PLAIN_LOAD,
  type Runtime,
  systemClock,
  type WorkerRuntimeOptions,
} from "../internals/server.ts";
import { until } from "../until.kit.ts";
import { type CalibratedModel, POISON } from "./calibrated-model.ts";

/** A runtime that runs calibrated models, and what it does in its own way. */
export interface RuntimeRig {
  create(options: Omit<WorkerRuntimeOptions, "name" | "entry">): Runtime;
  /** A model file's content, and its suffix. */
  encode(model: Partial<CalibratedModel>): string | Uint8Array;
  readonly suffix: string;
  /** The same model with other weights beside it. */
  encodeWeights(tag: number): Uint8Array;
  /** What a load needs beside the file. */
  readonly options: Partial<LoadOptions>;
  readonly isCode: boolean;
  readonly hasThreads: boolean;
  /** Its workers take seconds to start: how often one may die is counted by the same code for all, and tried where it costs less. */
  readonly startsSlowly: boolean;
  /** What the model's own error becomes, and what the log has of it. */
  readonly thrown: readonly [reason: string, detail: RegExp];
  /** More than a worker takes with a model in it, less than what it takes when it allocates. */
  readonly memoryLimitBytes: number;
}

const OPTIONS: LoadOptions = { ...PLAIN_LOAD, warmupRuns: 0 };

/** Pids of the workers, as the log knows them: nothing else says them. */
const pids: number[] = [];
/** What the log says of failed runs. */
const details: string[] = [];
const LOGGER: Logger = {
  debug() {},
  info(fields) {
    if ("pid" in fields && typeof fields.pid === "number") pids.push(fields.pid);
  },
  warn(fields) {
    if ("detail" in fields) details.push(String(fields.detail));
  },
  error() {},
  child: () => LOGGER,
};

function row(first: number, width = 16): Uint8Array {
  const bytes = new Uint8Array(width).fill(first, 0, 1);
  for (let i = 1; i < width; i += 97) bytes[i] = i + first;
  return bytes;
}

function runRows(instance: Instance, rows: readonly Uint8Array[]): ReturnType<Instance["run"]> {
  return instance.run({
    inputs: [{ datatype: "UINT8", shape: [rows.length, rows[0]!.length], chunks: rows }],
  });
}

const rejectsWith = (code: string, reason: string) => (error: unknown) => {
  assert.deepEqual([(error as { code: string }).code, (error as { reason: string }).reason], [code, reason]);
  return true;
};

/** Of `node:test`: a suite that nobody runs by itself does not import it. */
type Runner = Pick<typeof import("node:test"), "after" | "describe" | "test">;

/** Runs the suite. */
export function describeRuntime({ describe, test, after }: Runner, name: string, rig: RuntimeRig): void {
  describe(`a model in a worker of ${name}`, () => {
    const folder = mkdtempSync(join(tmpdir(), "calibrated-"));
    const runtime = rig.create({
      clock: systemClock,
      logger: LOGGER,
      random: () => 0.5,
      spares: 1,
    });
    after(async () => {
      await runtime.close();
      rmSync(folder, { recursive: true });
    });
    let files = 0;
    const specOf = (file: string, options: Partial<LoadOptions> = {}): LoadSpec => ({
      name: "m",
      version: "1",
      file,
      root: "/",
      codeFile: rig.isCode ? file : undefined,
      options: { ...OPTIONS, ...rig.options, ...options },
    });

    async function load(
      model: Partial<CalibratedModel>,
      options: Partial<LoadOptions> = {},
    ): Promise<LoadedModel> {
      const file = join(folder, `${files++}${rig.suffix}`);
      writeFileSync(file, rig.encode(model));
      return runtime.load(specOf(file, options), { signal: new AbortController().signal });
    }

    async function loadOne(
      model: Partial<CalibratedModel>,
      options: Partial<LoadOptions> = {},
    ): Promise<[LoadedModel, Instance]> {
      const loaded = await load(model, options);
      return [loaded, loaded.instances[0]!];
    }

    test("answers with the rows it was given, 64 MiB included", async () => {
      const width = 8 * 1024 * 1024;
      const [model, instance] = await loadOne({ width, tag: 7 });
      const rows = Array.from({ length: 8 }, (_, i) => row(i, width));
      const result = await runRows(instance, rows);
      assert.equal(Buffer.compare(Buffer.concat(rows), result.outputs[0]!.bytes), 0);
      assert.deepEqual([...new BigInt64Array(result.outputs[1]!.bytes.slice().buffer)], Array(8).fill(7n));
      await model.close();
    });

    test("killed while it runs: the run is blamed, the one behind it is not, and it comes back", async () => {
      const journal = join(folder, "killed.journal");
      const [model, instance] = await loadOne({ journal });
      await until("there is a spare", () => childrenOf(process.pid).length >= 2);
      const pid = pids.at(-1)!;
      const states: string[] = [];
      model.onStateChange(({ state }) => states.push(state.kind));
      const executing = runRows(instance, [row(POISON.hang)]);
      const waiting = runRows(instance, [row(2)]);
      await until("the first one runs", () => readJournal(journal).runs.length === 1);
      const before = childrenOf(process.pid);
      process.kill(pid, "SIGKILL");
      await assert.rejects(executing, rejectsWith("unavailable", "worker_died"));
      assert.equal(instance.state.kind, "restarting");
      await assert.rejects(waiting, rejectsWith("unavailable", "worker_died_waiting"));
      await assert.rejects(runRows(instance, [row(3)]), rejectsWith("unavailable", "instance_not_ready"));
      await until("it is ready", () => instance.state.kind === "ready");
      assert.ok(before.includes(readJournal(journal).loads.at(-1)!.pid), "a spare takes over");
      assert.deepEqual(states, ["restarting", "ready"]);
      assert.equal((await runRows(instance, [row(4)])).outputs[0]!.bytes[0], 4);
      await model.close();
    });

    for (const kind of ["segfault", "abort", "exit"] as const) {
      test(`survives a model that ends its process (${kind})`, async () => {
        const [model, instance] = await loadOne({});
        await assert.rejects(
          runRows(instance, [row(POISON[kind])]),
          rejectsWith("unavailable", "worker_died"),
        );
        await until("it is ready", () => instance.state.kind === "ready");
        assert.equal((await runRows(instance, [row(5)])).outputs[0]!.bytes[0], 5);
        await model.close();
      });
    }

    test("a memory limit below what a worker needs fails the load, and says what it needs", async () => {
      await assert.rejects(loadOne({}, { memoryLimitBytes: 2 ** 20 }), {
        reason: "invalid_config",
        message:
          /^memory_limit is 1 MiB, and a worker takes \d+ MiB with the model loaded: raise memory_limit$/,
      });
    });

    test("kills a model that hangs, in time, and comes back", async () => {
      const [model, instance] = await loadOne({}, { executionTimeoutMs: 200 });
      const startMs = performance.now();
      await assert.rejects(runRows(instance, [row(POISON.hang)]), {
        reason: "execution_timeout",
        message: /execution_timeout \(0\.2 s\)/,
      });
      const elapsedMs = performance.now() - startMs;
      assert.ok(elapsedMs >= 199, `after ${elapsedMs} ms`);
      await until("it is ready", () => instance.state.kind === "ready");
      await model.close();
    });

    test("the time of a run begins when the runs before it are done", async () => {
      const [model, instance] = await loadOne({ sleepMs: 500 }, { executionTimeoutMs: 3_500 });
      await Promise.all([1, 2, 3, 4, 5, 6, 7, 8].map((first) => runRows(instance, [row(first)])));
      await model.close();
    });

    test("a model that throws or answers nonsense keeps its worker", async () => {
      const [model, instance] = await loadOne({});
      await assert.rejects(runRows(instance, [row(POISON.throw)]), rejectsWith("internal", rig.thrown[0]));
      await assert.rejects(
        runRows(instance, [row(POISON.wrongShape)]),
        rejectsWith("internal", "bad_output"),
      );
      assert.ok(
        details.some((detail) => rig.thrown[1].test(detail)),
        details.join(),
      );
      assert.equal((await runRows(instance, [row(5)])).outputs[0]!.bytes[0], 5);
      assert.equal(instance.state.kind, "ready");
      await model.close();
    });

    test("a thread that exits or hangs is replaced as well", {
      skip: !rig.hasThreads && "it has none",
    }, async () => {
      const [model, instance] = await loadOne({}, { isolation: "thread", executionTimeoutMs: 4_000 });
      assert.equal((await runRows(instance, [row(5)])).outputs[0]!.bytes[0], 5);
      for (const [kind, code, reason] of [
        ["exit", "unavailable", "worker_died"],
        ["hang", "deadline_exceeded", "execution_timeout"],
      ] as const) {
        await assert.rejects(runRows(instance, [row(POISON[kind])]), rejectsWith(code, reason));
        await until("it is ready", () => instance.state.kind === "ready");
      }
      assert.equal((await runRows(instance, [row(6)])).outputs[0]!.bytes[0], 6);
      await model.close();
    });

    test("replaces a worker that passes its memory limit", async () => {
      const [model, instance] = await loadOne({}, { memoryLimitBytes: rig.memoryLimitBytes });
      await assert.rejects(runRows(instance, [row(POISON.allocate)]), (error: Error) => {
        assert.match(error.message, /passed its memory limit/);
        return rejectsWith("unavailable", "worker_died")(error);
      });
      await until("it is ready", () => instance.state.kind === "ready");
      await model.close();
    });

    const diesOften = { skip: rig.startsSlowly && "workers of Node show it" };

    test("gives up after five deaths in a row, and others live on", diesOften, async () => {
      const [healthy] = await loadOne({});
      const [model, instance] = await loadOne({});
      for (let death = 1; death <= 5; death++) {
        await until("it is ready", () => instance.state.kind === "ready");
        await runRows(instance, [row(POISON.exit)]).catch(() => {});
      }
      assert.deepEqual(instance.state, {
        kind: "failed",
        reason: "the worker died 5 times in 60 s; last reason: it exited with code 7",
      });
      assert.equal(healthy.instances[0]!.state.kind, "ready");
      await Promise.all([model.close(), healthy.close()]);
    });

    test("deaths of workers that had answered are not crash loop", diesOften, async () => {
      const [model, instance] = await loadOne({});
      for (let death = 1; death <= 6; death++) {
        await until("it is ready", () => instance.state.kind === "ready");
        await runRows(instance, [row(1)]);
        await runRows(instance, [row(POISON.exit)]).catch(() => {});
      }
      await until("it is ready", () => instance.state.kind === "ready");
      await model.close();
    });

    test("a load that takes too long, dies, or is cancelled says so", async () => {
      await assert.rejects(
        load({ loadMs: 5_000 }, { loadTimeoutMs: 150 }),
        rejectsWith("deadline_exceeded", "load_timeout"),
      );
      await assert.rejects(
        load({ diesAtLoad: true }),
        rejectsWith("failed_precondition", "worker_died_loading"),
      );
      const file = join(folder, `slow${rig.suffix}`);
      writeFileSync(file, rig.encode({ loadMs: 3_000 }));
      const spec = specOf(file);
      await assert.rejects(
        runtime.load(spec, { signal: AbortSignal.timeout(100) }),
        rejectsWith("cancelled", "load_cancelled"),
      );
      await assert.rejects(
        runtime.load({ ...spec, file: join(folder, "none.onnx") }, { signal: new AbortController().signal }),
        rejectsWith("not_found", "model_file_gone"),
      );
      await assert.rejects(
        runtime.load({ ...spec, file: join(file, "in-a-file") }, { signal: new AbortController().signal }),
        rejectsWith("unavailable", "file_unreadable"),
      );
    });

    test("close() waits for the runs in flight", async () => {
      const [model, instance] = await loadOne({ sleepMs: 100 });
      const runs = [runRows(instance, [row(1)]), runRows(instance, [row(2)])];
      await model.close();
      assert.deepEqual(
        (await Promise.all(runs)).map((result) => result.outputs[0]!.bytes[0]),
        [1, 2],
      );
      assert.equal(instance.state.kind, "closed");
    });

    for (const replaced of ["model", "weights"]) {
      test(`instances never run different files, although the ${replaced} are replaced between their loads`, async () => {
        const file = join(folder, `replaced${rig.suffix}`);
        const weightsFile = join(folder, "replaced.safetensors");
        const put = (name: string, tag: number): void => {
          writeFileSync(name, name === file ? rig.encode({ tag }) : rig.encodeWeights(tag));
        };
        put(file, 1);
        put(weightsFile, 1);
        const logger: Logger = {
          ...LOGGER,
          child: () => logger,
          // The first instance is ready, the second has not looked at the files.
          info: (_fields, message) => {
            if (message.endsWith("is ready")) put(replaced === "model" ? file : weightsFile, 20);
          },
        };
        const own = rig.create({ clock: systemClock, logger, random: () => 0.5, spares: 0 });
        const spec = specOf(file, { weightsFile, instances: 2 });
        await assert.rejects(
          own.load(spec, { signal: new AbortController().signal }),
          rejectsWith("unavailable", "model_file_changed"),
        );
        await own.close();
      });
    }

    test("a file that changed is not loaded again under the same model", async () => {
      const [model, instance] = await loadOne({});
      writeFileSync(join(folder, `${files - 1}${rig.suffix}`), rig.encode({ tag: 9 }));
      await runRows(instance, [row(POISON.exit)]).catch(() => {});
      await until("it is given up", () => instance.state.kind === "failed");
      assert.match((instance.state as { reason: string }).reason, /changed after it was loaded/);
      model.destroy("the test is over");
    });
  });

  test(`close() leaves no process and no file descriptor of ${name} behind`, async () => {
    const folder = mkdtempSync(join(tmpdir(), "calibrated-"));
    const fds = () => readdirSync("/proc/self/fd").length;
    const before = fds();
    for (let round = 0; round < 2; round++) {
      const runtime = rig.create({
        clock: systemClock,
        logger: LOGGER,
        random: Math.random,
        spares: 1,
      });
      const file = join(folder, `m${rig.suffix}`);
      writeFileSync(file, rig.encode({}));
      const codeFile = rig.isCode ? file : undefined;
      const options = { ...OPTIONS, ...rig.options, instances: 2 };
      const spec = { name: "m", version: "1", file, codeFile, root: "/", options };
      const model = await runtime.load(spec, { signal: new AbortController().signal });
      await Promise.all(model.instances.map((instance) => runRows(instance, [row(1)])));
      await runtime.close();
      for (const pid of pids.slice(-2)) assert.throws(() => process.kill(pid, 0));
    }
    rmSync(folder, { recursive: true });
    await until("all descriptors are closed", () => fds() <= before + 1);
  });
}
