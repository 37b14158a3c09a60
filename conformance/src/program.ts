import type { TestContext } from "node:test";

/**
 * Where a program lies that `npm test` finds or installs (scripts/system-packages.mjs has the table, and finds these calls by their words). Without it
 * the test is skipped with the reason, and the result is undefined: the test returns. With SCONCE_REQUIRE_TORCH=1 it fails instead.
 */
export function requireProgram(t: TestContext, program: string): string | undefined {
  const found = programOrReason(program);
  if (found.skip === false) return found.path;
  t.skip(found.skip);
  return undefined;
}

/** The same for a whole suite, which takes it as its options: where the program is, or why the suite is skipped. */
export function programOrReason(
  program: string,
): { readonly path: string; readonly skip: false } | { readonly path?: never; readonly skip: string } {
  const variable = `SCONCE_TEST_${program.toUpperCase().replaceAll(/\W/g, "_")}`;
  const path = process.env[variable];
  if (path !== undefined && path !== "") return { path, skip: false };
  const reason = process.env[`${variable}_SKIP`] || "run it through `npm test`, which finds or installs it";
  if (process.env["SCONCE_REQUIRE_TORCH"] === "1") throw new Error(`${program} is required: ${reason}`);
  return { skip: `needs ${program}: ${reason}` };
}
