"""What a server says through `segment-analytics-python`. Arguments: the key, the host, whether to compress."""

import sys
from datetime import UTC, datetime

from segment.analytics import Client

key, host, gzip = sys.argv[1:]
client = Client(key, host=host, gzip=gzip == "gzip", upload_interval=0.2, max_retries=5, debug=False)
browser = {"userAgent": "Mozilla/5.0 (X11; Linux x86_64) Chrome/142.0.0.0", "ip": "198.51.100.7"}
client.identify("u7", {"email": "Ada@Example.com", "phone": "+1 650 253 0000", "plan": "pro", "address": {"city": "Paris"}}, context=dict(browser))
client.track("u7", "Demo Booked", {"seats": 3, "rate": 0.5}, context={**browser, "campaign": {"name": "Spring", "source": "news", "medium": "email"}})
client.track(event="Demo Booked", anonymous_id="ann", properties={"seats": 1}, timestamp=datetime(2026, 2, 3, 4, 5, 6, 789000, tzinfo=UTC))
client.page("u7", "Docs", "Prices", {"url": "https://www.brand.example/prices?utm_source=ads&gclid=x1", "referrer": "https://news.example/", "title": "Prices"})
client.screen("u7", "App", "Home", {"tab": 2})
client.group("u7", "acme", {"name": "Acme", "industry": "Software", "email": "office@acme.example"})
client.alias("old-7", "u7")
client.shutdown()
