// docs/errors.md, from the table of codes and reasons and the statuses that the edges answer with.
import { CODE_HELP, ERROR_CODES, REASON_GROUPS } from "../packages/protocol/dist/index.js";
import { statusNumber } from "../packages/server/dist/edge/grpc/status.js";
import { statusOf } from "../packages/server/dist/edge/rest/call/status.js";

const statuses = (code, reason) =>
  `${statusOf({ code, reason })} | ${statusNumber(code)} ${code.toUpperCase()}`;

const codeRows = ERROR_CODES.map((code) => `| \`${code}\` | ${statuses(code, code)} | ${CODE_HELP[code]} |`);

const reasonRows = (reasons) =>
  Object.entries(reasons).flatMap(([code, byReason]) =>
    Object.entries(byReason).map(
      ([reason, help]) => `| \`${reason}\` | \`${code}\` | ${statuses(code, reason)} | ${help} |`,
    ),
  );

const sections = REASON_GROUPS.map(
  ({ title, reasons }) => `## ${title}

| reason | code | HTTP | gRPC | what happened, and what to do |
|---|---|---|---|---|
${reasonRows(reasons).join("\n")}
`,
);

export const errorsPage = `# Errors

<!-- Generated from packages/protocol/src/error-reasons.ts by \`npm run docs\`. -->

An error response names a code, a reason and what to change. It never holds paths, process ids, host names or stacks; those are in the
server's log, under the request's id.

- REST: \`{"error": "<message>", "reason": "<reason>"}\`, with the HTTP status below and \`X-Request-Id\`.
- gRPC: the status code below, the message, and the reason in the trailer \`sconce-reason\`. The same for programs in \`grpc-status-details-bin\`: a \`google.rpc.Status\` with
  \`ErrorInfo\` (the reason, domain \`sconce\`) and, where trying again may help, \`RetryInfo\`; not for messages past 1 KiB.
- 429 and 503 carry \`Retry-After\` in seconds (jittered, so that clients do not come back together); gRPC carries \`grpc-retry-pushback-ms\`.

**Messages may change; codes and reasons are stable.** Switch on the reason, fall back to the code. The list is complete: the server is
compiled against it, so it cannot give a reason that is missing here.

## Codes

An error without a reason of its own has its code as the reason.

| code | HTTP | gRPC | what it means |
|---|---|---|---|
${codeRows.join("\n")}

${sections.join("\n")}`;
