"""The program that people write around a model: FastAPI, one route, the engine called in it."""

from fastapi import FastAPI, Request, Response
from peer_model import SETTINGS, bytes_arrays, json_answer, json_arrays, load

run = load()
app = FastAPI()


@app.post("/infer")
async def infer(request: Request):
    return json_answer(run(json_arrays(await request.json())))


@app.post("/infer-bytes")
async def infer_bytes(request: Request):
    return Response(run(bytes_arrays(await request.body(), SETTINGS["shape"])).tobytes())
