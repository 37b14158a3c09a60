// A benchmark with one server that has a process of its own, both asleep: prints the pid of that process.
import { spawn } from "node:child_process";
import { PeerProcesses } from "./peer-processes.ts";

const server = spawn("sh", ["-c", "sleep 600 & echo $!; wait"], { stdio: ["ignore", "inherit", "ignore"] });
new PeerProcesses().watch(server, undefined);
