import type { RestCall } from "../call/rest-call.ts";
import type { Route } from "../call/route.ts";

/** OpenAI's embeddings, of models with the task feature-extraction. Its code loads at the first call. */
export function embeddingsRoutes(): readonly Route[] {
  return [
    {
      method: "POST",
      urls: ["/v1/embeddings"],
      run: async (call: RestCall) => (await import("./embeddings.ts")).runEmbeddings(call),
    },
  ];
}
