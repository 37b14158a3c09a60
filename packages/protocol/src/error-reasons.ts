import { ERROR_CODES, type ErrorCode } from "./error-code.ts";

const REQUEST_REASONS = {
  invalid_argument: {
    bad_http:
      "The bytes are not an HTTP/1.1 request, or can be read in two ways. Use an HTTP client library.",
    tls_required:
      "The port speaks TLS and the client does not. Use `https://`, or TLS credentials over gRPC.",
    bad_url: "The URL's percent-encoding is wrong. Encode the model's name.",
    method_not_allowed: "The URL exists, the method does not. The `Allow` header names the one to use.",
    url_too_long: "The URL is longer than 2048 bytes. Put values into the body.",
    expectation_failed: "`Expect` says something else than `100-continue`. Leave it out.",
    unsupported_media_type:
      "The body is an image, a form, multipart or a file, and the model takes tensors. The message says which, and shows a request.",
    unsupported_encoding:
      "`Content-Encoding` is neither gzip nor deflate, names several, or stands before messages in envelopes (gRPC-Web), which are compressed one by one.",
    bad_compression:
      "The body is not what its `Content-Encoding` says, or the message not what its `grpc-encoding` says.",
    tenant_too_long: "The header that names the tenant is longer than 256 characters.",
    bad_timeout:
      "`grpc-timeout`, `x-request-timeout-ms` or the parameter `timeout` is not a number in its unit. See [protocols.md](protocols.md#deadlines).",
    bad_priority: "The parameter `priority` is not a whole number from 0 on.",
  },
  unimplemented: {
    http_version:
      "The request names a version of HTTP that is neither 1.1 nor 1.0. Use an HTTP client library.",
    no_such_method:
      "There is no gRPC method of this name. Reflection lists the services; [protocols.md](protocols.md#grpc) does as well.",
    unsupported_encoding: "`grpc-encoding` is neither gzip nor deflate nor identity. Use one of them.",
  },
  not_found: {
    no_such_region:
      "No shared memory region of this name is registered. `GET /v2/systemsharedmemory/status` lists those that are.",
    no_such_url:
      "Nothing is served under this URL. `GET /v2/models` lists the models; [protocols.md](protocols.md) lists the routes.",
  },
  unauthenticated: {
    invalid_token:
      "The key or token of `Authorization: Bearer …` is not known here, or was withdrawn, or is for another server. Ask whoever runs it for a key.",
    token_expired: "The key or token was right once. Get a new one.",
  },
  permission_denied: {
    missing_scope:
      "The key or token is right, and not for this: the message names the scope (`infer`, `metrics` or `admin`) that is missing.",
    model_not_permitted:
      "The key or token is not for a model of this name, whether or not there is one. `GET /v2/models` lists those that it is for.",
    foreign_host:
      "`Host` (gRPC: `:authority`) is a name under which a server on a loopback address is not known; a web page could have made it mean 127.0.0.1. Use `localhost`, or start the server with `--allowed-hosts`.",
    foreign_origin:
      "The request comes from a web page of another origin. Start the server with `--cors-origins` if that page may use it.",
  },
  already_exists: {
    region_exists: "A shared memory region of this name is registered already. Unregister it first.",
  },
  resource_exhausted: {
    too_many_regions:
      "As many shared memory regions are registered as may be: 1,024, or fewer where few files may be open. Unregister those that are not used.",
    uploads_full: "Models that load requests brought hold `--uploads-size` bytes already. Unload some.",
    headers_too_large: "More than 64 headers, or more than 16 KiB of them. Send fewer.",
    body_too_large:
      "The body, after decompression, is larger than `--max-body`, came in too many chunks, or grows more than a hundredfold. Send less at once, or raise the limit.",
    response_too_large:
      "The response would be larger than `--max-body`, the most that one gRPC message may have. Ask for fewer rows or outputs, or raise the limit.",
  },
  deadline_exceeded: {
    request_timeout:
      "The request did not arrive within `--request-timeout`, or, after five seconds, came more slowly than 1 KiB a second. Check the network; send the body at once.",
  },
  unavailable: {
    memory_budget:
      "Requests in flight, and responses that clients have not read yet, hold all the memory set aside for them (`--max-in-flight`). Wait as long as `Retry-After` says.",
    slow_transfer:
      "That memory was needed, and this request came in at less than 64 KiB a second for several seconds, or its gRPC call was not finished after its message. Send it again, faster. Clients that read responses as slowly lose their connection.",
    verification_busy:
      "256 tokens are being verified. Wait as long as `Retry-After` says; keep using the same token, which is verified once.",
    keys_unavailable:
      "The URL of `--jwt-keys` does not answer, so new tokens cannot be verified. Wait as long as `Retry-After` says.",
    too_many_requests_in_flight: "65,536 requests are in flight. Wait as long as `Retry-After` says.",
  },
} as const;

