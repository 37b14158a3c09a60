/** Milliseconds of the system's monotonic clock, which all processes of a machine share. */
export function monotonicMs(): number {
  return Number(process.hrtime.bigint()) / 1e6;
}

export function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** Waits until something is true; false when that took too long. */
export async function until(
  isTrue: () => boolean | Promise<boolean>,
  options: { readonly withinMs: number; readonly everyMs?: number },
): Promise<boolean> {
  const endMs = monotonicMs() + options.withinMs;
  while (!(await isTrue())) {
    if (monotonicMs() > endMs) return false;
    await sleep(options.everyMs ?? 5);
  }
  return true;
}
