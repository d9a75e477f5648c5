// Upstash's own client against the double, each result held against what the Redis behind it holds. What passes here and on
// Upstash alike the double does as Upstash does.
import assert from "node:assert/strict";
import { after, before, beforeEach, describe, test } from "node:test";
import { Redis } from "@upstash/redis";
import { RealRedis } from "./redis.mjs";

const { DOUBLE_URL: url, DOUBLE_TOKEN: token, REDIS_PORT: port } = process.env;

for (const enableAutoPipelining of [false, true]) {
  describe(`with auto-pipelining ${enableAutoPipelining ? "on" : "off"}`, () => {
    const options = { url, token, retry: false, enableTelemetry: false, enableAutoPipelining };
    // Values as they are: the client would make JSON of what looks like it.
    const redis = new Redis({ ...options, automaticDeserialization: false });
    let real;
    before(() => (real = new RealRedis(port)));
    after(() => real.close());
    beforeEach(() => real.run("FLUSHALL"));

    test("strings are set and read", async () => {
      assert.equal(await redis.set("s", "value"), "OK");
      assert.equal(await real.text("GET", "s"), "value");
      assert.equal(await redis.get("s"), "value");
      assert.equal(await redis.get("absent"), null);
      assert.equal(await redis.set("s", "x", { nx: true }), null);
      assert.deepEqual(await redis.mget("s", "absent"), ["value", null]);
      assert.equal(await redis.append("s", "!"), 6);
      assert.equal(await redis.getrange("s", 1, 3), "alu");
      assert.equal(await redis.del("s", "absent"), 1);
      assert.equal(await real.run("EXISTS", "s"), 0);
    });

    test("any text goes through", async () => {
      for (const text of ["", "OK", "ü € 😀", "\u0000\u0001\u001f\u007f", 'a"b\\c/d\r\n', "x".repeat(300_000), "%2F?&=+ "]) {
        await redis.set("t", text);
        assert.equal(await real.text("GET", "t"), text);
        assert.equal(await redis.get("t"), text);
      }
    });

    test("bytes that are no text come back as base64 tells them", async () => {
      await real.run("SET", "b", Buffer.from([0, 0xff, 0xc3, 0x28]));
      // The client decodes them leniently; what the double sends is exact, as the next line shows.
      assert.equal(await redis.get("b"), new TextDecoder().decode(new Uint8Array([0, 0xff, 0xc3, 0x28])));
      const plain = new Redis({ ...options, responseEncoding: false, automaticDeserialization: false });
      assert.equal(await plain.get("b"), "\u0000\ufffd\ufffd(");
      const answer = await ask({ body: ["GET", "b"], headers: { "Upstash-Encoding": "base64" } });
      assert.deepEqual(answer, { status: 200, json: { result: Buffer.from([0, 0xff, 0xc3, 0x28]).toString("base64") } });
    });

    test("hashes are written and read", async () => {
      assert.equal(await redis.hset("h", { a: "1", b: "zwei" }), 2);
      assert.equal(await real.text("HGET", "h", "b"), "zwei");
      assert.equal(await redis.hget("h", "b"), "zwei");
      assert.equal(await redis.hget("h", "c"), null);
      assert.equal(await redis.hexists("h", "a"), 1);
      assert.deepEqual((await redis.hkeys("h")).sort(), ["a", "b"]);
      assert.deepEqual(await new Redis(options).hgetall("h"), { a: 1, b: "zwei" });
      assert.equal(await redis.hlen("h"), 2);
      assert.equal(await redis.hdel("h", "a", "c"), 1);
      assert.equal(await redis.hincrby("h", "n", -5), -5);
    });

    test("counters count", async () => {
      assert.equal(await redis.incr("n"), 1);
      assert.equal(await redis.incrby("n", 41), 42);
      assert.equal(await redis.decr("n"), 41);
      assert.equal(await redis.set("n", Number.MAX_SAFE_INTEGER - 1), "OK");
      assert.equal(await redis.incr("n"), Number.MAX_SAFE_INTEGER);
      assert.equal(await real.text("GET", "n"), String(Number.MAX_SAFE_INTEGER));
    });

    test("keys run out", async () => {
      await redis.set("e", "x", { px: 60_000 });
      const left = await redis.pttl("e");
      assert.ok(left > 50_000 && left <= 60_000, `${left} ms`);
      assert.equal(await redis.pexpire("e", 30_000), 1);
      assert.ok((await real.run("PTTL", "e")) <= 30_000);
      assert.equal(await redis.persist("e"), 1);
      assert.equal(await redis.ttl("e"), -1);
      assert.equal(await redis.ttl("absent"), -2);
      assert.equal(await redis.type("e"), "string");
    });

    test("SCAN walks through all keys", async () => {
      const names = Array.from({ length: 500 }, (_, number) => `walk:${number}`);
      await redis.mset(Object.fromEntries([...names, "other"].map((name) => [name, "x"])));
      const found = new Set();
      let cursor = "0";
      do {
        const [next, keys] = await redis.scan(cursor, { match: "walk:*", count: 100 });
        keys.forEach((key) => found.add(key));
        cursor = next;
      } while (cursor !== "0");
      assert.deepEqual([...found].sort(), names.sort());
    });

    test("scripts run with their keys and arguments", async () => {
      const script = "redis.call('SET', KEYS[1], ARGV[1]) return {KEYS[1], ARGV[1], 7, {false, 'deep'}}";
      assert.deepEqual(await redis.eval(script, ["k"], ["ü"]), ["k", "ü", 7, [null, "deep"]]);
      assert.equal(await real.text("GET", "k"), "ü");
      const sha = await redis.scriptLoad("return ARGV[1]");
      assert.equal(await redis.evalsha(sha, [], ["again"]), "again");
      const cached = redis.createScript("return #KEYS + #ARGV");
      assert.equal(await cached.exec(["a", "b"], ["c"]), 3);
      await assert.rejects(redis.evalsha("0".repeat(40), [], []), /NOSCRIPT/);
      await assert.rejects(redis.eval("return redis.error_reply('ANOTHER one')", [], []), /ANOTHER one/);
    });

    test("a pipeline answers each command, in order, and one error stops no other", async () => {
      const pipeline = redis.pipeline();
      pipeline.set("p", "1").incr("p").get("p").lpush("p", "x").get("absent");
      const results = await pipeline.exec({ keepErrors: true });
      assert.deepEqual(results.map(({ result }) => result), ["OK", 2, "2", undefined, null]);
      assert.match(results[3].error, /^WRONGTYPE/);
      assert.equal(await real.text("GET", "p"), "2");
    });

    test("a transaction happens as a whole", async () => {
      assert.deepEqual(await redis.multi().set("m", "1").incr("m").get("m").exec(), ["OK", 2, "2"]);
      const failing = redis.multi().set("m", "x").incr("m").append("m", "y");
      await assert.rejects(failing.exec(), /not an integer/);
      assert.equal(await real.text("GET", "m"), "xy", "the others ran");
      const { status, json } = await ask({ path: "/multi-exec", body: [["SET", "m", "z"], ["NOSUCH"]] });
      assert.equal(status, 400);
      assert.match(json.error, /^EXECABORT/);
      assert.equal(await real.text("GET", "m"), "xy", "none ran");
    });

    test("many commands at once each get their own answer", async () => {
      const names = Array.from({ length: 100 }, (_, number) => `many:${number}`);
      await Promise.all(names.map((name) => redis.set(name, name)));
      assert.deepEqual(await Promise.all(names.map((name) => redis.get(name))), names);
      const [wrong, right] = await Promise.allSettled([redis.incr("many:1"), redis.get("many:2")]);
      assert.equal(wrong.status, "rejected");
      assert.equal(right.value, "many:2");
    });

    test("errors are told in Redis's words", async () => {
      await redis.set("w", "x");
      await assert.rejects(redis.lpush("w", "x"), /WRONGTYPE Operation against a key/);
      await assert.rejects(redis.incr("w"), /ERR value is not an integer/);
      await assert.rejects(redis.set("w", "x", { px: -1 }), /ERR invalid expire time/);
    });

    test("who lacks the token is told so", async () => {
      const stranger = new Redis({ ...options, token: "another" });
      await assert.rejects(stranger.get("x"), /WRONGPASS invalid or missing auth token/);
    });

    test("a client that reads its own writes gets and sends a token for that", async () => {
      const own = new Redis({ ...options, readYourWrites: true });
      assert.equal(own.readYourWritesSyncToken, "");
      await own.set("ryw", "1");
      const first = own.readYourWritesSyncToken;
      await own.set("ryw", "2");
      assert.notEqual(first, "");
      assert.notEqual(own.readYourWritesSyncToken, first);
    });
  });
}

