import type { Inference } from "../../../infer/inference.ts";
import type { Route } from "../call/route.ts";
import { COMPONENT_SCHEMAS, ref } from "./component-schemas.ts";
import type { JsonSchema } from "./json-schema.ts";
import { modelOperations } from "./model-operations.ts";
import { OPERATIONS, type OperationDescription } from "./operations.ts";

/** Models whose inputs and outputs are spelled out; of more there are only the general paths. */
const MAX_MODELS = 50;
const DEADLINE = "x-request-timeout-ms";

/** A path's operations, by method in small letters. */
export type PathItem = Readonly<Record<string, object>>;

/** OpenAPI 3.1 of the routes, and of what each served model takes and gives under its own URL. */
export function openapiDocument(routes: readonly Route[], inference: Inference): object {
  const { name, version } = inference.serverMetadata();
  return {
    openapi: "3.1.0",
    info: {
      title: name,
      version,
      description: "REST API of a model server: the Open Inference Protocol v2 and more.",
    },
    servers: [{ url: "/" }],
    paths: { ...modelPaths(inference), ...routePaths(routes) },
    components: { schemas: COMPONENT_SCHEMAS },
  };
}

function modelPaths(inference: Inference): Record<string, PathItem> {
  const served = inference.index().filter(({ state }) => state === "READY");
  const names = [...new Set(served.map(({ name }) => name))].slice(0, MAX_MODELS);
  return Object.assign({}, ...names.map((name) => modelOperations(name, inference)));
}

/** The paths of routes: `:name` is a variable. */
function routePaths(routes: readonly Route[]): Record<string, PathItem> {
  const paths: Record<string, Record<string, object>> = {};
  for (const { method, urls } of routes) {
    for (const url of urls) {
      const described = description(method, urls);
      const path = `${url.replaceAll(/:(\w+)/g, "{$1}")}${described.suffix ?? ""}`;
      const item = paths[path] ?? {};
      paths[path] = item;
      const variables = [...url.matchAll(/:(\w+)/g)].map(([, name]) => name!);
      item[method.toLowerCase()] = operation(described, variables);
    }
  }
  return paths;
}

/** That of any of the route's URLs: they are names of the same thing. PUT is taken where POST is. */
function description(method: Route["method"], urls: readonly string[]): OperationDescription {
  const spelled = method === "PUT" ? "POST" : method;
  const known = urls.map((url) => OPERATIONS[`${spelled} ${url}`]).find((found) => found !== undefined);
  return known ?? { summary: `${method} ${urls[0]}`, tag: "models", response: ref("Anything") };
}

/** An operation object of OpenAPI. */
function operation(described: OperationDescription, parameters: readonly string[]): object {
  const { summary, tag, request, isBodyOptional = false, mayBeUnready = false, response } = described;
  const isInference = tag === "inference";
  return {
    summary,
    tags: [tag],
    parameters: [
      ...parameters.map((name) => ({ name, in: "path", required: true, schema: { type: "string" } })),
      ...(isInference ? [{ name: DEADLINE, in: "header", schema: { type: "integer", minimum: 1 } }] : []),
    ],
    ...(request !== undefined && { requestBody: { required: !isBodyOptional, content: json(request) } }),
    responses: {
      200: { description: "Done", content: contentOf(response) },
      ...(mayBeUnready && {
        400: { description: "Not ready, with `--not-ready-status 400`", content: contentOf(response) },
        503: { description: "Not ready", content: contentOf(response) },
      }),
      default: { description: "What went wrong", content: json(ref("Error")) },
    },
  };
}

function contentOf(response: OperationDescription["response"]): object {
  if (typeof response === "object" && "mediaType" in response) return { [String(response.mediaType)]: {} };
  return json(response as JsonSchema);
}

function json(schema: JsonSchema): object {
  return { "application/json": { schema } };
}