const JSON_REASONS = {
  invalid_argument: {
    empty_body: "There is no body. The message shows what was expected.",
    bad_utf8: "The body is not UTF-8.",
    bad_json: "The body is not one JSON object. The message names the byte or the kind of value.",
    json_too_deep: "The JSON is nested deeper than 64 levels.",
    duplicate_key: "An object has a key twice, which JSON readers understand differently. Send it once.",
    envelope_too_large: "More than 256 KiB of JSON outside tensor data. Shorten names and parameters.",
    bad_request: "A field of the request is missing or of the wrong kind. The message begins with the field.",
    bad_shape: "A value's nesting does not fit the model's shape. The message shows both.",
    ragged_tensor: "Nested rows differ in length. The message names the first one that does.",
    bad_tensor_data:
      "An element is missing, surplus, of the wrong kind or out of its datatype's range. The message names its place.",
    bad_region:
      "A shared memory region cannot be registered or used: there is no such file, or it is smaller than what was announced. The message says which.",
    bad_bytes_tensor:
      "The lengths inside a BYTES tensor do not add up to its bytes. Each element is a little-endian uint32 length and its bytes.",
    unsupported_extension:
      "A Triton extension that this server does not offer: shared memory, classification of an input, a change of trace or log settings, or a configuration or files in a load request where the operator does not allow them. The message says what to do instead.",
  },
  unimplemented: {
    unsupported_extension: "The same, over gRPC: `repository_name` is set. Leave it empty.",
  },
} as const;

const PROTOBUF_REASONS = {
  invalid_argument: {
    malformed_message:
      "The message's bytes are not valid protobuf of its type. Generate the client from the server's .proto files (reflection serves them).",
    limit_exceeded:
      "Too many tensors, dimensions, parameters or bytes in one field. The message names the limit.",
    both_contents: "An input has raw bytes and typed contents. Send one.",
    raw_count: "There are not as many `raw_input_contents` as inputs. Send one for each, in their order.",
    wrong_contents:
      "Typed contents stand in a field for another datatype. The message names the right one; FP16 and BF16 go raw.",
    out_of_range: "A value in typed contents does not fit its datatype.",
    bad_datatype:
      "The datatype does not exist. The message repeats it: check its spelling (`FP32`, `INT64`, `BYTES`, …).",
    bad_parameter: "A parameter has no value, or one of the wrong kind. The message names it.",
    reserved_parameter: "A parameter's name begins with `triton_` and is unknown. Such names are reserved.",
    no_model:
      "The request names no model, and there are several. Name one, or start the server with `--default-model`.",
  },
  unimplemented: {
    cardinality: "A unary method got no request message, or more than one.",
    unsupported_parameter:
      "A tensor has a parameter that would change where its data lies or what is returned, such as shared memory.",
  },
  not_found: {
    unknown_service: "Health knows no service and no model of this name.",
  },
} as const;

const MODEL_REASONS = {
  not_found: {
    bad_model_name:
      "No model can have this name: 1 to 128 letters, digits, dots, underscores or hyphens, beginning with a letter or digit.",
    bad_model_version: "No version can have this name.",
    model_not_found:
      "There is no such model or version. `POST /v2/repository/index` lists all, with their state.",
  },
  unavailable: {
    model_not_ready:
      "The model is known but not loaded. The message says why: it loads, was unloaded, or could not be loaded.",
  },
  invalid_argument: {
    bad_input:
      "An input is missing, surplus, or of another name, datatype or shape than the model takes. The message says what it takes.",
    bad_output_name:
      "A requested output does not exist, or is asked for twice. The message lists the outputs.",
    invalid_input:
      "The inputs fit the signature, but the model itself rejects them, for example for an index out of range. The message says why.",
  },
  internal: {
    model_failed:
      "The engine failed while it ran the model. The log says where, and why. Other requests of the same batch are not affected.",
    bad_output:
      "The model returned something that is not a valid result. The log has the details. The export is at fault, or this server.",
  },
} as const;

