/* Closed Loop's snippet, as people read it. What is served is `loop.min.js`: the same, made small by `make scripts`.
 *
 * It says who came from where, what they read and for how long, and which forms they submitted. The README's table states
 * all that it collects, and what it never does. Nothing that goes wrong in here reaches the page; it blocks nothing and
 * evaluates no text as code.
 */
{
  // Whatever the browser or the page calls is wrapped in this.
  const safe = (run) => (...given) => {
    try {
      return run(...given);
    } catch (e) {}
  };

  safe(() => {
    const doc = document;
    const loc = location;
    const nav = navigator;
    const tag = doc.currentScript;
    const option = tag.dataset;
    const early = window.closedloop || [];
    if (early.track) return; // the page holds this script twice

    let visitor, seen, page, isAllowed, isOut;
    let count = 0;
    let engaged = 0;
    let until;
    let last; // 0: nobody sees the page
    let isHeld = doc.prerendering; // it is loaded ahead, and perhaps nobody will ever see it

    const queue = [];
    const YEARLY = 34214400; // seconds: thirteen months
    const to = new URL(option.to || "v1/events", tag.src) + "?key=" + encodeURIComponent(option.key);
    const isCookieless =
      option.consent == "cookieless" || (nav.globalPrivacyControl && option.gpc != "ignore") || (nav.doNotTrack == 1 && option.dnt);

    // ---------------------------------------------------------------- pages

    const view = (referrer) => {
      const begins = !(Date.now() - seen < 18e5 || cookie("_loop_s")); // a session of half an hour
      engage();
      page = here();
      if (begins) event("visit", { referrer });
      event("pageview", { referrer });
      if (isAllowed) queue.unshift(...(unsent(queue) || []));
    };

    // A page of an application that changes its address without loading: the one before is the referrer.
    const moved = safe(() => {
      if (here() != page) view(page);
    });

    const here = () => cut(option.hash == null ? loc.href.split("#")[0] : loc.href, 8e3);

    // ---------------------------------------------------------------- time

    const leave = () => {
      engage();
      flush(1);
    };

    const engage = () => {
      active();
      if (engaged > 999) event("engagement", { engaged_ms: engaged, occurred_at: new Date(until) });
      engaged = 0;
    };

    // Called at each sign of life: the time since the last one counts, up to half a minute.
    const active = () => {
      const now = Date.now();
      if (last) {
        until = Math.min(now, last + 3e4);
        engaged += until - last;
      }
      last = doc.hidden ? 0 : now;
    };

    // ---------------------------------------------------------------- cookies

    const fill = () => {
      if (visitor == null) return;
      for (const input of doc.getElementsByName("closedloop_visitor_id")) input.value = visitor;
    };

    // On the widest domain that the browser allows, which is the registrable one. Without a value it is deleted from each.
    const bake = safe((name, seconds, value = "") => {
      const labels = loc.hostname.split(".");
      for (let n = labels.length - 2; n > -2; n--) {
        doc.cookie =
          `${name}=${value};path=/;samesite=lax;max-age=${seconds}` +
          (n < 0 ? "" : ";domain=" + labels.slice(n).join(".")) + (isSecureContext ? ";secure" : "");
        if (seconds && cookie(name) == value) return;
      }
    });

    const cookie = safe((name) => doc.cookie.match(`\\b${name}=([\\w-]+)`)?.[1]);

    // Another tab may have begun a session or a visitor, so the cookies are read each time.
    // Where no cookie can be set, the visitor lasts as long as the page.
    const touch = () => {
      if (isHeld) return;
      seen = Date.now();
      if (!isAllowed || isCookieless) return;
      visitor = cookie("_loop") || visitor || random();
      // What the collector has set lasts longer than what a script sets, so it is left alone.
      if (!cookie("_loop")) bake("_loop", YEARLY, visitor);
      bake("_loop_s", 1800, seen);
      fill();
    };

    // Whoever is nobody any more stands in no form either.
    const forget = safe(() => {
      bake("_loop", 0);
      bake("_loop_s", 0);
      seen = 0;
      visitor = "";
      fill();
      delete localStorage._loop_q;
    });

    // ---------------------------------------------------------------- forms

    const submitted = ({ target }) => {
      // By attribute: a form's own `name` and `id` are hidden by fields of those names. An empty one: somebody else counts it.
      const name = target.getAttribute("data-loop-form") ?? (target.getAttribute("name") || target.getAttribute("id"));
      if (name == "") return touch();
      const properties = {};
      const fields = [...target.elements].filter(
        (field) =>
          !/hidden|passw|cc-|one-time/.test(field.type + " " + field.autocomplete) &&
          !/^[1-9](\W?\d){12,18}$/.test(field.value) &&
          (field.checked || !/box|radio/.test(field.type))
      );
      fields.forEach((field) => {
        if (option.formFields?.split(",").includes(field.name)) properties[field.name] = cut(field.value);
      });
      event("form_submit", {
        form: cut(name || ""),
        email: fields.find(
          (field) => /e-?mail/i.test(field.type + field.name + field.id + field.autocomplete) && /\S@\S/.test(field.value)
        )?.value,
        properties
      });
      flush(1);
    };

    // ---------------------------------------------------------------- sending

    // What is not known to have arrived stays in the browser: `gone` leaves it, `added` comes to it. Time on a page goes when the
    // page is left, so nobody ever knows: it is sent once.
    const unsent = safe((gone, added = []) => {
      if (isCookieless) return;
      const kept = JSON.parse(localStorage._loop_q || "[]").filter(
        (each) => Date.now() - Date.parse(each.occurred_at) < 6e8 && !each.engaged_ms && !gone.some((other) => other.id == each.id)
      );
      localStorage._loop_q = JSON.stringify([...kept, ...added].slice(-50));
      return kept;
    });

    const flush = (isLeaving) => {
      if (!isAllowed || isHeld || !queue[0]) return;
      touch();
      const batch = queue.splice(0);
      batch.forEach((each) => {
        each.visitor_id = each.visitor_id || visitor;
        if (each.url == page) each.title = cut(doc.title);
      });
      unsent(batch, batch);
      const body = JSON.stringify({ events: batch, sent_at: new Date() });
      // As text, it is a request that needs no preflight.
      if (isLeaving && nav.sendBeacon?.(to, body)) return;
      fetch(to, { method: "POST", body, keepalive: body.length < 2e4, credentials: "include" }).then(
        (answer) => { if (answer.status < 429) unsent(batch); },
        () => {}
      );
    };

    // A copy, so that what the page changes later does not matter; and what is no JSON fails here, alone.
    const event = (type, more) => {
      if (isOut) return;
      touch();
      queue.push(JSON.parse(JSON.stringify({ id: random(), type, occurred_at: new Date(), sequence: count++, url: page, ...more })));
      setTimeout(safe(flush), 200);
    };

    // ---------------------------------------------------------------- what both need

    const random = () => [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => (byte + 256).toString(16).slice(1)).join("");

    // By characters: half of one at the end would spoil the whole event.
    const cut = (text, length = 300) => [...text].slice(0, length).join("");

    // ---------------------------------------------------------------- start

    // The link by which one opts out, or in again.
    const asked = /closedloop_opt_out=([01])/.exec(loc)?.[1];
    if (asked) bake("closedloop_opt_out", asked * YEARLY, asked);
    isOut = asked > 0 || cookie("closedloop_opt_out");
    if (isOut) forget();
    isAllowed = !isOut && (option.consent != "opt-in" || cookie("_loop"));

    const api = {
      // closedloop.track("demo_booked", {plan: "pro"})
      track: (name, properties, fields) => event(name, { properties, ...fields }),
      // closedloop.identify("ada@example.com"), closedloop.identify("user-7"), or {email, phone, user_id}
      identify: (who) => event("identify", typeof who == "object" ? who : { [/@/.test(who) ? "email" : "user_id"]: who }),
      consent: (isGiven) => {
        const wasOut = isOut;
        bake("closedloop_opt_out", isGiven ? 0 : YEARLY, 1);
        isAllowed = isGiven;
        isOut = !isGiven;
        if (isOut) {
          queue.splice(0);
          forget();
        } else {
          if (wasOut) view(doc.referrer);
          flush();
        }
      },
      reset: () => {
        flush();
        forget();
      },
      visitor: () => visitor || "",
      push: ([name, ...given]) => api[name](...given)
    };
    for (const name in api) api[name] = safe(api[name]);
    window.closedloop = api;

    const start = () => {
      isHeld = early.linked;
      view(doc.referrer);
      // Another domain of the site may have said who comes: `loop-links.js` asks.
      isHeld?.then(
        safe((known) => {
          isHeld = 0;
          if (known && !isCookieless) {
            bake("_loop", 0);
            visitor = known;
          }
          flush();
        })
      );
      early.forEach(api.push);
      ["pushState", "replaceState"].forEach((name) => {
        const original = history[name];
        history[name] = (...given) => {
          const path = loc.pathname;
          const result = original.apply(history, given);
          // Replacing no more than the query corrects the address of the page that is shown.
          if (name == "pushState" || path != loc.pathname) moved();
          else page = here();
          return result;
        };
      });
    };

    const heard = {
      popstate: moved,
      visibilitychange: leave,
      pagehide: leave,
      pageshow: (shown) => { if (shown.persisted) view(here()); },
      scroll: active,
      keydown: active,
      pointerdown: active,
      pointermove: active,
      submit: submitted,
      DOMContentLoaded: fill,
      focusin: fill,
      prerenderingchange: start
    };
    // At the window, in the capturing phase, all of it passes, whatever the page stops later.
    for (const name in heard) addEventListener(name, safe(heard[name]), true);
    if (!isHeld) start();
  })();
}
