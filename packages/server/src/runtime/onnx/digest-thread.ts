import { parentPort, workerData } from "node:worker_threads";
import { fileDigest } from "./file-digest.ts";

parentPort?.postMessage(fileDigest(workerData as string));
