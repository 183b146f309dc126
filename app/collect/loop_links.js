/* Closed Loop, for sites with several domains: carries the visitor over links from one to the other. It stands before the snippet:
 *
 *   <script defer src="https://…/loop-links.js" data-key="WRITE_KEY" data-domains="shop.example,other.example"></script>
 *   <script defer src="https://…/loop.js" data-key="WRITE_KEY"></script>
 *
 * A link to one of `data-domains` gets a token when it is followed, which holds for two minutes and this kind of browser.
 * What arrives with one has it taken out of its address at once, and asks the collector whom it names. The snippet keeps its
 * events until the answer, two seconds at most. Where there is none, each goes on as it would have.
 */
{
  const safe = (run) => (...given) => {
    try {
      return run(...given);
    } catch (e) {}
  };

  safe(() => {
    const PARAMETER = "_loop";
    const FRESH_MS = 6e4; // half of a token's life: what is asked for at the first touch of a link still holds when it is followed
    const WAIT_MS = 2e3;

    const tag = document.currentScript;
    const option = tag.dataset;
    const domains = option.domains.toLowerCase().split(/[\s,]+/).filter((name) => name);
    const links = new URL(option.to ? option.to + "/links" : "v1/links", tag.src);
    const key = "?key=" + encodeURIComponent(option.key);

    // ---------------------------------------------------------------- arriving

    const arrived = new RegExp("[?&]" + PARAMETER + "=([\\w.-]+)").exec(location.search);
    if (arrived) {
      const clean = new URL(location.href);
      clean.search = clean.search.slice(1).split("&").filter((pair) => pair.split("=")[0] != PARAMETER).join("&");
      history.replaceState(history.state, "", clean);
      const known = fetch(links + "/" + arrived[1] + key).then((answer) => answer.ok && answer.json()).then((answer) => answer.visitor_id);
      const over = new Promise((resolve) => { setTimeout(resolve, WAIT_MS); });
      (window.closedloop = window.closedloop || []).linked = Promise.race([known, over]).catch(() => {});
    }

    // ---------------------------------------------------------------- leaving

    let token, visitor;
    let askedAt = -FRESH_MS;

    const domainOf = (host) => domains.find((name) => host == name || host.endsWith("." + name));

    // Within one domain, the cookie is the same.
    const toOther = (happened) => {
      const link = happened.target.closest("a[href]");
      const domain = link && domainOf(link.hostname);
      return domain && domain != domainOf(location.hostname) && link;
    };

    const prepare = safe((happened) => {
      const now = performance.now();
      const current = window.closedloop.visitor();
      if (!toOther(happened) || !current || (current == visitor && now - askedAt < FRESH_MS)) return;
      askedAt = now;
      visitor = current;
      token = "";
      fetch(links + key, { method: "POST", body: JSON.stringify({ visitor_id: visitor }) })
        .then((answer) => answer.json())
        .then((answer) => { token = answer.token; })
        .catch(() => {});
    });

    const follow = safe((happened) => {
      const link = toOther(happened);
      if (!link || !token || window.closedloop.visitor() != visitor) return;
      const href = link.href;
      link.search += (link.search ? "&" : "?") + PARAMETER + "=" + token;
      // Whoever copies the link later copies it without the token.
      setTimeout(() => { link.href = href; });
    });

    ["pointerover", "pointerdown", "focusin"].forEach((name) => addEventListener(name, prepare, true));
    ["click", "auxclick"].forEach((name) => addEventListener(name, follow, true));
  })();
}
