import { torchservePython } from "@sconce/conformance/internals/real-torchserve";
import { bentomlPeer } from "./bentoml-peer.ts";
import { peerPython } from "./environment.ts";
import { fastapiPeer } from "./fastapi-peer.ts";
import { litservePeer } from "./litserve-peer.ts";
import { mlserverPeer } from "./mlserver-peer.ts";
import type { Peer } from "./peer.ts";
import { rayPeer } from "./ray-peer.ts";
import { torchservePeer } from "./torchserve-peer.ts";
import { tritonPeer } from "./triton-peer.ts";

/** By the names of `--peers`; the environment of each is made when it is asked for. */
const PEERS: Readonly<Record<string, () => Promise<Peer>>> = {
  triton: async () => tritonPeer(await peerPython()),
  "fastapi-onnxruntime": async () => fastapiPeer("onnxruntime", await peerPython()),
  "fastapi-torchscript": async () => fastapiPeer("torchscript", await peerPython()),
  litserve: async () => litservePeer(await peerPython("litserve-requirements.txt")),
  mlserver: async () => mlserverPeer(await peerPython("mlserver-requirements.txt")),
  bentoml: async () => bentomlPeer(await peerPython("bentoml-requirements.txt")),
  ray: async () => rayPeer(await peerPython("ray-requirements.txt")),
  torchserve: async () => torchservePeer(await torchservePython()),
};

/** The names in a list of `--peers`, all of them where there is none; throws for one that is no peer's. */
export function peerNames(list: string | undefined): readonly string[] {
  if (list === undefined) return Object.keys(PEERS);
  const names = list.split(",").map((name) => name.trim());
  const unknown = names.filter((name) => !Object.hasOwn(PEERS, name));
  if (unknown.length > 0)
    throw new Error(`unknown peer ${unknown.join(", ")}; there are: ${Object.keys(PEERS).join(", ")}`);
  return names;
}

/** A server that takes no part, and why. */
export interface AbsentPeer {
  readonly server: string;
  readonly why: string;
}

/** Those whose environment can be made, and the others. */
export async function preparedPeers(
  names: readonly string[],
): Promise<{ readonly peers: readonly Peer[]; readonly absent: readonly AbsentPeer[] }> {
  const peers: Peer[] = [];
  const absent: AbsentPeer[] = [];
  for (const server of names) {
    try {
      peers.push(await PEERS[server]!());
    } catch (error) {
      absent.push({ server, why: (error as Error).message });
    }
  }
  return { peers, absent };
}
