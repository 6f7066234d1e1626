// Asks for as much as p-throttle gives: throttle_p_throttle.mjs URL COUNT SECONDS FOLDER [strict]
import http from "http"
import { pathToFileURL } from "url"
const [url, count, seconds, folder, strict] = process.argv.slice(2)
const { default: pThrottle } = await import(pathToFileURL(folder + "/node_modules/p-throttle/index.js"))
const agent = new http.Agent({ keepAlive: true, maxSockets: 16 })
const get = () => new Promise((resolve) =>
  http.get(url + "/thing", { agent }, (response) => response.resume().on("end", resolve)).on("error", resolve))
const throttled = pThrottle({ limit: Number(count), interval: 1000, strict: strict === "strict" })(get)
const stop = Date.now() + seconds * 1000
const work = async () => { while (Date.now() < stop) await throttled() }
await Promise.all(Array.from({ length: 16 }, work))
process.exit(0)
