#!/bin/sh
# Tell Closed Loop what a server knows:  COLLECTOR=https://loop.example.com SECRET_KEY=… VISITOR=… sh send.sh
set -eu

# A page that a visitor has seen, and the form that they sent there. The visitor is what their cookie _loop holds.
curl --silent --show-error --fail "$COLLECTOR/v1/events" \
  -H "Authorization: Bearer $SECRET_KEY" -H "Content-Type: application/json" \
  -d '{"events": [
        {"type": "pageview", "visitor_id": "'"$VISITOR"'", "url": "https://www.example.com/demo?utm_source=news", "referrer": "https://mail.example.com/"},
        {"type": "form_submit", "visitor_id": "'"$VISITOR"'", "url": "https://www.example.com/demo", "form": "demo", "email": "ada@example.com"}
      ]}'

# Somebody who called: no visitor is known, so the call stands under the phone number.
curl --silent --show-error --fail "$COLLECTOR/v1/events" \
  -H "Authorization: Bearer $SECRET_KEY" -H "Content-Type: application/json" \
  -d '{"type": "form_submit", "form": "call-back", "phone": "+493012345678", "source": "phone book"}'
