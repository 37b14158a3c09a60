import type { Clock } from "../../../base/clock.ts";
import type { Inference } from "../../../infer/inference.ts";
import { createSharedResponse, type SharedResponse } from "../../shared-response.ts";
import { JSON_TYPE } from "../call/rest-call.ts";
import type { Route } from "../call/route.ts";
import { SharedBody } from "../call/shared-body.ts";

/** `/openapi.json`, of these routes and of itself. */
export function openapiRoutes(
  routes: readonly Route[],
  { clock }: { readonly clock: Clock },
): readonly Route[] {
  const own: Route = {
    method: "GET",
    urls: ["/openapi.json"],
    async run(call) {
      const document = await documentOf(call.context.inference).get();
      call.sendShared(JSON_TYPE, document, ["Cache-Control", "no-cache"]);
    },
  };
  // Few servers are ever asked, so the tables behind it are not read at the start.
  const documents = new WeakMap<Inference, SharedResponse<SharedBody>>();
  const documentOf = (inference: Inference): SharedResponse<SharedBody> => {
    const known = documents.get(inference);
    if (known !== undefined) return known;
    const made = createSharedResponse(async () => {
      const { openapiDocument } = await import("./openapi-document.ts");
      return new SharedBody(JSON.stringify(openapiDocument([...routes, own], inference)));
    }, clock);
    documents.set(inference, made);
    return made;
  };
  return [own];
}
