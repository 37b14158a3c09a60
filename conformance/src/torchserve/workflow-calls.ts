import type { Closeness, RecordedCall } from "./recorded-call.ts";

function manage(method: string, path: string, closeness: Closeness = "bytes"): RecordedCall {
  return { name: `${method} ${path}`, port: "management", method, path, closeness };
}

function ask(
  workflow: string,
  body: string,
  extra: {
    readonly type?: string;
    readonly method?: string;
    readonly times?: number;
    readonly closeness?: Closeness;
  } = {},
): RecordedCall {
  const { type = "text/plain", method = "POST", times, closeness = "bytes" } = extra;
  const path = `/wfpredict/${workflow}`;
  return {
    name: `${method} ${path} ${body} (${type})`,
    port: "inference",
    method,
    path,
    headers: { "content-type": type, "x-custom": "yes" },
    body: Buffer.from(body),
    ...(times !== undefined && { times }),
    closeness,
  };
}

/** Asks the handler that knows sequences. */
function continued(sequence: string, closeness: Closeness = "bytes"): RecordedCall {
  const path = "/predictions/positions";
  const headers = {
    "content-type": "text/plain",
    ts_request_sequence_id: sequence,
  };
  const name = `POST ${path} of sequence ${JSON.stringify(sequence)}`;
  return { name, port: "inference", method: "POST", path, headers, body: Buffer.from("x"), closeness };
}

const SEQUENCE_CALLS: readonly RecordedCall[] = [
  manage("POST", "/models?url=positions.mar&initial_workers=1&synchronous=true"),
  manage("GET", "/models/positions", "shape"),
  ...["one", "two", "one", "three", "one", "two"].map((sequence) => continued(sequence)),
  // One more than there may be.
  continued("four", "status"),
  continued("three"),
  manage("DELETE", "/models/positions"),
];

/** Workflows of `torchserve_workflows.py`: registered, described, asked, and unregistered; then a handler that knows sequences. */
export const WORKFLOW_CALLS: readonly RecordedCall[] = [
  manage("GET", "/workflows"),
  manage("GET", "/workflows/line"),
  manage("DELETE", "/workflows/line"),
  manage("PUT", "/workflows/line"),
  manage("POST", "/workflows"),
  manage("POST", "/workflows?url=absent.war"),
  manage("POST", "/workflows?url=../line.war"),
  ask("line", "x"),
  ...["line", "fork", "alone"].map((name) => manage("POST", `/workflows?url=${name}.war`)),
  manage("POST", "/workflows?url=line.war"),
  ...["loop", "twice", "two_starts", "no_model", "no_function"].map((name) =>
    manage("POST", `/workflows?url=${name}.war`),
  ),
  manage("POST", "/workflows?url=alone.war&workflow_name=other"),
  manage("GET", "/workflows"),
  manage("GET", "/workflows?limit=2"),
  manage("GET", "/workflows?limit=2&next_page_token=2"),
  manage("GET", "/workflows/line"),
  manage("GET", "/workflows/fork"),
  manage("GET", "/models"),
  manage("GET", "/models/line__upper", "shape"),
  ask("line", "a word"),
  ask("line", "many at once", { times: 4 }),
  ask("line", "a word", { method: "PUT" }),
  ask("line", '{"a":1}', { type: "application/json" }),
  ask("line", "data=of+a+form", { type: "application/x-www-form-urlencoded" }),
  ask("other", "a word"),
  // In the order in which they were done.
  ask("fork", "three ways", { closeness: "numbers" }),
  ask("alone", "just text"),
  ask("alone", "bytes"),
  ask("alone", "raise"),
  ask("alone", "refuse"),
  // Several steps fail, and any may be the first.
  ask("fork", "bytes", { closeness: "status" }),
  ask("nobody", "x"),
  { name: "POST /wfpredict", port: "inference", method: "POST", path: "/wfpredict", closeness: "bytes" },
  manage("DELETE", "/workflows/line"),
  manage("GET", "/workflows/line"),
  ask("line", "gone"),
  ...["fork", "alone", "other"].map((name) => manage("DELETE", `/workflows/${name}`)),
  manage("GET", "/workflows"),
  manage("GET", "/models"),
  ...SEQUENCE_CALLS,
];