const SEQUENCE_REASONS = {
  invalid_argument: {
    bad_sequence:
      "`sequence_id` is neither a whole number from 1 to 2⁶⁴ − 1 nor a text of at most 128 characters, or `sequence_start` or `sequence_end` is no truth.",
    no_sequence:
      "The model keeps a state for each sequence, and the request names none. See [sequences.md](sequences.md).",
  },
  failed_precondition: {
    upgrade_required: 'A WebSocket is spoken under this URL. Open it with `new WebSocket("ws://…")`.',
    sequence_not_live:
      "The sequence was not begun, has ended, was idle for too long, or the model was loaded again, so that its state is gone. Begin it anew with `sequence_start`.",
  },
  aborted: {
    sequence_interrupted:
      "An earlier request of the sequence failed while this one waited for it. The state is as before both. Send both again, in their order.",
  },
  resource_exhausted: {
    too_many_web_sockets:
      "The server has as many WebSockets open as it takes. Close some, or try again later.",
    too_many_listeners:
      "As many clients as may listen to `/v2/live` already. Close one of them; several charts can share one stream.",
    too_many_sequences:
      "The model has `max_sequences` live sequences. End those that are done with `sequence_end`, or wait for idle ones to end.",
    state_memory:
      "The states of the model's sequences would take more than `max_state` bytes. The sequence's state is as before the request.",
  },
} as const;

const SCHEDULING_REASONS = {
  unavailable: {
    queue_full:
      "The model's queue is full, or a request of higher priority displaced this one. Wait as long as `Retry-After` says; raise `max_queue_size` or `instances`.",
    no_instance:
      "Every worker of the model has failed and is not started again. Look into the log, then load the model again.",
    instance_not_ready: "The worker that should run the request is being restarted. Try again.",
    worker_died:
      "The worker died during the run. The retry died as well, or the retry budget is used up. The log says why; try again.",
    worker_died_among:
      "The worker died while it ran this request beside others (continuousBatching), any of which may be to blame. Not run again here; try again.",
    worker_died_waiting: "The worker died before it began. Try again.",
    worker_not_started:
      "The system could not start a worker process, usually because it has no file descriptors, processes or memory left; the message says which. A model that was ready tries again by itself.",
    draining:
      "The server or the model is draining and accepts no new requests. Connect again, to another replica.",
    unloading: "The model is being unloaded.",
    shut_down: "The model was stopped with requests in flight.",
    closing: "The server is closing and starts no more workers.",
  },
  resource_exhausted: {
    quota_exceeded: "This tenant's quota is used up. Slow down; `Retry-After` says how long.",
  },
  deadline_exceeded: {
    deadline_exceeded:
      "The deadline, or the queue's own timeout, passed before the result was ready. Allow more time.",
    deadline_unreachable:
      "The wait and the model's usual time exceed the deadline, so the request was not begun. Allow more time, or come back later.",
    execution_timeout:
      "A run took longer than `execution_timeout`; its worker was replaced. Send fewer rows, or raise the limit. An input that did so twice is not run for ten minutes.",
  },
  cancelled: {
    cancelled: "The request was cancelled. Usually the client is gone and does not see this response.",
    client_left: "The client closed the call, so it does not see this response.",
  },
  failed_precondition: {
    quarantined:
      "These inputs ended two workers in a row and are rejected for ten minutes. Do not retry; change the input or the model.",
  },
} as const;

