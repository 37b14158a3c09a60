"""Serves an S3 (moto) and a Google Cloud Storage (gcp-storage-emulator) from memory until its standard input ends. Prints both ports as JSON."""

import json
import logging
import sys

from gcp_storage_emulator.server import create_server
from moto.server import ThreadedMotoServer


def main() -> None:
    logging.disable(logging.CRITICAL)
    s3 = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    s3.start()
    gs = create_server("127.0.0.1", 0, in_memory=True)
    gs.start()
    ports = {"s3": s3.get_host_and_port()[1], "gs": gs._api._httpd.server_port}
    print(json.dumps(ports), flush=True)
    sys.stdin.read()
    gs.stop()
    s3.stop()


main()
