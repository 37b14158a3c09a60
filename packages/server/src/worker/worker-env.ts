/** What a worker may know of the front's environment: how to find native libraries, and where and when it is. No secrets. */
const ALLOWED = [
  "LANG",
  "LC_ALL",
  "LD_LIBRARY_PATH",
  "DYLD_LIBRARY_PATH",
  "SYSTEMROOT",
  "TMPDIR",
  "TEMP",
  "TZ",
];

/** The environment of a worker, cut out of the front's. */
export function workerEnv(front: Readonly<Record<string, string | undefined>>): Record<string, string> {
  const env: Record<string, string> = {};
  for (const name of ALLOWED) {
    const value = front[name];
    if (value !== undefined) env[name] = value;
  }
  return env;
}
