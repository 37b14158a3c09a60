import { callFilter } from "./call-filter.ts";
import { CALL_NUMBERS } from "./refused-calls.ts";
import {
  createSandbox,
  failureIn,
  type LoadedFilter,
  missingForSandbox,
  type Sandbox,
  type SandboxOptions,
} from "./sandbox.ts";

/** What this machine can hold workers with. */
export interface FoundSandbox {
  /** Undefined: there is none, and `missing` says why. */
  readonly sandbox: Sandbox | undefined;
  readonly missing: string | undefined;
  /** Why it has no filter of system calls, in words; undefined: it has one. */
  readonly unfiltered: string | undefined;
}

/** Succeeds where a filter is in force. */
const IS_FILTERED = "grep -q '^Seccomp:.2$' /proc/self/status";

/** The best sandbox that works here. Starts up to three programs in one, some milliseconds each. */
export function findSandbox(options: Omit<SandboxOptions, "filter">): FoundSandbox {
  const bare = createSandbox(options);
  const missing = missingForSandbox(bare);
  if (missing !== undefined) return { sandbox: undefined, missing, unfiltered: missing };
  const program = callFilter();
  if (program === undefined)
    return { sandbox: bare, missing, unfiltered: `${process.arch} has none in this version` };
  const { seccomp } = CALL_NUMBERS[process.arch]!;
  let said = "";
  for (const loader of ["setpriv", "perl"] as const) {
    const filter: LoadedFilter = { loader, program, seccomp };
    const sandbox = createSandbox({ ...options, filter });
    const failure = failureIn(sandbox, IS_FILTERED);
    if (failure === undefined) return { sandbox, missing, unfiltered: undefined };
    said = failure;
  }
  const why = "nothing loads it: neither setpriv of util-linux 2.41 nor perl";
  return { sandbox: bare, missing, unfiltered: said === "" ? why : `${why} (${said})` };
}
