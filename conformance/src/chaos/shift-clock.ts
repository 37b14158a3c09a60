/**
 * Loaded before a chaos server: lets its wall clock jump on command, as when somebody sets it. Monotonic time goes on as ever, so code that
 * measures durations with the wall clock is found out.
 */
const RealDate = Date;
let shiftMs = 0;

function now(): number {
  return RealDate.now() + shiftMs;
}

globalThis.Date = new Proxy(RealDate, {
  construct: (target, args, newTarget) =>
    Reflect.construct(target, args.length === 0 ? [now()] : args, newTarget) as object,
  apply: () => new RealDate(now()).toString(),
  get: (target, name, receiver) => (name === "now" ? now : Reflect.get(target, name, receiver)),
});

process.on("message", (message: { readonly clockShiftMs?: number }) => {
  if (message.clockShiftMs !== undefined) shiftMs = message.clockShiftMs;
});
