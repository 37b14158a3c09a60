/**
 * What a worker may know of the server process's environment: how to find native libraries and compiled code, and where
 * and when it is. No secrets.
 */
const ALLOWED = [
  "LANG",
  "LC_ALL",
  "LD_LIBRARY_PATH",
  "DYLD_LIBRARY_PATH",
  "MALLOC_MMAP_THRESHOLD_",
  "NODE_COMPILE_CACHE",
  "SYSTEMROOT",
  "TMPDIR",
  "TEMP",
  "TZ",
];

/**
 * glibc raises its own threshold to the largest block ever freed, and from then on keeps such blocks: after one large batch a worker
 * held 160 MiB of BERT-base's activations for good. A fixed threshold gives them back. Other allocators do not know the name.
 */
const RETURN_LARGE_BLOCKS = { MALLOC_MMAP_THRESHOLD_: "1048576" };

/** The environment of a worker, cut out of the server process's. */
export function workerEnv(front: Readonly<Record<string, string | undefined>>): Record<string, string> {
  const env: Record<string, string> = { ...RETURN_LARGE_BLOCKS };
  for (const name of ALLOWED) {
    const value = front[name];
    if (value !== undefined) env[name] = value;
  }
  return env;
}
