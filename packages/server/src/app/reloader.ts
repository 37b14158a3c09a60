import { stat } from "node:fs/promises";
import type { Clock } from "../base/clock.ts";
import { ServeError } from "../base/errors.ts";
import type { Logger } from "../base/logger.ts";

/** Something that files say and that may change while the server runs. */
export interface Reloadable {
  /** In the log: "the certificate". */
  readonly what: string;
  readonly paths: readonly string[];
  /** Reads them again. What it rejects with leaves everything as it was. */
  reload(): Promise<void>;
}

/** Reads files again when they change. */
export interface Reloader {
  /** All of them now, whether they have changed or not; never rejects. */
  reloadAll(): Promise<void>;
  stop(): void;
}

interface Watched {
  readonly thing: Reloadable;
  /** What the file system said when it was read last, and at the last look. */
  read: string;
  seen: string;
}

/**
 * Looks at files every `intervalMs`. A change must hold still for two looks before it is acted on: a certificate and its key are written one after
 * the other. What cannot be read stays as it was, and the log says so, once per change.
 */
export async function createReloader(
  things: readonly Reloadable[],
  {
    clock,
    logger,
    intervalMs,
  }: { readonly clock: Clock; readonly logger: Logger; readonly intervalMs: number },
): Promise<Reloader> {
  const watched: Watched[] = [];
  for (const thing of things) {
    const stamp = await stampOf(thing.paths);
    watched.push({ thing, read: stamp, seen: stamp });
  }
  let cancel = (): void => {};
  let isStopped = false;
  /** One at a time: an older state must not be read last. */
  let running: Promise<void> = Promise.resolve();
  /** All will be read, from a moment on that has not come yet: whoever asks meanwhile asks for nothing more. */
  let waiting: Promise<void> | undefined;

  async function read(it: Watched, stamp: string): Promise<void> {
    it.read = stamp;
    it.seen = stamp;
    const { what, reload } = it.thing;
    try {
      await reload();
      logger.info({}, `${what}: read again`);
    } catch (thrown) {
      const error = ServeError.from(thrown);
      logger.error(
        { reason: error.reason },
        `${what}: ${error.message}. What was read before stays in force`,
      );
    }
  }
  async function look(): Promise<void> {
    for (const it of watched) {
      const stamp = await stampOf(it.thing.paths);
      if (stamp !== it.read && stamp === it.seen) await read(it, stamp);
      else it.seen = stamp;
    }
  }
  async function readAll(): Promise<void> {
    waiting = undefined;
    for (const it of watched) await read(it, await stampOf(it.thing.paths));
  }
  const enqueue = (work: () => Promise<void>): Promise<void> => {
    running = running.then(() => (isStopped ? undefined : work()));
    return running;
  };
  const lookLater = (): void => {
    cancel = clock.after(intervalMs, () => {
      enqueue(look).then(() => {
        if (!isStopped) lookLater();
      });
    });
  };
  if (watched.length > 0) lookLater();
  return {
    reloadAll: () => (waiting ??= enqueue(readAll)),
    stop() {
      isStopped = true;
      cancel();
    },
  };
}

/** What the file system says of the state of files, links resolved: Kubernetes swaps a link to change a mounted secret. */
async function stampOf(paths: readonly string[]): Promise<string> {
  const stamps = await Promise.all(
    paths.map(async (path) => {
      try {
        const { dev, ino, size, mtimeMs, ctimeMs } = await stat(path);
        return `${dev} ${ino} ${size} ${mtimeMs} ${ctimeMs}`;
      } catch {
        return "missing";
      }
    }),
  );
  return stamps.join("\n");
}
