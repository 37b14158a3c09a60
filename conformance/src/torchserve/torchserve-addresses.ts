/** `host:port` of TorchServe's own ports, in the first words of a server. */
export interface TorchserveAddresses {
  readonly management: string;
  readonly metrics: string;
  readonly grpcInference: string;
  readonly grpcManagement: string;
}

export function torchserveAddresses(output: string): TorchserveAddresses {
  const of = (words: string): string => {
    const [, address] = new RegExp(`(\\S+) +${words}$`, "m").exec(output) ?? [];
    if (address === undefined)
      throw new Error(`the server says no address of its ${words}:\n${output.slice(0, 2000)}`);
    return address;
  };
  const grpcInference = of("gRPC, inference");
  return {
    management: of("management"),
    metrics: of("metrics"),
    grpcInference,
    grpcManagement: of("gRPC, management"),
  };
}
