/** What a start that fails takes back. */
export interface CleanupStack {
  /** Takes note of how to undo what has just been done. */
  defer(undo: () => unknown): void;
  /** Undoes everything, the last first; waits for each, and goes on when one fails. */
  run(): Promise<void>;
}

export function createCleanupStack(): CleanupStack {
  const undos: (() => unknown)[] = [];
  return {
    defer: (undo) => void undos.push(undo),
    async run() {
      for (let undo = undos.pop(); undo !== undefined; undo = undos.pop()) {
        try {
          await undo();
        } catch {
          // Whoever asked for the start hears why it failed, not what came of that.
        }
      }
    },
  };
}
