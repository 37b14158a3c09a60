/**
 * Where a program lies that `npm test` finds or installs (scripts/system-packages.mjs has the table, and finds these calls by their words), or why the
 * test or suite that takes this as its options is skipped. With SCONCE_REQUIRE_TORCH=1 nothing is skipped: it throws.
 */
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
