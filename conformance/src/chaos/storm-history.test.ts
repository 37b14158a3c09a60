import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { ModelHistory, type Sight } from "./storm-history.ts";

const served = (content?: number): Sight => ({ serves: true, content });
const refused: Sight = { serves: false };

describe("what a storm's clients may see of a model", () => {
  test("between a load and the next unload it serves; between an unload and the next load it does not", () => {
    const history = new ModelHistory({ isLoaded: false, content: 1 });
    const look = (sight: Sight) => history.endLook(history.beginLook(), sight);
    assert.match(look(served(1)) ?? "", /unloaded all the time/);
    assert.equal(look(refused), undefined);
    history.end(history.begin("load"), true);
    assert.equal(look(served(1)), undefined);
    assert.match(look(refused) ?? "", /loaded all the time/);
    history.end(history.begin("unload"), true);
    assert.match(look(served(1)) ?? "", /unloaded all the time/);
    assert.equal(history.state, "unloaded");
  });

  test("a look sees either side of a change that overlaps it", () => {
    for (const sight of [served(1), refused]) {
      const history = new ModelHistory({ isLoaded: true, content: 1 });
      const before = history.beginLook();
      const unload = history.begin("unload");
      const during = history.beginLook();
      history.end(unload, true);
      assert.equal(history.endLook(before, sight), undefined);
      assert.equal(history.endLook(during, sight), undefined);
    }
  });

  test("after changes that overlapped both states are possible, until one more comes alone", () => {
    const history = new ModelHistory({ isLoaded: true, content: 1 });
    const load = history.begin("load");
    const unload = history.begin("unload");
    history.end(load, true);
    history.end(unload, true);
    assert.deepEqual([history.state, load.isAlone, unload.isAlone], ["either", false, false]);
    assert.equal(history.endLook(history.beginLook(), refused), undefined);
    assert.equal(history.endLook(history.beginLook(), served(1)), undefined);
    history.decide(false);
    assert.match(history.endLook(history.beginLook(), served(1)) ?? "", /unloaded all the time/);
    history.end(history.begin("load"), true);
    assert.equal(history.state, "loaded");
  });

  test("a load that was overtaken proves nothing", () => {
    const history = new ModelHistory({ isLoaded: false, content: 1 });
    const unload = history.begin("unload");
    history.end(history.begin("load"), false);
    history.end(unload, true);
    assert.equal(history.state, "either");
  });

  test("content is never older than what a load confirmed, nor newer than what was published", () => {
    const history = new ModelHistory({ isLoaded: true, content: 1 });
    const look = (content: number) => history.endLook(history.beginLook(), served(content));
    assert.match(look(2) ?? "", /1 is the newest/);
    const inPlace = history.publish();
    assert.deepEqual([look(1), look(2)], [undefined, undefined]);
    const early = history.begin("load");
    inPlace();
    const late = history.begin("load");
    history.end(early, true);
    assert.equal(look(1), undefined);
    history.end(late, true);
    assert.match(look(1) ?? "", /2 was confirmed/);
    assert.equal(look(2), undefined);
  });
});
