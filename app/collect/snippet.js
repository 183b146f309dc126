/*! Closed Loop. <script defer src="https://…/loop.js" data-key="WRITE_KEY"></script>
 *
 * Says who came from where, what they read, and which forms they submitted (the form's name and its e-mail field,
 * nothing else of it). It sets one first-party cookie, `_loop`: a random visitor ID and the minute of the last page.
 * It never throws, never waits, and evaluates no text as code. Names are short, because the minifier renames nothing.
 */
(function (win, doc) {
  "use strict";

  var tag = doc.currentScript || doc.querySelector("script[data-key][src*='loop.js']");
  var key = tag && tag.getAttribute("data-key");
  if (!key || (win.closedloop && win.closedloop.track)) return;

  var THIRTEEN_MONTHS = 34214400; // seconds
  var SESSION = 30; // minutes
  var nav = win.navigator;
  var loc = win.location;
  var to = tag.src.replace(/[?#].*/, "").replace(/[^/]*$/, "v1/events?key=" + encodeURIComponent(key));
  var count = 0;
  var visitor, seen, domain, page;

  // Nothing that goes wrong in here may reach the page.
  function safe(run) {
    return function () {
      try {
        return run.apply(this, arguments);
      } catch (e) {}
    };
  }

  function random() {
    var bytes = win.crypto.getRandomValues(new Uint8Array(16));
    return Array.from(bytes, function (byte) {
      return (byte + 256).toString(16).slice(1);
    }).join("");
  }

  function minute() {
    return Math.floor(Date.now() / 60000);
  }

  // ---- the cookie

  function read() {
    var found = doc.cookie.match(/(?:^|; )_loop=([\w-]{16,64})\.(\d+)/);
    if (found) {
      visitor = found[1];
      seen = +found[2];
    }
  }

  function write(pair, seconds, where) {
    doc.cookie =
      pair + ";path=/;samesite=lax;max-age=" + seconds +
      (where ? ";domain=" + where : "") + (loc.protocol == "https:" ? ";secure" : "");
  }

  // The widest domain that the browser lets us have is the registrable one; `localhost` has none.
  function widest() {
    var labels = loc.hostname.split(".");
    for (var n = 2; n <= labels.length; n++) {
      var name = labels.slice(-n).join(".");
      write("_loop_probe=1", 9, name);
      if (doc.cookie.indexOf("_loop_probe") >= 0) {
        write("_loop_probe=", 0, name);
        return name;
      }
    }
  }

  // Answers whether a session begins. Another tab may have gone on with it, so the cookie is read each time.
  // Where there may be no cookie, the visitor lasts as long as the page.
  function touch() {
    safe(read)();
    visitor = visitor || random();
    if (domain === undefined) domain = safe(widest)() || "";
    var begins = !(minute() - seen < SESSION);
    seen = minute();
    safe(write)("_loop=" + visitor + "." + seen, THIRTEEN_MONTHS, domain);
    return begins;
  }

  // ---- sending

  // Half a character at the end would spoil the whole event.
  function cut(text, length) {
    return text.slice(0, length).replace(/[\ud800-\udbff]$/, "");
  }

  function event(type, more) {
    return Object.assign(
      {
        id: random(), type: type, visitor_id: visitor, occurred_at: new Date().toISOString(), sequence: count++,
        url: here(), title: cut(doc.title, 300)
      },
      more
    );
  }

  function send(events) {
    var body = JSON.stringify({ events: events, sent_at: new Date().toISOString() });
    // As text, it is a request that needs no preflight.
    if (nav.sendBeacon && nav.sendBeacon(to, body)) return;
    win.fetch(to, { method: "POST", body: body, keepalive: true, mode: "no-cors", credentials: "include" }).catch(function () {});
  }

  function view(referrer) {
    page = here();
    var from = referrer ? { referrer: cut(referrer, 8000) } : {};
    var begins = touch();
    send((begins ? [event("visit", from)] : []).concat(event("pageview", from)));
  }

  function say(type, more) {
    touch();
    send([event(type, more)]);
  }

  // ---- pages

  function here() {
    return cut(loc.href.split("#")[0], 8000);
  }

  // A page of an application that changes its address without loading: the one before is the referrer.
  var moved = safe(function () {
    if (here() != page) view(page);
  });

  // ---- forms

  function emailOf(form) {
    var fields = Array.from(form.querySelectorAll("input")).filter(function (input) {
      return !/^(hidden|password)$/.test(input.type) && /\S@\S/.test(input.value);
    });
    var field =
      fields.find(function (input) { return input.type == "email"; }) ||
      fields.find(function (input) { return /e-?mail/i.test(input.name + " " + input.id + " " + input.autocomplete); });
    return field && field.value.trim();
  }

  // By attribute: a form's own `name` and `id` are hidden by fields of those names.
  function nameOf(form) {
    return ["data-loop-form", "name", "id", "aria-label"].reduce(function (name, attribute) {
      return name || form.getAttribute(attribute) || "";
    }, "");
  }

  var submitted = safe(function (happened) {
    var form = happened.target;
    say("form_submit", { form: cut(nameOf(form), 200), email: emailOf(form) });
  });

  // ---- start

  var start = safe(function () {
    safe(view)(doc.referrer);
    ["pushState", "replaceState"].forEach(function (name) {
      var original = win.history[name];
      win.history[name] = function () {
        var path = loc.pathname;
        var result = original.apply(this, arguments);
        // Replacing no more than the query corrects the address of the page that is shown.
        if (name == "pushState" || path != loc.pathname) moved();
        else page = here();
        return result;
      };
    });
    win.addEventListener("popstate", moved);
    win.addEventListener("pageshow", safe(function (shown) {
      if (shown.persisted) view(here());
    }));
    doc.addEventListener("submit", submitted, true);
  });

  win.closedloop = {
    // closedloop.track("demo_booked", {plan: "pro"})
    track: safe(function (name, properties) {
      say(name, { properties: properties });
    }),
    // closedloop.identify("ada@example.com"), closedloop.identify("user-7"), or {email, phone, user_id}
    identify: safe(function (who) {
      say("identify", typeof who == "object" ? who : /@/.test(who) ? { email: who } : { user_id: "" + who });
    })
  };

  // A page that is loaded ahead is not seen yet, and perhaps never.
  if (doc.prerendering) doc.addEventListener("prerenderingchange", start, { once: true });
  else start();
})(window, document);
