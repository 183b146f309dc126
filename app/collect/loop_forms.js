/* Closed Loop, for forms, calendars and chats of others. It stands after the snippet; docs/embedded-forms.md says the rest:
 *
 *   <script defer src="https://…/loop.js" data-key="WRITE_KEY"></script>
 *   <script defer src="https://…/loop-forms.js" data-webhooks="calendly typeform"></script>
 *
 * Forms of HubSpot, Calendly and Typeform, and the chats of Intercom and Drift, live in frames that the snippet cannot see.
 * They tell the page what happens in them: here that becomes a `form_submit` of the snippet. And they are handed the
 * visitor's ID, so that their webhooks, and the CRM, know whose browser it was.
 *
 * Whatever another window says is data: it counts if it comes from one of the hosts below, by https, in the shape that is
 * expected; of it, a name, an address of mail and a number are taken as texts, and nothing is shown or run. Consent is the
 * snippet's business: what is told here waits there, and where the snippet has no visitor, none is handed on.
 */
(() => {
  "use strict";

  const win = window;
  const doc = document;
  const FIELD = "closedloop_visitor_id";
  const HOSTS = {
    hubspot: ["hubspot.com", "hsforms.com", "hsforms.net"],
    calendly: ["calendly.com"],
    typeform: ["typeform.com", "typeform.eu"]
  };
  // The only parameters that Calendly gives back. The first that the site's own link leaves free carries the visitor.
  const TRACKED = ["utm_content", "utm_term", "salesforce_uuid"];
  const PREFIX = "closedloop_";

  // Nothing that goes wrong in here may reach the page.
  const safe = (run) => (...given) => {
    try {
      return run(...given);
    } catch (e) {}
  };

  if (win.closedloop_forms) return; // the page holds this script twice
  win.closedloop_forms = 1;
  const tag = doc.currentScript;
  // Providers whose webhooks are set up: they tell of the same submission, with the e-mail, so that the page need not.
  const webhooks = ((tag && tag.getAttribute("data-webhooks")) || "").toLowerCase().split(/[\s,]+/);

  const visitor = safe(() => win.closedloop.visitor());

  // Whose host it is: that host itself, or one below it.
  const providerOf = (origin) => {
    const [, host] = /^https:\/\/([a-z0-9.-]+)$/.exec(origin) || [];
    return host && Object.keys(HOSTS).find((name) => HOSTS[name].some((known) => host == known || host.endsWith("." + known)));
  };

  // A text of another window: no more than a line, and no half character at its end.
  const text = (value) => (typeof value == "string" ? value.replace(/[\x00-\x1f]/g, " ").trim().slice(0, 190).replace(/[\ud800-\udbff]$/, "") : "");
  const email = (value) => (/^[^\s@]+@[^\s@]+$/.test(text(value)) ? text(value) : undefined);

  // ---------------------------------------------------------------- what is told

  const told = new Map();

  // Some tell twice of one submission, by a message and by an event.
  const submitted = (provider, name, known) => {
    const form = text(name);
    if (!form || webhooks.includes(provider) || Date.now() - told.get(form) < 2000) return;
    told.set(form, Date.now());
    (win.closedloop = win.closedloop || []).push(["track", "form_submit", null, { form, ...known }]);
  };

  const frameOf = (source) => [...doc.querySelectorAll("iframe")].find((frame) => frame.contentWindow == source);

  // The name that the page gives a form (`data-loop-form`, on the frame or around it), else the one that it has.
  const nameOf = (element, otherwise) => element?.closest("[data-loop-form]")?.getAttribute("data-loop-form") || otherwise;

  const pathOf = (frame) => safe(() => new URL(frame.src).pathname.replace(/^\/|\/$/g, ""))() || "";

  // Values that a form of HubSpot sends, by name: an object, or a list of pairs; `0-1/email` is a contact's `email`.
  const valuesOf = (sent) => {
    const pairs = Array.isArray(sent) ? sent.map((each) => [each?.name, each?.value]) : Object.entries(sent || {});
    return Object.fromEntries(pairs.map(([name, value]) => [text(name).split("/").pop(), [value].flat()[0]]));
  };

  const known = (values) => ({ email: email(values.email), phone: text(values.phone || values.mobilephone) || undefined });

  const isId = (id) => /^[\w-]{1,64}$/.test(id);
  const around = (id) => (isId(id) ? doc.querySelector('[data-form-id="' + id + '"]') : null);

  // A form that HubSpot draws into the page itself, the snippet sees being sent in, and tells of it by this name.
  let native;
  const isSeen = (id) => native?.closest("[data-form-id]")?.getAttribute("data-form-id") == id;

  const ready = (id) => {
    const form = around(id)?.matches("form") ? around(id) : around(id)?.querySelector("form");
    if (form && !form.getAttribute("data-loop-form")) form.setAttribute("data-loop-form", nameOf(form, "HubSpot " + id));
  };

  const hubspot = (id, values) => {
    if (isId(id) && !isSeen(id)) submitted("hubspot", nameOf(around(id), "HubSpot " + id), known(values));
  };

  const sending = new Map();
  const used = new WeakSet();

  const MESSAGES = {
    hubspot: (data) => {
      if (data.meetingBookSucceeded === true) {
        submitted("hubspot", "HubSpot meeting", { email: email(data.meetingsPayload?.bookingResponse?.postResponse?.contact?.email) });
      }
      if (data.type != "hsFormCallback") return;
      if (data.eventName == "onFormReady") ready(data.id);
      // Before it is sent it has the values, and may yet be refused.
      if (data.eventName == "onFormSubmit") sending.set(data.id, valuesOf(data.data));
      if (data.eventName == "onFormSubmitted") hubspot(data.id, { ...sending.get(data.id), ...valuesOf(data.data?.submissionValues) });
    },
    calendly: (data, frame) => {
      if (data.event == "calendly.date_and_time_selected") used.add(frame);
      if (data.event != "calendly.event_scheduled" || !text(data.payload?.invitee?.uri)) return;
      submitted("calendly", nameOf(frame, "Calendly " + pathOf(frame)));
    },
    typeform: (data, frame) => {
      if (data.type == "form-started") used.add(frame);
      if (data.type != "form-submit" || !text(data.responseId) || data.responseId == "__sandbox") return;
      submitted("typeform", nameOf(frame, "Typeform " + (text(data.formId) || pathOf(frame).split("/").pop())));
    }
  };

  const heard = (message) => {
    // HubSpot's older script draws its forms from within the page, and so speaks as the page.
    const provider = message.origin == win.origin && win.origin != "null" ? "hubspot" : providerOf(message.origin);
    if (!provider || !message.data || typeof message.data != "object") return;
    MESSAGES[provider](message.data, frameOf(message.source));
    hand();
  };

  // HubSpot's newer forms say it by events of the page.
  const formOf = safe((happened) => win.HubSpotFormsV4.getFormFromEvent(happened));
  const idOf = (form, happened) => text(safe(() => form.getFormId())() || happened.detail?.formId);

  const drawn = (happened) => {
    ready(idOf(formOf(happened), happened));
    hand();
  };

  const sent = (happened) => {
    const form = formOf(happened);
    const id = idOf(form, happened);
    const tell = (fields) => hubspot(id, valuesOf(fields));
    const fields = safe(() => form.getFormFieldValues())();
    if (fields?.then) fields.then(safe(tell), safe(() => tell()));
    else tell(fields);
  };

  // ---------------------------------------------------------------- handing the visitor's ID in

  // What a frame of such an address is opened with; nothing if that is there already, or there is no place for it.
  const ADDRESSES = {
    calendly: (url, id) => {
      const taken = TRACKED.map((name) => url.searchParams.get(name));
      const free = TRACKED[taken.findIndex((value) => !value)];
      if (!free || taken.some((value) => value?.startsWith(PREFIX))) return;
      url.searchParams.set(free, PREFIX + id);
      return url.href;
    },
    typeform: (url, id) => {
      const hidden = new URLSearchParams(url.hash.slice(1));
      if (!url.pathname.startsWith("/to/") || hidden.get(FIELD)) return;
      hidden.set(FIELD, id);
      url.hash = hidden;
      return url.href;
    }
  };

  const addressed = (address) => {
    const url = new URL(address, doc.baseURI);
    const make = ADDRESSES[providerOf(url.origin)];
    const id = make && visitor();
    return id && make(url, id);
  };

  const handFrame = (frame) => {
    const address = frame.src && addressed(frame.src);
    // Somebody is at work in there: loading it anew would lose that.
    if (!address || doc.activeElement == frame || used.has(frame)) return;
    frame.src = address;
    // Hidden fields stand after the #, and a frame that only changes there is not loaded anew.
    frame.parentNode.insertBefore(frame, frame.nextSibling);
  };

  // React knows of a value only by the event, and believes it only where the value differs from the one that it knew.
  const fill = (input, id) => {
    if (input.value == id && input.dataset.loopFilled) return;
    input.dataset.loopFilled = 1;
    input.value = id;
    input._valueTracker?.setValue("");
    ["input", "change"].forEach((name) => input.dispatchEvent(new Event(name, { bubbles: true })));
  };

  const documents = () => [doc, ...[...doc.querySelectorAll("iframe")].map(safe((frame) => frame.contentDocument))].filter(Boolean);

  const handed = new WeakMap();

  const handField = async (form, id) => {
    if (handed.get(form) == id) return;
    const fields = await form.getFormFieldValues();
    const field = fields.find((each) => each.name.split("/").pop() == FIELD);
    if (field && [field.value].flat()[0] != id) form.setFieldValue(field.name, id);
    handed.set(form, id);
  };

  const hooked = {};

  const once = (name, run) => {
    if (hooked[name]) return;
    hooked[name] = 1;
    safe(run)();
  };

  const chats = (id) => {
    if (typeof win.Intercom == "function") {
      // It does not say which e-mail: the snippet's visitor is known by Intercom's attribute, or by the CRM.
      once("intercom", () => win.Intercom("onUserEmailSupplied", safe(() => submitted("intercom", "Intercom"))));
      if (id) once("intercom " + id, () => {
        if (win.intercomSettings) win.intercomSettings[FIELD] = id;
        win.Intercom("update", { [FIELD]: id });
      });
    }
    if (typeof win.drift?.on == "function") {
      once("drift", () => {
        win.drift.on("emailCapture", safe((said) => submitted("drift", "Drift", { email: email(said?.data?.email) })));
        win.drift.on("phoneCapture", safe((said) => submitted("drift", "Drift", { phone: text(said?.data?.phone || said?.phone) || undefined })));
      });
      if (id) once("drift " + id, () => {
        const set = safe(() => win.drift.api.setUserAttributes({ [FIELD]: id }));
        win.drift.api ? set() : win.drift.on("ready", set);
      });
    }
  };

  const hand = safe(() => {
    const id = visitor();
    const { consent } = win.closedloop || {};
    // Consent that comes later brings the visitor.
    if (consent) once("consent", () => {
      win.closedloop.consent = (...given) => {
        consent(...given);
        hand();
      };
    });
    chats(id);
    if (!id) return;
    doc.querySelectorAll("iframe").forEach(safe(handFrame));
    documents().forEach(safe((each) => each.querySelectorAll(".hs-form [name=" + FIELD + "]").forEach((input) => fill(input, id))));
    (safe(() => win.HubSpotFormsV4.getForms())() || []).forEach((form) => handField(form, id).catch(() => {}));
  });

  // A link to a calendar or a form carries the ID for this one click, and not to whomever it is copied to.
  const clicked = (happened) => {
    const link = happened.target.closest?.("a[href]");
    const address = link && addressed(link.href);
    if (!address) return;
    const own = link.getAttribute("href");
    link.href = address;
    setTimeout(() => link.setAttribute("href", own), 0);
  };

  // ---------------------------------------------------------------- start

  // Of what is added to the page, these may be a form, or the script of one.
  const BRINGS = "iframe,script,form";
  const isNews = (record) =>
    record.type == "attributes" || [...record.addedNodes].some((node) => node.matches?.(BRINGS) || node.querySelector?.(BRINGS));

  const listen = (names, run) => names.split(" ").forEach((name) => addEventListener(name, safe(run), true));

  const start = () => {
    listen("message", heard);
    listen("hs-form-event:on-submission:success", sent);
    listen("hs-form-event:on-ready", drawn);
    listen("submit", (happened) => { native = happened.target; });
    listen("click auxclick", clicked);
    listen("DOMContentLoaded load prerenderingchange", hand);
    const watch = new MutationObserver(safe((records) => { if (records.some(isNews)) hand(); }));
    watch.observe(doc.documentElement, { childList: true, subtree: true, attributes: true, attributeFilter: ["src"] });
    hand();
  };
  safe(start)();
})();
