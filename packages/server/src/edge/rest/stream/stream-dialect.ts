import type { RestDialect } from "../call/rest-inference.ts";
import { v2Dialect } from "../v2/v2-dialect.ts";
import type { V2Request } from "../v2/v2-request.ts";
import { MessageTransport } from "./message-transport.ts";

/** The v2 dialect for messages: each remembers its id, for the error that it may be answered with. */
export function streamDialect(): RestDialect<V2Request> {
  const dialect = v2Dialect();
  return {
    ...dialect,
    decode(call, body, inputs) {
      const note = (request: V2Request): V2Request => {
        if (call.transport instanceof MessageTransport) call.transport.id = request.id;
        return request;
      };
      const request = dialect.decode(call, body, inputs);
      return request instanceof Promise ? request.then(note) : note(request);
    },
  };
}