describe("without the client", () => {
  let real;
  before(() => (real = new RealRedis(port)));
  after(() => real.close());
  beforeEach(() => real.run("FLUSHALL"));

  test("commands come by path, with the token in header or query", async () => {
    assert.deepEqual(await ask({ path: "/set/foo/bar%20x/EX/100", method: "GET" }), { status: 200, json: { result: "OK" } });
    assert.deepEqual(await ask({ path: "/get/foo", method: "GET" }), { status: 200, json: { result: "bar x" } });
    const answer = await fetch(`${url}/get/foo?_token=${encodeURIComponent(token)}`);
    assert.deepEqual(await answer.json(), { result: "bar x" });
  });

  test("bytes come as the body of a command by path", async () => {
    const bytes = Buffer.from([0, 0xff, 0x80, 0x22]);
    const answer = await fetch(`${url}/set/raw?EX=100`, {
      method: "POST",
      body: bytes,
      headers: { Authorization: `Bearer ${token}` },
    });
    assert.deepEqual(await answer.json(), { result: "OK" });
    assert.deepEqual(await real.run("GET", "raw"), bytes);
    assert.ok((await real.run("TTL", "raw")) > 90);
  });

  test("what is wrong is told by status", async () => {
    assert.equal((await ask({ path: "/get", method: "GET" })).status, 400);
    assert.equal((await ask({ body: ["NOSUCHCOMMAND"] })).status, 400);
    assert.equal((await ask({ body: {} })).status, 400);
    assert.equal((await ask({ body: ["GET", "x"], headers: { Authorization: "Bearer x" } })).status, 401);
    assert.equal((await ask({ body: ["GET", "x"], headers: { Authorization: "" } })).status, 401);
    assert.equal((await ask({ method: "DELETE" })).status, 405);
  });
});

async function ask({ path = "/", method = "POST", body, headers = {} }) {
  const response = await fetch(url + path, {
    method,
    body: body === undefined ? undefined : JSON.stringify(body),
    headers: { Authorization: `Bearer ${token}`, ...headers },
  });
  return { status: response.status, json: await response.json() };
}
