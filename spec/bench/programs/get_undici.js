// COUNT small GETs with Node's undici, each decoded: get_undici.js URL COUNT CONCURRENCY.
// undici is found through NODE_PATH. One connection for each request in flight, without pipelining.
"use strict";
const { Agent, request } = require("undici");

const [url, count, concurrency] = [process.argv[2], Number(process.argv[3]), Number(process.argv[4])];
const dispatcher = new Agent({ connections: concurrency, pipelining: 1 });
const headers = { accept: "application/json", authorization: "Bearer 0123456789abcdef" };

let left = count;

async function share() {
  while (left-- > 0) {
    const { statusCode, body } = await request(url, { dispatcher, headers });
    const thing = await body.json();
    if (statusCode !== 200 || thing.id !== 12345) throw new Error(`status ${statusCode}`);
  }
}

Promise.all(Array.from({ length: concurrency }, share)).then(() => dispatcher.close());
