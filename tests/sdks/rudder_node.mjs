// What a server says through `@rudderstack/rudder-sdk-node`. Arguments: the key, the host, whether to compress.
import Analytics from "@rudderstack/rudder-sdk-node"

const [writeKey, dataPlaneUrl, gzip] = process.argv.slice(2)
const analytics = new Analytics(writeKey, { dataPlaneUrl, gzip: gzip === "gzip", flushInterval: 200 })
const sent = (send) => new Promise((resolve, reject) => send((error) => (error ? reject(error) : resolve())))
await Promise.all([
  sent((done) => analytics.identify({ userId: "u7", traits: { email: "Ada@Example.com", plan: "pro" } }, done)),
  sent((done) => analytics.track({ userId: "u7", event: "Demo Booked", properties: { seats: 3 } }, done)),
  sent((done) => analytics.page({ anonymousId: "ann", userId: "", name: "Prices", properties: { url: "https://www.brand.example/prices", referrer: "$direct" } }, done)),
  sent((done) => analytics.group({ userId: "u7", groupId: "acme", traits: { industry: "Software" } }, done)),
  sent((done) => analytics.alias({ previousId: "ann", userId: "u7" }, done)),
])
