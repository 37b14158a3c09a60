import { decodeModel, encodeModel, type OnnxModel } from "@sconce/torch";

type Graph = OnnxModel["graph"];
type Initializer = Graph["initializers"][number];

/** What the bytes of the graph itself are called, beside the file of its weights. */
const ITSELF = "the graph";

/**
 * A graph as ONNX Runtime wrote it, with each initializer once: of a branch it writes those twice that it has moved into it (seen with 1.30), and then refuses to
 * read that. Throws ModelFileError where the graph holds what cannot be written again.
 */
export function withUniqueInitializers(graph: Uint8Array): Uint8Array {
  const read = (offset: number, length: number): Uint8Array => graph.slice(offset, offset + length);
  const model = decodeModel({ name: ITSELF, byteLength: graph.byteLength, read });
  const inline = (initializer: Initializer): Initializer => {
    const { data } = initializer;
    if (data instanceof Uint8Array || data.location !== ITSELF) return initializer;
    return { ...initializer, data: read(data.offset, data.byteLength) };
  };
  return encodeModel({ ...model, graph: unique(model.graph, inline) });
}

function unique(graph: Graph, inline: (initializer: Initializer) => Initializer): Graph {
  const byName = new Map(graph.initializers.map((initializer) => [initializer.name, inline(initializer)]));
  const nodes = graph.nodes.map((node) => {
    const attributes = Object.entries(node.attributes).map(([name, value]) => {
      const isGraph = typeof value === "object" && "graph" in value;
      return [name, isGraph ? { graph: unique(value.graph, inline) } : value] as const;
    });
    return { ...node, attributes: Object.fromEntries(attributes) };
  });
  return { ...graph, nodes, initializers: [...byName.values()] };
}
