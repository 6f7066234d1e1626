// Asks for as much as Bottleneck's reservoir gives: throttle_bottleneck.js URL COUNT SECONDS
const http = require("http")
const Bottleneck = require("bottleneck")
const [url, count, seconds] = [process.argv[2], Number(process.argv[3]), Number(process.argv[4])]
const agent = new http.Agent({ keepAlive: true, maxSockets: 16 })
const limiter = new Bottleneck({
  reservoir: count, reservoirRefreshAmount: count, reservoirRefreshInterval: 1000, maxConcurrent: 16,
})
const get = () => new Promise((resolve) =>
  http.get(url + "/thing", { agent }, (response) => response.resume().on("end", resolve)).on("error", resolve))
const stop = Date.now() + seconds * 1000
const work = async () => { while (Date.now() < stop) await limiter.schedule(get) }
Promise.all(Array.from({ length: 16 }, work)).then(() => process.exit(0))
setTimeout(() => process.exit(0), seconds * 1000 + 2000)
