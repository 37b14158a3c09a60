import { closeSync, openSync, readSync, unlinkSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ServeError } from "../../base/errors.ts";
import type { BudgetLedger } from "../../gate/shared-budget.ts";

const NUMBER_BYTES = 8;

/** The ledger of a server, as the process has it that made it. */
export interface LedgerFile {
  /** Child processes are given it. */
  readonly fd: number;
  /** What the process at `place` sees of it; nothing, once it is closed. */
  at(place: number): BudgetLedger;
  /** Idempotent. */
  close(): void;
}

/**
 * Opens a file without a name, in memory where the system has a place for that, with a number for each process. It ends with the last process that has it
 * open. Throws `failed_precondition` when there is no place for it.
 */
export function openLedgerFile(processes: number): LedgerFile {
  const fd = openNameless(Buffer.alloc(processes * NUMBER_BYTES));
  let isOpen = true;
  return {
    fd,
    at(place) {
      const { publish, others } = ledgerAt(fd, place, processes);
      // The number of a closed descriptor may be that of another file.
      return {
        processes,
        publish: (bytes) => (isOpen ? publish(bytes) : undefined),
        others: () => (isOpen ? others() : 0),
      };
    },
    close() {
      if (isOpen) closeSync(fd);
      isOpen = false;
    },
  };
}

function openNameless(content: Buffer): number {
  for (const folder of ["/dev/shm", tmpdir()]) {
    const path = join(folder, `sconce-ledger-${process.pid}-${process.hrtime.bigint()}`);
    try {
      const fd = openSync(path, "wx+", 0o600);
      unlinkSync(path);
      writeSync(fd, content, 0, content.length, 0);
      return fd;
    } catch {
      // The next place may do.
    }
  }
  throw new ServeError(
    "failed_precondition",
    "--edges: its processes share a small file, and there is no folder for it: set TMPDIR to one that can be written to, or leave --edges at 1",
    { reason: "unreadable_path" },
  );
}

/** What the process at `place` sees of the ledger. */
export function ledgerAt(fd: number, place: number, processes: number): BudgetLedger {
  const own = new Float64Array(1);
  const all = new Float64Array(processes);
  return {
    processes,
    publish(bytes) {
      own[0] = bytes;
      writeSync(fd, own, 0, NUMBER_BYTES, place * NUMBER_BYTES);
    },
    others() {
      readSync(fd, all, 0, processes * NUMBER_BYTES, 0);
      let sum = 0;
      for (let i = 0; i < processes; i++) if (i !== place) sum += all[i]!;
      return sum;
    },
  };
}