const LOADING_REASONS = {
  failed_precondition: {
    model_control_off:
      "Models are not loaded or unloaded on request. Start the server with `--model-control explicit`.",
    rollout_refused:
      "The rollout cannot start, or there is none to steer. The message says why; see [rollouts.md](rollouts.md).",
    profile_off: "The server does not record profiles of itself. Start it with `--allow-profile`.",
    profile_running:
      "A profile of the server is being recorded already. Wait until it is done; it takes 30 seconds at most.",
    load_failed:
      "The model did not load. The message says why, version by version; what served before goes on serving.",
    worker_died_loading:
      "The worker died twice while it loaded the model, usually because there is too little memory.",
    warmup_failed: "The model fails on the sample inputs it was exported with. Export it again.",
    untranslatable: "The model uses operations that cannot be translated. The message lists all of them.",
    unknown_format:
      "This kind of file cannot be served. [model-formats.md](model-formats.md) lists the kinds that can.",
    weights_only: "The file holds weights without a program. Export the program with `torch.export.save`.",
    python_missing:
      "The model needs Python, and there is no interpreter, or it has no PyTorch. The message says what was looked for; install it, or name one with `--python`.",
    model_code_failed:
      "The model's own Python code raised an error before the model was ready. The message has its first line, the log the whole traceback.",
    weights_mismatch:
      "The weights are not those of the class in model.py. The message lists what is missing, surplus or of another shape.",
    inputs_unknown:
      "Nothing says what the model takes. Write `inputs` into model.yaml, or types into the arguments of `forward`. The message has an example.",
    pickle_refused:
      "Reading the file would run code that is in it. Save `model.state_dict()` instead, or allow it with `--allow-pickle` if you trust the file.",
    bad_task_files:
      "What lies beside the model does not fit the `task` of its model.yaml: a file is missing or says what is not supported, or the model has other inputs. The message says which. See [tasks.md](tasks.md).",
    weights_missing: "The file that `weights` in model.yaml names does not exist.",
    outside_repository:
      "A link leads to a file outside the folder that is served. Copy the file into it, or serve the folder that holds both.",
    option_unsupported: "An option of model.yaml does not work with this kind of file.",
    device_missing:
      "What `device` in model.yaml names is not there: this system's ONNX Runtime or PyTorch does not know it, or the machine lacks it. The message says which; `sconce doctor` lists what there is. See [devices.md](devices.md).",
    option_not_allowed:
      "model.yaml asks for more than the operator lets a model choose. The message has both numbers and the server's option that allows more.",
    digest_mismatch:
      "The file's SHA-256 is not the one that `sha256` in model.yaml, or the store's address, says. Publish the file again, or its right digest.",
    model_refused: "The file reads well, but it cannot be run as it is. The message says why.",
    model_file_corrupt: "The file violates its own format, or was cut short. Copy it again.",
    model_file_limit: "The file exceeds a limit of its reader, which keeps hostile files out.",
    model_file_unsupported:
      "The file needs something that is not supported. The message names all of it and says what to do.",
  },
  unauthenticated: {
    missing_token: "There is no `Authorization: Bearer <token>` (in gRPC: metadata `authorization`).",
  },
  permission_denied: {
    wrong_token: "The token is not the one in `SCONCE_ADMIN_TOKEN`.",
  },
  aborted: {
    load_overtaken:
      "The model was unloaded, by another request, while this one loaded it. Load it again if it should serve.",
  },
  cancelled: {
    load_cancelled: "The load was cancelled: the model was unloaded, changed on disk, or the server stops.",
  },
  deadline_exceeded: {
    load_timeout: "The load took longer than `load_timeout`. Raise it in model.yaml.",
  },
  resource_exhausted: {
    memory_budget: "The model does not fit into `--model-memory-budget`, even alone. Raise it.",
  },
  unavailable: {
    store_unavailable:
      "A model store could not be read just now: the message says why. It is tried again by itself.",
    file_unreadable:
      "The file system failed. The message names the file and says what the file system said. Load again; `--model-control poll` does so by itself.",
    model_file_changed:
      "The file was written into after it was loaded, or while it was, so its results would be worth nothing. Load the model again (`--model-control poll` does so by itself), and replace files by renaming new ones over them.",
  },
  not_found: {
    model_file_gone:
      "The file is gone, and a worker that restarts needs it. Put it back, or load another version.",
  },
} as const;

