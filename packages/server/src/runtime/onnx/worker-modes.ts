/** What a worker is told of the time ahead, as an argument; without one it has all in memory that loading any file takes. */
export const WORKER_MODES = {
  /** Its file was probably translated before: it does without what translates, until that turns out to be wrong. */
  lean: "--lean",
  /** And it may wait for long: it does without the engine as well. */
  waiting: "--waiting",
} as const;
