// What a server says through `@segment/analytics-node`. Arguments: the key, the host.
import { Analytics } from "@segment/analytics-node"

const [writeKey, host] = process.argv.slice(2)
const analytics = new Analytics({ writeKey, host, flushInterval: 200 })
analytics.on("error", (error) => { console.error(error); process.exitCode = 1 })
const context = { ip: "198.51.100.7", userAgent: "Mozilla/5.0 (X11; Linux x86_64) Chrome/142.0.0.0" }
analytics.identify({ userId: "u7", traits: { email: "Ada@Example.com", plan: "pro" }, context })
analytics.track({ userId: "u7", event: "Order Completed", properties: { order_id: "50", total: 30, currency: "EUR" } })
analytics.track({ anonymousId: "ann", event: "Demo Booked", properties: { seats: 3 }, timestamp: "2026-02-03T04:05:06.789Z" })
analytics.page({ anonymousId: "ann", name: "Prices", properties: { url: "https://www.brand.example/prices?utm_source=ads", title: "Prices" } })
analytics.screen({ anonymousId: "ann", name: "Home", properties: { tab: 2 } })
analytics.group({ userId: "u7", groupId: "acme", traits: { industry: "Software" } })
analytics.alias({ previousId: "ann", userId: "u7" })
await analytics.closeAndFlush()
