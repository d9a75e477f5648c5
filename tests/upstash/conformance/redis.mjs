// Redis by its own protocol, to see what it really holds: one command at a time, values as bytes.
import net from "node:net";

export class RealRedis {
  #socket;
  #buffer = Buffer.alloc(0);
  #more = () => {};

  constructor(port) {
    this.#socket = net.connect(port, "127.0.0.1");
    this.#socket.on("data", (data) => {
      this.#buffer = Buffer.concat([this.#buffer, data]);
      this.#more();
    });
  }

  close() {
    this.#socket.destroy();
  }

  async run(...words) {
    const end = Buffer.from("\r\n");
    const parts = words.map((word) => Buffer.from(word)).flatMap((part) => [Buffer.from(`$${part.length}\r\n`), part, end]);
    this.#socket.write(Buffer.concat([Buffer.from(`*${words.length}\r\n`), ...parts]));
    return this.#reply();
  }

  async text(...words) {
    const reply = await this.run(...words);
    return Buffer.isBuffer(reply) ? reply.toString() : reply;
  }

  async #take(length) {
    while (this.#buffer.length < length) await new Promise((resolve) => (this.#more = resolve));
    const taken = this.#buffer.subarray(0, length);
    this.#buffer = this.#buffer.subarray(length);
    return taken;
  }

  async #line() {
    let end;
    while ((end = this.#buffer.indexOf("\r\n")) < 0) await new Promise((resolve) => (this.#more = resolve));
    const line = await this.#take(end + 2);
    return line.subarray(0, end).toString();
  }

  async #reply() {
    const line = await this.#line();
    const rest = line.slice(1);
    switch (line[0]) {
      case "+":
        return rest;
      case "-":
        throw new Error(rest);
      case ":":
        return Number(rest);
      case "$": {
        if (rest === "-1") return null;
        const value = await this.#take(Number(rest) + 2);
        return Buffer.from(value.subarray(0, Number(rest)));
      }
      case "*": {
        const values = [];
        for (let left = Number(rest); left > 0; left--) values.push(await this.#reply());
        return values;
      }
    }
    throw new Error(`Redis answers ${line}`);
  }
}
