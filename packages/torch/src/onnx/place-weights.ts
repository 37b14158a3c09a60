import type { Attributes, ExternalData, Initializer, OnnxGraph, OnnxModel, ReadExternal } from "./model.ts";

/** External weights begin at pages, so that they can be mapped one by one. */
const ALIGNMENT = 4096;

/** Smaller weights stay in the model: shapes and scales must be there when the graph is optimized. */
const MIN_EXTERNAL_BYTES = 1024;

/** The model with all weights inside, up to 2 GiB. */
export function inlineWeights(model: OnnxModel, read: ReadExternal): OnnxModel {
  return inlined(model, read, Number.POSITIVE_INFINITY);
}

/** The model with its small weights inside: ONNX Runtime wants shapes and sizes there when it looks at the graph. */
export function inlineSmallWeights(model: OnnxModel, read: ReadExternal): OnnxModel {
  return inlined(model, read, MIN_EXTERNAL_BYTES);
}

function inlined(model: OnnxModel, read: ReadExternal, limit: number): OnnxModel {
  return withInitializers(model, (item) => {
    const { data } = item;
    return data instanceof Uint8Array || data.byteLength >= limit ? item : { ...item, data: read(data) };
  });
}

/** A weight that goes to the data file. */
export interface PlacedWeight {
  readonly offset: number;
  readonly data: Uint8Array | ExternalData;
}

/** The model with all but its inlined small weights in a file `location` beside it, and what to write there, in order. */
export function externalizeWeights(
  model: OnnxModel,
  location: string,
): { readonly model: OnnxModel; readonly placed: readonly PlacedWeight[] } {
  const placed: PlacedWeight[] = [];
  let end = 0;
  const moved = withInitializers(model, (item) => {
    const { data } = item;
    const byteLength = data instanceof Uint8Array ? data.length : data.byteLength;
    if (byteLength < MIN_EXTERNAL_BYTES && data instanceof Uint8Array) return item;
    const offset = Math.ceil(end / ALIGNMENT) * ALIGNMENT;
    end = offset + byteLength;
    placed.push({ offset, data });
    return { ...item, data: { location, offset, byteLength } };
  });
  return { model: moved, placed };
}

/** Bytes of all weights of the outermost graph. */
export function weightBytes(model: OnnxModel): number {
  return model.graph.initializers.reduce(
    (sum, { data }) => sum + (data instanceof Uint8Array ? data.length : data.byteLength),
    0,
  );
}

function withInitializers(model: OnnxModel, place: (item: Initializer) => Initializer): OnnxModel {
  return { ...model, graph: graphWith(model.graph, place) };
}

function graphWith(graph: OnnxGraph, place: (item: Initializer) => Initializer): OnnxGraph {
  const nodes = graph.nodes.map((node) => {
    const hasBody = Object.values(node.attributes).some(
      (value) => typeof value === "object" && "graph" in value,
    );
    if (!hasBody) return node;
    const attributes = Object.entries(node.attributes).map(([name, value]) => [
      name,
      typeof value === "object" && "graph" in value ? { graph: graphWith(value.graph, place) } : value,
    ]);
    return { ...node, attributes: Object.fromEntries(attributes) as Attributes };
  });
  return { ...graph, nodes, initializers: graph.initializers.map(place) };
}