const STARTUP_REASONS = {
  failed_precondition: {
    unsafe_binding:
      "The address is reachable from other machines, without TLS and authentication. Give it a certificate and keys, keep 127.0.0.1 behind a proxy, or add `--insecure`.",
    bad_certificate:
      "A file of `--tls-cert`, `--tls-key` or `--tls-client-ca` cannot be read, is no PEM, has a passphrase, or the key is another certificate's. The message says which.",
    missing_admin_token:
      "`--model-control explicit` needs `SCONCE_ADMIN_TOKEN`, 16 characters at least, or keys with the scope `admin`.",
    no_sandbox:
      "`--sandbox required`, and the system has no user namespaces, or forbids mounts in them. The message says which; `--sandbox auto` starts without.",
    no_store_client:
      "An `s3://` or `gs://` address or a `--cache-store` was named, and the package that speaks with such is not installed. The message names it.",
    store_refused:
      "A model store denies access, has nothing under the address, or holds what is not taken; or the folder for its copy cannot be used. The message says which.",
    cannot_listen:
      "The port or address cannot be opened: in use, not of this machine, unknown, or reserved. The message says which option to change.",
    unreadable_path: "A path that was named cannot be read by the server's user.",
  },
  invalid_argument: {
    bad_option:
      "An option has a value that it cannot have. The message names the option and the values it takes.",
    bad_key_file:
      "The file of `--api-keys` or `--jwt-keys` is not what `sconce keys add` makes, or no JSON Web Key Set. The message names the key and the field.",
    bad_config_file: "The configuration file or a model.yaml is not YAML, or has a key that does not exist.",
    invalid_config: "Options that contradict each other or the model's signature. The message names them.",
    missing_path: "A path that was named does not exist.",
    bad_store_address:
      "An `s3://`, `gs://` or `https://` address is not one that models can be read from. The message says why.",
    bad_arguments: "The command line is wrong. `sconce --help` shows what is possible.",
  },
} as const;

const BUG_REASONS = {
  internal: {
    invariant: "Something happened that cannot happen. Please report it with the log.",
    worker_protocol:
      "A worker and the server process sent each other something unexpected. Please report it with the log.",
  },
} as const;

/** Every reason an error can have, by the code it comes with: what happened, and what to do. docs/errors.md is generated from it. */
export const REASON_GROUPS: readonly ReasonGroup[] = [
  { title: "The request as a whole", reasons: REQUEST_REASONS },
  { title: "JSON", reasons: JSON_REASONS },
  { title: "Protobuf", reasons: PROTOBUF_REASONS },
  { title: "Models", reasons: MODEL_REASONS },
  { title: "Sequences and streams", reasons: SEQUENCE_REASONS },
  { title: "Scheduling", reasons: SCHEDULING_REASONS },
  { title: "Load and unload", reasons: LOADING_REASONS },
  { title: "Starting the server, and the command line", reasons: STARTUP_REASONS },
  { title: "Bugs of ours", reasons: BUG_REASONS },
];

/** One section of docs/errors.md. */
export interface ReasonGroup {
  readonly title: string;
  /** By code, then by reason: the help, in Markdown. */
  readonly reasons: { readonly [C in ErrorCode]?: Readonly<Record<string, string>> };
}

type Table =
  | typeof REQUEST_REASONS
  | typeof JSON_REASONS
  | typeof PROTOBUF_REASONS
  | typeof MODEL_REASONS
  | typeof SEQUENCE_REASONS
  | typeof SCHEDULING_REASONS
  | typeof LOADING_REASONS
  | typeof STARTUP_REASONS
  | typeof BUG_REASONS;

type Listed<C extends ErrorCode, T = Table> = T extends Readonly<Record<C, infer R>> ? keyof R : never;

/** The reasons that an error with the code `C` can have. An error without a reason of its own has its code as the reason. */
export type ReasonOf<C extends ErrorCode> = C | Listed<C>;

/** Stable, machine-readable word for the cause of an error, such as `queue_full`. */
export type ErrorReason = { [C in ErrorCode]: ReasonOf<C> }[ErrorCode];

const REASONS: ReadonlySet<unknown> = new Set([
  ...ERROR_CODES,
  ...REASON_GROUPS.flatMap(({ reasons }) => Object.values(reasons).flatMap(Object.keys)),
]);

/** Whether a value is one of the reasons. */
export function isErrorReason(value: unknown): value is ErrorReason {
  return REASONS.has(value);
}
